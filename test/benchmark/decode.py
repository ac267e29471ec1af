# ===- decode.py - language models against their peers ----------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# What run.sh --decode starts. For every size, format of weights and number of
# threads, in a process of its own: a prompt of 512 tokens on an empty sequence,
# and one more token behind 1,024, by attnc, llama.cpp, onnxruntime, OpenVINO and
# (f32) PyTorch, called in turn; of 1B only by attnc and llama.cpp, whose files are
# mapped, so that memory suffices. Before that all are given one prompt; logits that
# point elsewhere end the run. Of narrow weights the judge is attnc in f32, on the
# model's numbers, and for those that read llama.cpp's file on that file's. Writes
# decode.md, decode.json and a plot into the folder of the report.
#
# ===----------------------------------------------------------------------===//
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join("build", "benchmark")
ATTNC = os.path.join("build", "bin", "attnc")
PEAKS = os.path.join("build", "bin", "benchmark-peaks")
PROMPT, CONTEXT = 512, 1024
# In turns with the columns: plain reading of as many bytes as ours, up to so many.
MEMORY, MOST_READ = "memory", 1 << 30

# llama.cpp's own file: beside rows of f32, and beside rows that are rounded to i8 in
# the weights' groups, as llama.cpp does.
STORED = [("attnc stored", True, ["--weights=stored"]),
          ("attnc stored int8", True, ["--weights=stored", "--activations=int8"])]
# Our columns by format of llama.cpp's file: (name, from the GGUF file?, options).
# What a column stores for a weight is told by the bytes of its file.
OURS = {
    "F32": [("attnc", False, [])],
    "Q8_0": [("attnc", False, ["--weights=int8"]),
             *STORED],
    "Q4_0": [("attnc", False, ["--weights=int4"]),
             *STORED],
}
# 1 - cosine of logits, at most: of f32 to llama.cpp's, of narrow weights to attnc's
# in f32, for everybody who rounds them. Random weights have no outliers. Who has
# llama.cpp's numbers is held to f32's products of these: SAME, or what llama.cpp
# itself is off.
SAME = 1e-3
TOLERANCE = {"F32": 1e-5, "Q8_0": 5e-3, "Q4_0": 0.1}
# The deeper a model, the more rounding adds up: where llama.cpp's own difference is
# large, the others' may be that many times it, but never ELSEWHERE. Q8_0 has a scale
# for 32 numbers, whose largest is 2.4 of their deviations; int8 by channel and row
# has one for 2,048 to 8,192, whose largest is 3.6 to 3.9: steps 1.5 to 1.65 times
# as wide, and with their square in the cosine 2.3 to 2.7 times the difference. At 1B
# weights gave 2.6, with rows, whose numbers are spread wider, 3.05; our int8 in
# groups of 32 gave 0.95. Of int4 all have groups of 32.
BESIDE = {"F32": 1, "Q8_0": 4, "Q4_0": 1.5}
ELSEWHERE = 0.3


