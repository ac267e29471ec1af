# ===- report.py - what was measured, as Markdown, JSON and SVG -------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Writes results.json (everything), results.md (header and tables) and one SVG for
# each table into a folder.
#
# ===----------------------------------------------------------------------===//
import json
import math
import os

import measure
import plot

HOW = """\
Times are medians in milliseconds, in brackets the middle 80% of the calls. A ratio
is a peer's time over ours, its median over rounds in which each was called once in
turn; in brackets the middle 80% of the rounds. Above 1, ours is faster. Share of
peak: the operations of the matrix products that the real tokens need, over our time
and this machine's measured FMA peak on as many cores. Ragged: {ragged}.
"""


def number(value):
    """Three digits that count, without an exponent."""
    digits = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f}"


def thread_count(threads):
    return f"{threads} thread" + ("" if int(threads) == 1 else "s")


def milliseconds(of):
    median, low, high = (number(of[name] * 1e3) for name in ("median", "low", "high"))
    return f"{median} ({low}-{high})"


def ratio(of):
    return f"{of['median']:.2f} ({of['low']:.2f}-{of['high']:.2f})"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def fastest(row, prefix=""):
    """The peer with the smallest median, of those whose name begins so."""
    names = [
        name
        for name in row["ratios"]
        if name.startswith(prefix) and name != measure.UNFUSED
    ]
    return min(names, key=lambda name: row["seconds"][name]["median"], default=None)


def share(row, peaks):
    """Ours of the peak; None where the peak was not measured."""
    peak = peaks.get(str(row["threads"]), {}).get("fma_gflops")
    if not peak:
        return None
    return row["operations"] / row["seconds"]["attnc"]["median"] / (peak * 1e9)


def encoder_table(rows, peaks):
    # Not every peer can do every row.
    peers = list(dict.fromkeys(peer for row in rows for peer in row["ratios"]))
    head = ["shape", "attnc ms"] + [peer + " ms" for peer in peers]
    head += ["over onnxruntime", "over the fastest", "fastest", "share of peak",
             "largest difference"]
    lines = []
    for row in rows:
        line = [row["shape"], milliseconds(row["seconds"]["attnc"])]
        line += [
            milliseconds(row["seconds"][peer]) if peer in row["seconds"] else ""
            for peer in peers
        ]
        for name in (fastest(row, "onnxruntime"), fastest(row)):
            line.append(ratio(row["ratios"][name]) if name else "")
        of_peak = share(row, peaks)
        line += [
            fastest(row) or "",
            "" if of_peak is None else f"{of_peak:.0%}",
            f"{max(row['differences'].values(), default=0):.1e}",
        ]
        lines.append(line)
    return table(head, lines)


def rested_table(rows):
    """First calls after a pause; empty where none was made."""
    rows = [row for row in rows if row.get("rested")]
    names = list(dict.fromkeys(name for row in rows for name in row["rested"]))
    lines = [
        [row["shape"]]
        + [milliseconds(row["rested"][name]) if name in row["rested"] else ""
           for name in names]
        for row in rows
    ]
    return table(["shape", *(f"{name} ms" for name in names)], lines) if lines else ""


def scaling_table(rows):
    """Ours on more threads against ours on one, where both were measured."""
    single = {
        (row["model"], row["dtype"], row["shape"]): row["seconds"]["attnc"]["median"]
        for row in rows
        if row["threads"] == 1
    }
    lines = []
    for row in rows:
        one = single.get((row["model"], row["dtype"], row["shape"]))
        if row["threads"] > 1 and one and not row["shape"].endswith("one by one"):
            speedup = one / row["seconds"]["attnc"]["median"]
            lines.append([row["model"], row["dtype"], row["shape"],
                          str(row["threads"]), f"{speedup:.2f}"])
    if not lines:
        return ""
    return table(["model", "dtype", "shape", "threads", "over one"], lines)


