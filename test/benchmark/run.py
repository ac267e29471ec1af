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
# outlive their sessions. The report is written anew after every such process; one
# that ends early (a peer crashed, memory was short) costs the row at hand and a
# line in the report, and another process goes on behind it. --resume goes on where
# an interrupted run was.
#
# ===----------------------------------------------------------------------===//
import argparse
import json
import os
import platform
import subprocess
import sys
import time

import estimate
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
QUICK_SHAPES = {"trained encoder": "1x16,1x128,8x128,ragged"}
QUICK_SHAPES_OF_OTHERS = "1x16,1x128"
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
    parser.add_argument("--dtypes", help="of " + ",".join(COMPILE) + " (default: all; "
                        "with --quick and --smoke f32)")
    parser.add_argument("--shapes", help="BATCHxSEQ,...,ragged instead of the usual")
    parser.add_argument("--seconds", type=float, default=4.0,
                        help="for each row of a table, at least (default: 4)")
    parser.add_argument("--all", action="store_true",
                        help="every batch and length, even calls of many seconds")
    parser.add_argument("--quick", action="store_true",
                        help="few shapes, a second each: about ten minutes")
    parser.add_argument("--no-kernels", action="store_true")
    parser.add_argument("--smoke", action="store_true",
                        help="a tiny model, onnxruntime, seconds: does it work?")
    parser.add_argument("--resume", action="store_true",
                        help="keep the rows of an interrupted run's report")
    parser.add_argument("--output", help="folder of the report "
                        "(default: build/benchmark/results)")
    arguments = parser.parse_args()
    if not arguments.dtypes:
        is_short = arguments.quick or arguments.smoke
        arguments.dtypes = "f32" if is_short else ",".join(COMPILE)
    for dtype in arguments.dtypes.split(","):
        if dtype not in COMPILE:
            parser.error(f"'{dtype}' is not among {', '.join(COMPILE)}")
    if arguments.peers == "all":
        arguments.peers = ",".join(PEERS)
    if arguments.quick:
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


def child(script, arguments, done):
    """Runs a script; returns its exit code and what it wrote to --json."""
    path = os.path.join(WORK, f"partial-{os.getpid()}.json")
    command = [sys.executable, os.path.join(HERE, script), *arguments]
    command += ["--done", ";".join(done), "--json", path]
    try:
        code = subprocess.run(command).returncode
    except KeyboardInterrupt:
        code = KeyboardInterrupt
    part = {"rows": [], "settings": [], "skipped": [], "failures": [], "label": None}
    if os.path.exists(path):
        with open(path) as file:
            part = json.load(file)
        os.remove(path)
    return code, part, command


def measure_rows(title, script, arguments, results, add):
    """All rows of a script that `results` has not yet; what fails becomes a line.
    `add` takes new rows, and tells the labels of those that are there."""
    failed = []
    while True:
        code, part, command = child(script, arguments, add([]) + failed)
        add(part["rows"])
        for setting in part["settings"]:
            if setting not in results["settings"]:
                results["settings"].append(setting)
        for kind in ("skipped", "failures"):
            lines = [f"{title}: {line}" for line in part[kind]]
            results[kind] += [line for line in lines if line not in results[kind]]
        memory = part.get("memory", 0) / 2**30
        results["memory"] = max(results["memory"], memory)
        if code == 0:
            return
        if code is KeyboardInterrupt:
            raise KeyboardInterrupt
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        where = part["label"] or "before the first row"
        results["failures"].append(
            f"{title}: {where}: {script} ended with {how}; to repeat it: "
            + " ".join(command)
        )
        print("  " + results["failures"][-1], flush=True)
        if not part["label"] or part["label"] in failed:
            return
        # Rows whose outputs differed are not tried again.
        failed += [line.split(": ")[0] for line in part["failures"]]
        failed.append(part["label"])


def compile_model(folder, name, kind, options):
    output = os.path.join(WORK, "out", name.replace(" ", "-") + "-" + kind)
    compiled = subprocess.run(
        [ATTNC, "compile", folder, "-o", output, "--name", "encoder",
         "--outputs=last_hidden_state", "-q", *options]
    )
    if compiled.returncode != 0:
        return None
    return os.path.join(output, "libencoder.so")


def shapes_for(arguments, name):
    if arguments.shapes:
        return arguments.shapes
    if arguments.quick:
        return QUICK_SHAPES.get(name, QUICK_SHAPES_OF_OTHERS)
    if arguments.all:
        return shapes_of(None)
    return shapes_of(MOST_TOKENS.get(name, MOST_TOKENS_OF_OTHERS))