def parse():
    parser = argparse.ArgumentParser(prog="run.sh --decode")
    parser.add_argument("--sizes", default="gpt2,llama-1b", help="of gpt2, llama-1b, tiny")
    parser.add_argument("--formats", default=",".join(OURS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--seconds", type=float, default=10.0,
                        help="for each row of the table, at least (default: 10)")
    parser.add_argument("--cache", help="attnc's: f32, bf16 or int8 (default: f32, and "
                                        "bf16 beside narrow weights, as wide as llama.cpp's)")
    parser.add_argument("--peers", default="llamacpp,onnxruntime,openvino",
                        help="also torch, in f32 (default: %(default)s); 1B is run "
                        "by llama.cpp, and by another one that is named alone")
    parser.add_argument("--quick", action="store_true",
                        help="GPT-2's size, two threads, 3 seconds a row")
    parser.add_argument("--output", default=os.path.join(WORK, "results"))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sizes, arguments.threads, arguments.seconds = "gpt2", "2", 3.0
    return arguments


def prepare(size, formats):
    """The folder with the model in every form."""
    folder = os.path.join(WORK, "decoder-" + size)
    wanted = [os.path.join(folder, kind + ".gguf") for kind in formats]
    if not all(map(os.path.exists, wanted + [os.path.join(folder, "config.json")])):
        print(f"writing random weights of {size}'s size", flush=True)
        subprocess.run([sys.executable, os.path.join(HERE, "random_decoder.py"), size,
                        folder, ",".join(formats)], check=True)
    return folder


def compile_column(folder, kind, column, cache):
    """The library's path, and how the compiler did."""
    name, from_gguf, options = column
    source = os.path.join(folder, kind + ".gguf") if from_gguf else folder
    output = os.path.join(folder, "-".join(["out", kind, name.replace(" ", "-"), cache]))
    command = [ATTNC, "compile", source, "-o", output, "--name", "decoder", "-q",
               "--max-batch=1", "--max-seq=2048", "--cache=" + cache, *options]
    subprocess.run(command, check=True)
    return os.path.join(output, "libdecoder.so")


def columns_of(task):
    import decoders

    found = {name: decoders.Attnc(path, task["threads"])
             for name, path in task["libraries"].items()}
    if "torch" in task["peers"] and task["format"] == "F32":
        found["torch"] = decoders.Torch(task["folder"], task["threads"])
    for name in task["peers"]:
        if name in ("llamacpp", "torch"):
            continue
        import decoder_peers

        peer = decoder_peers.PEERS[name]
        found[peer.name] = peer(task["folder"], task["format"], task["threads"])
    found["llama.cpp"] = decoders.LlamaCpp(task["gguf"], task["threads"])
    return found


def logits_of(column, ids):
    import numpy as np

    column.truncate(0)
    column.append(ids[:32])
    return np.array(column.append(ids[32:33]), np.float64)


def differences_to(exact, logits):
    """1 - cosine of each row to `exact`."""
    import numpy as np

    return {name: 1 - float(row @ exact / np.linalg.norm(row) / np.linalg.norm(exact))
            for name, row in logits.items()}


def exact_logits(library, task, ids):
    import decoders

    column = decoders.Attnc(library, task["threads"])
    logits = logits_of(column, ids)
    column.close()
    return logits


def refuse_beyond(most, differences, what):
    """Ends the run where one is larger, or NaN, which no comparison with it tells."""
    if not all(value <= most for value in differences.values()):
        raise SystemExit(f"{what} differ by {differences}; at most {most:.2g} is the "
                         "same work")


def compare(columns, task, ids):
    """Differences to f32, and of those with llama.cpp's numbers to f32's on these."""
    logits = {name: logits_of(column, ids) for name, column in columns.items()}
    narrow = "judge" in task
    exact = (exact_logits(task["original"], task, ids) if narrow
             else logits["llama.cpp"])
    differences = differences_to(exact, logits)
    most = max(task["tolerance"], task["beside"] * differences["llama.cpp"])
    refuse_beyond(min(most, ELSEWHERE), differences, "logits")
    if not narrow:
        return differences, {}
    same = {name: logits[name]
            for name in (*(column[0] for column in STORED), "llama.cpp")}
    to_exact = differences_to(exact_logits(task["judge"], task, ids), same)
    refuse_beyond(max(SAME, to_exact["llama.cpp"]), to_exact,
                  "logits of llama.cpp's file")
    return differences, to_exact


def measure_task(task):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:task["threads"]])
    columns = columns_of(task)
    ids = [3 + 7919 * i % (task["words"] - 3) for i in range(CONTEXT + 1)]
    differences, to_exact = compare(columns, task, ids)

    def prefill(column):
        def run():
            column.truncate(0)
            column.append(ids[:PROMPT])
        return run

    def decode(column):
        def run():
            column.truncate(CONTEXT)
            column.append(ids[CONTEXT:])
        return run

    rows = {}
    for what, make in (("prefill 512", prefill), ("decode at 1,024", decode)):
        for column in columns.values():
            column.truncate(0)
            if what.startswith("decode"):
                column.append(ids[:CONTEXT])
        runs = {name: make(column) for name, column in columns.items()}
        reader = None
        if what.startswith("decode") and os.path.exists(PEAKS):
            reader = measure.MemoryReader(PEAKS, task["threads"], min(
                MOST_READ, task["read_bytes"]["attnc"]))
            runs[MEMORY] = reader.read
        times = measure.rounds(runs, task["seconds"], task["threads"])
        row = rows[what] = {}
        if reader:
            reader.close()
            reading = times.pop(MEMORY)
            row["read_memory_gbs"] = measure.summary(
                [reader.bytes / seconds / 1e9 for seconds in reading])
            row["of_memory"] = {
                name: measure.summary([count / reader.bytes * least / seconds
                                       for seconds, least in zip(times[name], reading)])
                for name, count in task["read_bytes"].items()}
        row["seconds"] = {name: measure.summary(of) for name, of in times.items()}
        row["ratios"] = {name: measure.ratios(times, "attnc", name)
                         for name in times if name != "attnc"}
    return {"rows": rows, "differences": differences, "to_exact": to_exact,
            "settings": {name: column.info for name, column in columns.items()
                         if hasattr(column, "info")}}


