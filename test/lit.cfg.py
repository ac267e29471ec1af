# ===- lit.cfg.py - how lit runs the compiler's tests ----------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Tests are .mlir and .test files; unit/ holds GoogleTest programs, which ctest
# runs, and data/ what tests read. All of them: `ninja -C build check-lit`; one
# folder or file: `lit -v build/test/optimize`, `lit -v build/test/PATH.mlir`.
#
# Tools:          ours first (attn-opt, attnc), then LLVM's (FileCheck, not,
#                 split-file, mlir-opt, llc, llvm-mc, llvm-nm, ...), by PATH.
# Substitutions:  %root the repository, %data test/data, %cc and %cxx the
#                 compilers of the build, %python the interpreter of lit.
#                 %model the trained encoder's folder ($ATTNC_TEST_MODEL),
#                 %decoder the trained decoder's ($ATTNC_TEST_STORIES, else
#                 ../shared/data/stories260K).
# Features:       avx2, avx512, amx what this machine executes; asm LLVM's tools
#                 assemble x86-64; attnc the command line tool is built;
#                 trained-encoder %model is there, trained-decoder %decoder;
#                 gcc GCC is beside the build's compiler; sanitizers that compiler links them;
#                 numpy, pip %python has them (pip with what it needs to
#                 install from a folder); onetbb g++ finds oneTBB;
#                 long-tests $ATTNC_TEST_ALL is set.
#
# ===----------------------------------------------------------------------===//
import importlib.util
import os
import shutil
import subprocess
import sys

import lit.formats

config.name = "attnc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "data", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.attnc_obj_root, "test")

config.substitutions += [
    ("%root", config.attnc_src_root),
    ("%data", os.path.join(config.test_source_root, "data")),
    ("%python", '"%s"' % sys.executable),
    ("%cxx", config.host_cxx),
    ("%cc", config.host_cc),
]

config.environment["PATH"] = os.pathsep.join(
    [config.attnc_tools_dir, config.llvm_tools_dir, config.environment["PATH"]]
)
# A failed check shows the input around the line that did not match.
config.environment["FILECHECK_OPTS"] = "--dump-input-filter=error"

for tool in ["attn-opt"]:
    if not os.access(os.path.join(config.attnc_tools_dir, tool), os.X_OK):
        lit_config.fatal(
            "%s is not built; expected it in %s (build the target check-lit)"
            % (tool, config.attnc_tools_dir)
        )


def processor_flags():
    """Flags of the first processor, as the kernel lists them."""
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("flags"):
                return set(line.split(":", 1)[1].split())
    return set()


def add_feature(name, present):
    if present:
        config.available_features.add(name)


flags = processor_flags()
add_feature("avx2", {"avx2", "fma", "f16c"} <= flags)
add_feature(
    "avx512",
    {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags,
)
add_feature("amx", {"amx_tile", "amx_bf16", "amx_int8"} <= flags)
add_feature("asm", "X86" in config.llvm_targets.split(";"))
add_feature(
    "attnc", os.access(os.path.join(config.attnc_tools_dir, "attnc"), os.X_OK)
)
add_feature("gcc", shutil.which("gcc") and shutil.which("g++"))
add_feature(
    "sanitizers",
    subprocess.run(
        [config.host_cc, "-fsanitize=thread", "-xc", "-", "-o", os.devnull],
        input=b"int main(void) { return 0; }",
        stderr=subprocess.DEVNULL,
    ).returncode
    == 0,
)
model = os.environ.get("ATTNC_TEST_MODEL", "")
add_feature(
    "trained-encoder", os.path.isfile(os.path.join(model, "model.safetensors"))
)
config.substitutions.append(("%model", model))
# Inputs that are no part of this repository stand beside it.
decoder = os.environ.get("ATTNC_TEST_STORIES") or os.path.join(
    config.attnc_src_root, "..", "shared", "data", "stories260K"
)
decoder = os.path.normpath(decoder)
add_feature("trained-decoder", os.path.isfile(os.path.join(decoder, "greedy.json")))
config.substitutions.append(("%decoder", decoder))
if "trained-decoder" not in config.available_features:
    lit_config.note("no trained decoder in %s: its test is skipped" % decoder)


def has_modules(*names):
    return all(importlib.util.find_spec(name) for name in names)


add_feature("long-tests", os.environ.get("ATTNC_TEST_ALL"))
add_feature("onetbb", os.path.exists("/usr/include/oneapi/tbb/version.h"))
add_feature("numpy", has_modules("numpy"))
add_feature("pip", has_modules("pip", "setuptools", "wheel"))
if not has_modules("numpy"):
    lit_config.note("no NumPy for %s: examples/python is skipped" % sys.executable)
