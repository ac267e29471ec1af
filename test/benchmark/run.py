# ===- run.py - the whole benchmark -----------------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# What run.sh starts once the peers are installed; run.sh --help prints the
# options. Compiles the models, then gives every model and number of threads a
# process of its own (encoder.py, kernels.py), because thread pools of peers
# outlive their sessions; writes the report at the end.
#
# ===----------------------------------------------------------------------===//
import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile

import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join("build", "benchmark")
ATTNC = os.path.join("build", "bin", "attnc")
PEAKS = os.path.join("build", "bin", "benchmark-peaks")
TRAINED = os.path.join("build", "models", "all-minilm-l6-v2")

# What `attnc compile` is given for a dtype.
COMPILE = {
    "f32": [],
    "bf16": ["--weights=bf16"],
    "int8": ["--weights=int8"],
}
PEERS = ("onnxruntime", "openvino", "torch", "iree")
QUICK_SHAPES = "1x16,1x128,8x128,ragged"
BATCHES, LENGTHS = (1, 8, 32), (16, 128, 384, 512)
# Batches of more tokens need --all: calls of many seconds each.
MOST_TOKENS = {"trained encoder": 16384}
MOST_TOKENS_OF_OTHERS = 4096


def shapes_of(most_tokens):
    shapes = [
        f"{batch}x{seq}"
        for batch in BATCHES
        for seq in LENGTHS
        if most_tokens is None or batch * seq <= most_tokens
    ]
    return ",".join(shapes + ["ragged"])


def parse():
    parser = argparse.ArgumentParser(prog="run.sh")
    parser.add_argument(
        "folder", nargs="?", metavar="MODEL_FOLDER",
        help="a model folder of yours instead of the two models",
    )
    parser.add_argument("--peers", default="onnxruntime,openvino",
                        help="of " + ",".join(PEERS) + "; or 'all'")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--dtypes", default="f32", help="of " + ",".join(COMPILE))
    parser.add_argument("--shapes", help="BATCHxSEQ,...,ragged instead of the usual")
    parser.add_argument("--seconds", type=float, default=4.0,
                        help="for each row of a table, at least (default: 4)")
    parser.add_argument("--all", action="store_true",
                        help="every batch and length, even calls of many seconds")
    parser.add_argument("--quick", action="store_true",
                        help="few shapes, a second each: about five minutes")
    parser.add_argument("--no-kernels", action="store_true")
    parser.add_argument("--smoke", action="store_true",
                        help="a tiny model, onnxruntime, seconds: does it work?")
    parser.add_argument("--output", help="folder of the report "
                        "(default: build/benchmark/results)")
    arguments = parser.parse_args()
    for dtype in arguments.dtypes.split(","):
        if dtype not in COMPILE:
            parser.error(f"'{dtype}' is not among {', '.join(COMPILE)}")
    if arguments.peers == "all":
        arguments.peers = ",".join(PEERS)
    if arguments.quick:
        arguments.shapes = arguments.shapes or QUICK_SHAPES
        arguments.seconds = 1.0
    if arguments.smoke:
        arguments.peers, arguments.threads, arguments.seconds = "onnxruntime", "1", 0.02
        arguments.shapes = "1x16,8x16,ragged"
    arguments.output = arguments.output or os.path.join(
        WORK, "smoke" if arguments.smoke else "results"
    )
    return arguments


def models_of(arguments):
    """[(name, folder)]"""
    if arguments.smoke:
        return [("tiny", os.path.join("test", "data", "tiny-bert"))]
    if arguments.folder:
        folder = os.path.normpath(arguments.folder)
        return [(os.path.basename(os.path.abspath(folder)), folder)]
    base = os.path.join(WORK, "bert-base")
    if not os.path.exists(os.path.join(base, "config.json")):
        print("writing random weights of BERT-base's size", flush=True)
        subprocess.run(
            [sys.executable, os.path.join(HERE, "random_bert.py"), base], check=True
        )
    return [("trained encoder", TRAINED), ("BERT-base size", base)]


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if "model name" in line]
    processor = models[0] if models else platform.processor()
    load = os.getloadavg()[0]
    return {
        "processor": processor,
        "cores that may be used": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load at the start": f"{load:.1f}" + (
            " (others are working: do not trust the numbers)" if load > 0.5 else ""
        ),
    }