def peers_of(arguments, size):
    peers = arguments.peers.split(",")
    others = [name for name in peers if name != "llamacpp"]
    # There is memory for one more copy of 5 GB, not for three.
    return peers if size != "llama-1b" or len(others) == 1 else ["llamacpp"]


def run_size(arguments, size, results):
    import random_decoder

    formats = arguments.formats.split(",")
    folder = prepare(size, formats)
    config = random_decoder.config_of(size)
    original = None
    for kind in formats:
        cache = arguments.cache or ("f32" if kind == "F32" else "bf16")
        libraries = {column[0]: compile_column(folder, kind, column, cache)
                     for column in OURS[kind]}
        judge = {}
        if kind != "F32":
            judge["judge"] = compile_column(
                folder, kind, ("judge", True, ["--weights=f32"]), "f32")
            original = original or compile_column(
                folder, "any", ("original", False, ["--weights=f32"]), "f32")
            judge["original"] = original
        for threads in map(int, arguments.threads.split(",")):
            print(f"{size}, {kind}, {threads} threads", flush=True)
            task = {
                "libraries": libraries, "gguf": os.path.join(folder, kind + ".gguf"),
                "folder": folder, "threads": threads, "seconds": arguments.seconds,
                "format": kind, "peers": peers_of(arguments, size),
                "words": config["vocab_size"], "tolerance": TOLERANCE[kind],
                "beside": BESIDE[kind],
                "read_bytes": {name: read_bytes(config, path, cache)
                               for name, path in libraries.items()}, **judge,
            }
            child = subprocess.run([sys.executable, os.path.abspath(__file__),
                                    "--child", json.dumps(task)],
                                   stdout=subprocess.PIPE, text=True)
            if child.returncode:
                sys.exit(f"decode.py: {size}, {kind}, {threads} threads: failed, as "
                         "said above; the report has what ran before it")
            part = json.loads(child.stdout.splitlines()[-1])
            results["peers"].update(part.pop("settings"))
            results["runs"].append({
                "size": size, "format": kind, "threads": threads, "cache": cache,
                "file_bytes": {"llama.cpp": os.path.getsize(task["gguf"]),
                               **{name: os.path.getsize(path[:-len("libdecoder.so")] +
                                                        "decoder.weights")
                                  for name, path in libraries.items()}},
                "read_bytes": task["read_bytes"], **part})
            write(results, arguments)
        remove([*libraries.values(), judge.get("judge")])
    remove([original])


