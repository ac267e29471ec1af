# ===- verify-sanitized.py - attnc verify under AddressSanitizer -------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   verify-sanitized.py ATTNC CC DATA FOLDER
#
# Compiles tiny models with --sanitize=address and verifies them in attnc, which
# is not instrumented: clang's runtime is loaded before it.
#
# ===----------------------------------------------------------------------===//
import os
import subprocess
import sys

attnc, cc, data, folder = sys.argv[1:]
name = "libclang_rt.asan-x86_64.so"
runtime = subprocess.run(
    [cc, "-print-file-name=" + name], check=True, stdout=subprocess.PIPE, text=True
).stdout.strip()
if not os.path.isabs(runtime):
    sys.exit("verify-sanitized.py: %s has no %s" % (cc, name))
# attnc, and LLVM's libraries in it, free little at their end.
environment = dict(os.environ, LD_PRELOAD=runtime, ASAN_OPTIONS="detect_leaks=0")
for model in ["albert", "deberta-token", "modernbert", "mpnet", "camembert-masked"]:
    path = os.path.join(data, "families", model)
    library = model.replace("-", "_")
    subprocess.run(
        [attnc, "compile", path, "-q", "--name", library, "-o", folder,
         "--sanitize=address", "--target", "x86-64-v3"],
        check=True,
    )
    subprocess.run(
        [attnc, "verify", "%s/lib%s.so" % (folder, library), path, "--quick"],
        check=True, env=environment,
    )
