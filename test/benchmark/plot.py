# ===- plot.py - bar charts as SVG ------------------------------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# Horizontal bars in groups, with whiskers for the middle 80% and a line at a
# value to compare with. Colours are told apart by the colour-blind (Okabe, Ito).
#
# ===----------------------------------------------------------------------===//
import statistics
from xml.sax.saxutils import escape

COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
           "#999999", "#f0e442"]
WIDTH, LABELS, RIGHT = 820, 190, 70
BAR, GAP, TOP, BOTTOM, LINE = 14, 12, 70, 44, 18
CUT = 4  # times the usual value: longer bars are cut, with an arrow


def text(x, y, words, anchor="start", size=12, weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'font-size="{size}" font-weight="{weight}">{escape(words)}</text>'
    )


def line(x1, y1, x2, y2, colour, width=1):
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width}"/>'
    )


def step(most):
    """A round distance of grid lines, so that there are four to ten."""
    unit = 10.0 ** -6
    while True:
        for factor in (1, 2, 5):
            if most / (unit * factor) <= 8:
                return unit * factor
        unit *= 10


def legend(series, left):
    """The parts, and how many lines they take."""
    parts, x, row = [], left, 0
    for name, colour in zip(series, COLOURS):
        width = 34 + 7 * len(name)
        if x > left and x + width > WIDTH:
            x, row = left, row + 1
        y = 38 + LINE * row
        parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(text(x + 17, y + 10, name))
        x += width
    return parts, row + 1


def longest(groups, mark):
    """The end of the axis. Whiskers that are far out are cut rather than shrinking
    all else, and so are bars of several times what is usual."""
    values = [value for _, of in groups for value, _, _ in of.values()]
    highs = [min(high, 1.5 * value) for _, of in groups for value, _, high in of.values()]
    usual = statistics.median(values)
    return 1.05 * max(min(max(highs), CUT * usual), mark or 0)


def bars(title, unit, groups, mark=None):
    """An SVG document. `groups`: [(label, {series: (value, low, high)})]; `mark`
    is where a vertical line is drawn, or None."""
    series = list(dict.fromkeys(name for _, values in groups for name in values))
    assert len(series) <= len(COLOURS), "one colour for each series"
    left = max(LABELS, 20 + 7 * max(len(label) for label, _ in groups))
    most = longest(groups, mark)
    scale = (WIDTH - left - RIGHT) / most
    names, lines = legend(series, left)
    top = TOP + LINE * (lines - 1)
    height = top + BOTTOM + sum(BAR * len(values) + GAP for _, values in groups)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        text(12, 22, title, size=15, weight="bold"),
        *names,
    ]
    bottom = height - BOTTOM
    distance = step(most)
    for count in range(int(most / distance) + 1):
        x = left + count * distance * scale
        parts.append(line(x, top - 8, x, bottom, "#dddddd"))
        parts.append(text(x, bottom + 16, f"{count * distance:g}", "middle"))
    parts.append(text(left, bottom + 34, unit))
    y = top
    for label, values in groups:
        middle = y + BAR * len(values) / 2
        parts.append(text(left - 8, middle + 4, label, "end"))
        for name, (value, low, high) in values.items():
            colour = COLOURS[series.index(name)]
            parts.append(
                f'<rect x="{left}" y="{y}" width="{min(value, most) * scale:.1f}" '
                f'height="{BAR - 2}" fill="{colour}"/>'
            )
            center = y + BAR / 2 - 1
            begin = left + min(low, most) * scale
            end = left + min(high, most) * scale
            parts.append(line(begin, center, end, center, "#222222"))
            shown = f"{value:.2f}" + (" \u2192" if value > most else "")
            parts.append(text(end + 5, center + 4, shown, size=10))
            y += BAR
        y += GAP
    if mark is not None:
        x = left + mark * scale
        parts.append(line(x, top - 8, x, bottom, "#222222", 1.5))
    return "\n".join(parts + ["</svg>", ""])