def remove(libraries):
    """Of a model of 5 GB there is not room for every row's weights at once."""
    for path in filter(None, libraries):
        shutil.rmtree(os.path.dirname(path))


def read_bytes(config, library, cache):
    """Of one token of ours behind CONTEXT ones: weights and the cache. All weights
    are read by products, the table too, which both ends share."""
    weights = os.path.getsize(library[:-len("libdecoder.so")] + "decoder.weights")
    keys = config["num_key_value_heads"] * config["head_dim"]
    cached = 2 * config["num_hidden_layers"] * keys * CONTEXT
    kept = {"f32": 4, "bf16": 2, "int8": 1 + 4 / config["head_dim"]}[cache]
    return weights + cached * kept


def write(results, arguments):
    import plot
    import report
    from run import attnc_settings

    folder = arguments.output
    cache = arguments.cache or "f32; bf16 beside narrow weights"
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    results["memory"] = used.ru_maxrss / 2**20  # of KiB
    results["settings"] = [attnc_settings(), "cache of attnc: " + cache,
                           *(f"{name}: {info}" for name, info in results["peers"].items())]
    os.makedirs(folder, exist_ok=True)
    lines = ["# Language models\n", report.header(results), """\
Medians in milliseconds, in brackets the middle 80% of the calls; ratios as in
results.md: above 1, "attnc" is faster. "Of memory": the bytes that one token
reads, weights with their scales and the cache, over its time, as a share of the
bandwidth that plain reading had in the same round, on as many cores. "Bytes" are
those of the weights' file. "attnc stored" reads llama.cpp's own file, and has its
numbers bit for bit; "attnc stored int8" multiplies them by rows of i8, as llama.cpp
does.
"""]
    head = ["model", "format", "threads", "what", "attnc ms", "others ms", "ratios",
            "of memory", "bytes, MB"]
    rows, bars = [], []
    for run in results["runs"]:
        for what, row in run["rows"].items():
            others = [name for name in row["seconds"] if name != "attnc"]
            share = "; ".join(
                f"{name} {of['median']:.0%} ({of['low']:.0%}-{of['high']:.0%})"
                for name, of in row.get("of_memory", {}).items())
            rows.append([
                run["size"], run["format"], str(run["threads"]), what,
                report.milliseconds(row["seconds"]["attnc"]),
                "; ".join(f"{name} {report.milliseconds(row['seconds'][name])}"
                          for name in others),
                "; ".join(f"{name} {report.ratio(row['ratios'][name])}" for name in others),
                share, "; ".join(f"{name} {size / 1e6:.0f}"
                                 for name, size in run["file_bytes"].items())])
            bars.append((f"{run['size']} {run['format']} {run['threads']}t {what}",
                         {name: report.bounds(row["ratios"][name]) for name in others}))
    lines.append(report.table(head, rows))
    judged = [f"{run['size']} {run['format']}, {run['threads']} threads: " +
              ", ".join(f"{name} {value:.1e}" for name, value in run["to_exact"].items())
              for run in results["runs"] if run["to_exact"]]
    if judged:
        lines.append("1 - cosine of the logits to attnc's in f32 on the numbers of "
                     "llama.cpp's file: " + "; ".join(judged) + ".\n")
    lines.append("![decoders](decode.svg)\n")
    files = {"decode.md": "\n".join(lines), "decode.json": json.dumps(results, indent=1) + "\n",
             "decode.svg": plot.bars("Language models", "time over attnc's", bars, mark=1.0)}
    for name, content in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(content)


def main():
    arguments = parse()
    if arguments.child:
        print(json.dumps(measure_task(json.loads(arguments.child))))
        return
    import run

    os.chdir(ROOT)
    results = {"machine": run.machine(), "settings": [], "peers": {}, "runs": []}
    for size in arguments.sizes.split(","):
        run_size(arguments, size, results)
    print("wrote " + os.path.join(arguments.output, "decode.md"))


if __name__ == "__main__":
    main()
