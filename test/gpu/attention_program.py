# ===- attention_program.py - attention in every form ---------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""A program with one entry per form of attention: masks, scores, grouped and
multi-query heads, lengths that are no multiple of a tile, other lengths of keys
than of queries, packed sequences, and few queries whose keys are cut into parts."""

CAUSAL = """
      %c = arith.cmpi sge, %i, %j : i32"""
WINDOW = """
      %w = arith.constant 40 : i32
      %d = arith.subi %i, %j : i32
      %near = arith.cmpi slt, %d, %w : i32
      %past = arith.cmpi sge, %i, %j : i32
      %c = arith.andi %near, %past : i1"""
# Not linear in the positions: no tile is known to be empty or full.
CHECKED = """
      %n = arith.constant 40 : i32
      %s2 = arith.muli %j, %j : i32
      %l = arith.muli %i, %n : i32
      %c = arith.cmpi slt, %s2, %l : i32"""
# A mask that the caller gives, not taken in by packing.
PADDING = """
      %none = arith.constant 0 : i32
      %c = arith.cmpi ne, %kept, %none : i32"""
SCALE = """
      %scale = arith.constant {scale:.9e} : f32
      %x = arith.mulf %s, %scale : f32"""
ALIBI = SCALE + """
      %one = arith.constant 1 : i32
      %n1 = arith.addi %h, %one : i32
      %n2 = arith.sitofp %n1 : i32 to f32
      %part = arith.constant 0.01 : f32
      %slope = arith.mulf %n2, %part : f32
      %d = arith.subi %j, %i : i32
      %f = arith.sitofp %d : i32 to f32
      %bias = arith.mulf %slope, %f : f32
      %y = arith.addf %x, %bias : f32"""
CAP = SCALE + """
      %cap = arith.constant 8.0 : f32
      %less = arith.divf %x, %cap : f32
      %bent = math.tanh %less : f32
      %y = arith.mulf %bent, %cap : f32"""
# Buckets of distances, with a table per head.
LOOKUP = SCALE + """
      %half = arith.constant 8 : i32
      %d = arith.subi %j, %i : i32
      %bucket = arith.addi %d, %half : i32
      %bias = attn.lookup %table[%bucket] : tensor<17xf32>
      %y = arith.addf %x, %bias : f32"""
# What no kernel has a word for: the parity of the distance, and the batch.
FREE = SCALE + """
      %two = arith.constant 2 : i32
      %o1 = arith.constant 1 : i32
      %d = arith.subi %j, %i : i32
      %odd = arith.andi %d, %o1 : i32
      %m = arith.addi %odd, %b : i32
      %f = arith.sitofp %m : i32 to f32
      %p = arith.constant 0.25 : f32
      %e = arith.mulf %f, %p : f32
      %y = arith.subf %x, %e : f32"""
NEAR = 17


class Form:
    """Heads, key heads, sizes (batch, queries, keys; lengths where packed)."""

    def __init__(self, heads, sizes, mask="", score=SCALE, few=False, unseen=None):
        self.heads, self.key_heads = heads
        # Keys, or packed sequences, from here on are NaN: nobody may visit them.
        self.unseen = unseen
        self.sizes, self.mask, self.score, self.few = sizes, mask, score, few
        self.packed = isinstance(sizes[0], tuple)


FORMS = {
    "plain": Form((2, 2), (2, 70, 70)),
    "causal": Form((2, 1), (1, 270, 270), CAUSAL),
    "unseen": Form((2, 1), (1, 37, 411), CAUSAL, unseen=128),
    "window": Form((2, 1), (1, 210, 210), WINDOW),
    "alibi": Form((2, 2), (1, 150, 150), CAUSAL, ALIBI),
    "softcap": Form((2, 1), (1, 70, 70), "", CAP),
    "lookup": Form((4, 2), (1, 70, 70), "", LOOKUP),
    "free": Form((2, 2), (2, 90, 90), CHECKED, FREE),
    "padding": Form((2, 2), (3, 150, 150), PADDING),
    "cross": Form((2, 1), (1, 37, 411)),
    "none": Form((2, 1), (2, 37, 0)),
    "packed": Form((4, 2), ((131, 0, 20, 1),), CAUSAL),
    "padded": Form((2, 2), ((33, 190),), "", ALIBI),
    "behind": Form((2, 1), ((131, 20, 60),), unseen=2),
    "emptied": Form((2, 1), ((0, 0),)),
    "decode": Form((4, 1), (2, 1, 700), few=True),
    "few": Form((2, 2), (1, 16, 333), "", CAP, few=True),
}


def shape(rows, heads, size, batch="batch"):
    """A tensor and its sizes, [B, rows, heads, size] or packed."""
    leading = [rows] if batch is None else [batch, rows]
    known = [str(x) if x.isdigit() else "?" for x in leading]
    return (f"tensor<{'x'.join(known)}x{heads}x{size}xf32, "
            f"#attn.sizes<{', '.join(leading)}, {heads}, {size}>>")


def entry(name, form, size, own):
    stored = f", attn.storage = {own}" if own else ""
    batch = None if form.packed else "batch"
    rows = "tokens" if form.packed else (
        str(form.sizes[1]) if form.few else "queries")
    keys = "tokens" if form.packed else "keys"
    q, k = (shape(*each, size, batch) for each in
            ((rows, form.heads), (keys, form.key_heads)))
    arguments = [f'%q: {q} {{attn.name = "q"{stored}}}',
                 f'%k: {k} {{attn.name = "k"{stored}}}',
                 f'%v: {k} {{attn.name = "v"{stored}}}']
    offsets = bound = ""
    ends = "tensor<?xi32, #attn.sizes<ends>>"
    sizes = ["batch"] + [x for x in (rows, keys) if not x.isdigit()]
    if form.packed:
        arguments.append(f'%ends: {ends} {{attn.name = "offsets"}}')
        offsets, bound = f" offsets(%ends : {ends})", ' length_bound "tokens"'
        sizes = ["tokens", "ends"]
    table = captured = kept = ""
    if form.score is LOOKUP:
        kind = f"tensor<{form.heads}x{NEAR}xf32>"
        arguments.append(f'%t: {kind} {{attn.name = "t"}}')
        table = f"%t at affine_map<(b, h, i, j) -> (h)> : {kind}"
        captured = f", %table: tensor<{NEAR}xf32>"
    mask = given = ""
    if form.mask is PADDING:
        kind = "tensor<?x?xi32, #attn.sizes<batch, keys>>"
        arguments.append(f'%m: {kind} {{attn.name = "m"}}')
        kept = f"%m at affine_map<(b, h, i, j) -> (b, j)> : {kind}"
        given = ", %kept: i32"
    if form.mask:
        mask = f""" mask({kept}) {{
    ^bb0(%b: i32, %h: i32, %i: i32, %j: i32{given}):{form.mask}
      attn.yield %c : i1
    }}"""
    result = "%x" if form.score is SCALE else "%y"
    listed = ", ".join(f'"{x}"' for x in sizes)
    return f"""\
attn.entry @{name}({', '.join(arguments)}) -> ({q} {{attn.name = "out"{stored}}}) sizes [{listed}] {{
    %o = attn.attention %q, %k, %v{offsets} score({table}) {{
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32{captured}):{form.score.format(scale=size ** -0.5)}
      attn.yield {result} : f32
    }}{mask}{bound} : {q}, {k}, {k} -> {q}
    attn.return %o : {q}
}}
"""


def program(size, own=None, forms=FORMS):
    declared = "".join(f"attn.size @{name} min 0 max {most}\n" for name, most in (
        ("batch", 64), ("queries", 4096), ("keys", 4096), ("tokens", 4096),
        ("ends", 65)))
    return ('module attributes {attn.name = "forms"} {\n' + declared + "".join(
        entry(name, FORMS[name], size, own) for name in forms) + "}\n")
