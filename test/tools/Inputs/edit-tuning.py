#===- edit-tuning.py - bends a tuning file ---------------------------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
#
# edit-tuning.py IN OUT WHAT: 'last' takes the last tile that was measured of
# every kernel and chain; 'chunk' gives attention the chunks of keys of a larger
# machine; 'rows', 'depth', 'block', 'version', 'signature', 'processor',
# 'drop' and 'member' make the file what attnc refuses.
#
# ===----------------------------------------------------------------------===#
import json
import sys

source, target, what = sys.argv[1:]
tuning = json.load(open(source))
kernels = tuning["kernels"]
assert all(len(kernel["measured"]) > 1 for kernel in kernels) and kernels
if what == "last":
    for kernel in kernels:
        kernel["tile"] = kernel["measured"][-1]["tile"]
    for chain in tuning["chains"]:
        chain["block_rows"] = chain["measured"][-1]["block_rows"]
elif what == "block":
    # Other tiles may make other chains.
    for kernel in kernels:
        kernel["tile"] = kernel["measured"][0]["tile"]
    tuning["chains"][0]["block_rows"] += 1
elif what == "chunk":
    tile = kernels[-1]["tile"]
    assert tile["depth"] > 0
    tile["depth"] += tile["columns"]
elif what == "rows":
    kernels[0]["tile"]["rows"] = 100
elif what == "depth":
    kernels[-1]["tile"]["depth"] = 100
elif what == "version":
    tuning["attnc_tuning"] = 3
elif what == "signature":
    kernels[0]["signature"] = "other-00000000"
elif what == "processor":
    tuning["processor"] = "another"
elif what == "drop":
    kernels.append(dict(kernels[0], signature="other-00000000"))
elif what == "member":
    del kernels[0]["tile"]["block"]
else:
    sys.exit(f"{what}?")
json.dump(tuning, open(target, "w"))