def kernel_table(rows, peaks):
    lines = []
    for row in rows:
        of_peak = share(row, peaks)
        median = row["seconds"]["attnc"]["median"]
        rate, bytes_rate = row["operations"] / median, row["weight_bytes"] / median
        peers = [f"{name} {ratio(of)}" for name, of in row["ratios"].items()]
        lines.append([
            row["shape"], str(row["threads"]), milliseconds(row["seconds"]["attnc"]),
            f"{rate / 1e9:.1f}", "" if of_peak is None else f"{of_peak:.0%}",
            f"{bytes_rate / 1e9:.1f}" if bytes_rate else "",
            "; ".join(peers),
            f"{max(row['differences'].values(), default=0):.1e}",
        ])
    return table(["kernel", "threads", "ms", "GFLOP/s", "share of peak",
                  "GB/s of weights", "ratio to peers", "largest difference"], lines)


def peak_table(peaks):
    names = list(dict.fromkeys(name for of in peaks.values() for name in of))
    lines = [
        [name] + [f"{of[name]:.1f}" if name in of else "" for of in peaks.values()]
        for name in names
    ]
    return table(["peak", *map(thread_count, peaks)], lines)


def groups(rows):
    """Rows of one table: of one model, dtype and number of threads."""
    found = {}
    for row in rows:
        found.setdefault((row["model"], row["dtype"], row["threads"]), []).append(row)
    return found


def bounds(of):
    return of["median"], of["low"], of["high"]


def header(results):
    machine = results["machine"]
    lines = [f"- {name}: {value}" for name, value in machine.items()]
    lines += [f"- {setting}" for setting in results["settings"]]
    lines += [f"- the largest process took {results['memory']:.1f} GiB"]
    return "\n".join(lines) + "\n"


def write(results, folder):
    """Returns the paths written."""
    os.makedirs(folder, exist_ok=True)
    peaks = results["peaks"]
    ragged = next(
        (row["lengths"] for row in results["rows"] if row["shape"] == "ragged"), None
    )
    words = f"{len(ragged)} sequences of lengths {ragged}" if ragged else "not measured"
    parts = ["# attnc against its peers\n", header(results), HOW.format(ragged=words)]
    files = {}
    for (model, dtype, threads), rows in groups(results["rows"]).items():
        # Of a family that no peer is given there is a table alone.
        drawn = any(row["ratios"] for row in rows)
        title = f"{model}, {dtype}, {thread_count(threads)}"
        svg = f"{model}-{dtype}-{threads}.svg".replace(" ", "-")
        parts += [f"## {title}\n", encoder_table(rows, peaks)]
        if rested := rested_table(rows):
            parts += [f"The first call after {measure.PAUSE * 1e3:.0f} ms of rest:\n",
                      rested]
        if not drawn:
            continue
        parts.append(f"![{title}]({svg})\n")
        files[svg] = plot.bars(
            title,
            "time over attnc's (1: the same; more: attnc is faster)",
            [
                (row["shape"], {name: bounds(of) for name, of in row["ratios"].items()})
                for row in rows
            ],
            mark=1.0,
        )
    scaling = scaling_table(results["rows"])
    if scaling:
        parts += ["## More threads against one\n", scaling]
    if results["kernels"]:
        parts += ["## Kernels alone\n", kernel_table(results["kernels"], peaks)]
    if peaks:
        parts += ["## Peaks of this machine (GFLOP/s, GOP/s, GB/s, ns)\n", peak_table(peaks)]
    if peaks and results["kernels"]:
        files["kernels.svg"] = plot.bars(
            "Kernels alone",
            "share of the FMA peak measured on as many cores",
            [
                (f"{row['shape']}, {row['threads']}t", {"attnc": (share(row, peaks),) * 3})
                for row in results["kernels"]
            ],
            mark=1.0,
        )
        parts.append("![kernels](kernels.svg)\n")
    for name, title in (("failures", "Not measured"), ("skipped", "Left out")):
        if results[name]:
            parts += [f"## {title}\n", "".join(f"- {line}\n" for line in results[name])]
    files["results.md"] = "\n".join(parts)
    files["results.json"] = json.dumps(results, indent=1) + "\n"
    for name, content in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(content)
    return [os.path.join(folder, name) for name in files]