def attnc_settings():
    target = subprocess.run(
        [ATTNC, "targets"], check=True, capture_output=True, text=True
    ).stdout
    native = next(line for line in target.splitlines() if "native" in line)
    return (
        f"attnc: target {native.split()[0]} (with bf16 and int8 the best that this "
        "machine runs), one library for all shapes, padding left "
        "out, its own threads, denormals kept"
    )


def child(script, arguments):
    """Runs a script; returns what it wrote to --json."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, os.path.join(HERE, script), *arguments]
        result = subprocess.run(command + ["--json", file.name])
        if result.returncode != 0:
            raise SystemExit(f"run.sh: {script} failed; to repeat it:\n  "
                             + " ".join(command + ["--json", "FILE"]))
        return json.load(file)


def compile_model(folder, name, kind, options):
    output = os.path.join(WORK, "out", name.replace(" ", "-") + "-" + kind)
    compiled = subprocess.run(
        [ATTNC, "compile", folder, "-o", output, "--name", "encoder",
         "--outputs=last_hidden_state", "-q", *options]
    )
    if compiled.returncode != 0:
        raise SystemExit(f"run.sh: {folder} does not compile")
    return os.path.join(output, "libencoder.so")


def run_models(arguments, results, threads_list):
    for name, folder in models_of(arguments):
        for dtype in arguments.dtypes.split(","):
            library = compile_model(folder, name, dtype, COMPILE[dtype])
            unfused = []
            if dtype == "f32":
                unfused = ["--unfused", compile_model(folder, name, "O0", ["-O0"])]
            most = None if arguments.all else MOST_TOKENS.get(name, MOST_TOKENS_OF_OTHERS)
            for threads in threads_list:
                print(f"{name}, {dtype}, {report.thread_count(threads)}", flush=True)
                part = child("encoder.py", [
                    library, folder, "--threads", threads, "--dtype", dtype,
                    "--peers", arguments.peers,
                    "--shapes", arguments.shapes or shapes_of(most),
                    "--seconds", str(arguments.seconds), *unfused,
                ])
                # The settings of each peer's columns, in the dtypes that were run.
                for setting in part["settings"]:
                    if setting not in results["settings"]:
                        results["settings"].append(setting)
                results["rows"] += [{"model": name, **row} for row in part["rows"]]


def run_kernels(arguments, results, threads_list):
    for threads in threads_list:
        print(f"kernels, {report.thread_count(threads)}", flush=True)
        results["kernels"] += child("kernels.py", [
            ATTNC, os.path.join(WORK, "kernels"), "--threads", threads,
            "--peers", arguments.peers, "--seconds", str(arguments.seconds / 4),
            *(["--smoke"] if arguments.smoke else []),
            *(["--quick"] if arguments.quick else []),
        ])


def main():
    os.chdir(ROOT)
    arguments = parse()
    cores = len(os.sched_getaffinity(0))
    wanted = arguments.threads.split(",")
    threads_list = [threads for threads in wanted if int(threads) <= cores]
    for threads in wanted:
        if threads not in threads_list:
            print(f"skipped: {threads} threads; there are {cores} cores")
    results = {
        "machine": machine(), "settings": [attnc_settings()], "peaks": {},
        "rows": [], "kernels": [],
    }
    if os.path.exists(PEAKS) and not arguments.smoke:
        for threads in threads_list:
            output = subprocess.run(
                [PEAKS, threads], check=True, capture_output=True, text=True
            ).stdout
            results["peaks"][threads] = json.loads(output)
    run_models(arguments, results, threads_list)
    if not arguments.no_kernels:
        run_kernels(arguments, results, threads_list)
    for path in report.write(results, arguments.output):
        print("wrote " + path)


if __name__ == "__main__":
    main()
