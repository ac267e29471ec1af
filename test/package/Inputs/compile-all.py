# ===- compile-all.py - a library of every kind of tiny model ---------------===#
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   compile-all.py ATTNC DATA FOLDER TARGET
#
# Compiles one model of each family, with and without heads, into FOLDER/TARGET.
#
# ===----------------------------------------------------------------------===//
import os
import subprocess
import sys

attnc, data, folder, target = sys.argv[1:]
MODELS = [
    "tiny-bert",
    "tiny-sentence",
    "tiny-masked",
    "families/albert",
    "families/bert-token",
    "families/camembert-sequence",
    "families/distilbert-question",
    "families/electra",
    "families/mpnet",
    "families/roberta-masked",
    "families/deberta",
    "families/modernbert",
]
for model in MODELS:
    name = os.path.basename(model).replace("-", "_")
    subprocess.run(
        [attnc, "compile", os.path.join(data, model), "-q", "--name", name,
         "--target", target, "-o", os.path.join(folder, target)],
        check=True,
    )
