//===- AttnOps.td - every op of the attn dialect -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "AttnProgram.td"
include "AttnElementwise.td"
include "AttnProjection.td"
include "AttnAttention.td"
include "AttnSequence.td"
include "AttnLookup.td"
include "AttnRope.td"
include "AttnState.td"