def run_models(arguments, results, threads_list, save):
    for name, folder in models_of(arguments):
        for dtype in arguments.dtypes.split(","):
            library = compile_model(folder, name, dtype, COMPILE[dtype])
            unfused = compile_model(folder, name, "O0", ["-O0"]) if dtype == "f32" else ""
            if library is None or unfused is None:
                results["failures"].append(f"{name}, {dtype}: {folder} does not compile")
                continue
            for threads in threads_list:
                title = f"{name}, {dtype}, {report.thread_count(threads)}"
                print(title, flush=True)

                def add(rows):
                    results["rows"] += [{"model": name, **row} for row in rows]
                    return [
                        row["shape"] for row in results["rows"]
                        if (row["model"], row["dtype"], row["threads"])
                        == (name, dtype, int(threads))
                    ]

                try:
                    measure_rows(title, "encoder.py", [
                        library, folder, "--threads", threads, "--dtype", dtype,
                        "--peers", arguments.peers,
                        "--shapes", shapes_for(arguments, name),
                        "--seconds", str(arguments.seconds),
                        *(["--unfused", unfused] if unfused else []),
                    ], results, add)
                finally:
                    save()


def run_kernels(arguments, results, threads_list, save):
    for threads in threads_list:
        title = f"kernels, {report.thread_count(threads)}"
        print(title, flush=True)

        def add(rows):
            results["kernels"] += rows
            return [
                row["shape"] for row in results["kernels"]
                if row["threads"] == int(threads)
            ]

        try:
            measure_rows(title, "kernels.py", [
                ATTNC, os.path.join(WORK, "kernels"), "--threads", threads,
                "--peers", arguments.peers, "--seconds", str(arguments.seconds / 4),
                *(["--smoke"] if arguments.smoke else []),
                *(["--quick"] if arguments.quick else []),
            ], results, add)
        finally:
            save()


def print_estimate(arguments, results, threads_list):
    if arguments.smoke:
        return
    plan = [
        (folder, dtype, threads, shapes_for(arguments, name).split(","))
        for name, folder in models_of(arguments)
        for dtype in arguments.dtypes.split(",")
        for threads in threads_list
    ]
    kernels = [] if arguments.no_kernels else threads_list
    seconds = estimate.total(
        plan, results["peaks"], arguments.peers.split(","), arguments.seconds,
        (kernels, arguments.quick),
    )
    rows = sum(len(shapes) for *_, shapes in plan)
    print(
        f"{rows} rows of {len(plan)} tables"
        + (", and kernels alone" if kernels else "")
        + f": about {seconds / 60:.0f} minutes where nobody else works. Rows are "
        f"kept as they come, in {arguments.output}; --resume goes on behind an "
        "interruption.",
        flush=True,
    )


def load_results(arguments):
    """Of an interrupted run with the same options, with --resume."""
    results = {
        "machine": machine(), "settings": [attnc_settings()], "peaks": {},
        "rows": [], "kernels": [], "skipped": [], "failures": [], "memory": 0.0,
        "options": {"peers": arguments.peers, "seconds": arguments.seconds},
    }
    path = os.path.join(arguments.output, "results.json")
    if not arguments.resume or not os.path.exists(path):
        return results
    with open(path) as file:
        before = json.load(file)
    for name in ("options", "machine"):
        mine, other = dict(results[name]), dict(before.get(name, {}))
        mine.pop("load at the start", None)
        other.pop("load at the start", None)
        if mine != other:
            raise SystemExit(
                f"run.sh: {path} was measured with {name} {other}, not {mine}; "
                "without --resume it is written anew"
            )
    # What failed is tried again.
    return {**before, "skipped": [], "failures": []}


def main():
    os.chdir(ROOT)
    arguments = parse()
    cores = len(os.sched_getaffinity(0))
    wanted = arguments.threads.split(",")
    threads_list = [threads for threads in wanted if int(threads) <= cores]
    for threads in wanted:
        if threads not in threads_list:
            print(f"skipped: {threads} threads; there are {cores} cores")
    begin = time.monotonic()
    results = load_results(arguments)
    if os.path.exists(PEAKS) and not arguments.smoke and not results["peaks"]:
        for threads in threads_list:
            output = subprocess.run(
                [PEAKS, threads], check=True, capture_output=True, text=True
            ).stdout
            results["peaks"][threads] = json.loads(output)
    print_estimate(arguments, results, threads_list)

    def save():
        return report.write(results, arguments.output)

    is_whole = True
    try:
        run_models(arguments, results, threads_list, save)
        if not arguments.no_kernels:
            run_kernels(arguments, results, threads_list, save)
    except KeyboardInterrupt:
        is_whole = False
        print("interrupted; --resume goes on from here", flush=True)
    for path in save():
        print("wrote " + path)
    print(f"{(time.monotonic() - begin) / 60:.0f} minutes; the largest process took "
          f"{results['memory']:.1f} GiB")
    for line in results["failures"]:
        print("run.sh: " + line, file=sys.stderr)
    if results["failures"] or not is_whole:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
