//===- Passes.td - every pass of the compiler -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One definition per pass; Pipelines.cpp alone knows their order. Summaries and
// statistics end up in the table of compiler/README.md.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_PASSES
#define ATTNC_PASSES

include "mlir/Pass/PassBase.td"

class AttnPass<string flag> : Pass<flag, "::mlir::ModuleOp"> {
  let dependentDialects = [
    "::attnc::attn::AttnDialect", "::attnc::kernel::KernelDialect",
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect",
    "::mlir::LLVM::LLVMDialect"
  ];
}

// Optimization passes count what they did and what they declined.
class RewritePass<string flag> : AttnPass<flag> {
  let statistics = [
    Statistic<"applied", "applied", "sites rewritten">,
    Statistic<"missed", "missed", "sites declined; a remark names the op">
  ];
}

//===-- optimize: attn -> attn, true on every machine ---------------------===//

def RaiseAttention : RewritePass<"attn-raise-attention"> {
  let summary = "softmax(Q K^T) V in parts becomes attn.attention";
}
def FoldScale : RewritePass<"attn-fold-scale"> {
  let summary = "Scaling of query or key moves into the score region";
}
def FoldPadding : RewritePass<"attn-fold-padding"> {
  let summary = "An additive mask of 0 and -inf becomes the mask region";
}
def FuseQkv : RewritePass<"attn-fuse-qkv"> {
  let summary = "Three projections of one input become attn.qkv_projection";
}
def FuseOutputProjection
    : RewritePass<"attn-fuse-output-projection"> {
  let summary = "merge_heads and linear become attn.output_projection";
}
def FuseEmbedding : RewritePass<"attn-fuse-embedding"> {
  let summary = "Sums of embeddings become one attn.embedding";
}
def FuseElementEpilogue
    : RewritePass<"attn-fuse-element-epilogue"> {
  let summary = "Maps after a projection move into its element region";
}
def FuseRowEpilogue : RewritePass<"attn-fuse-row-epilogue"> {
  let summary = "A norm after a projection or embedding moves into its row region";
}
def PackTokens : RewritePass<"attn-pack-tokens"> {
  let summary = "Padded batches become packed rows, so that padding costs nothing";
}
def DropDeadOutputs : RewritePass<"attn-drop-dead-outputs"> {
  let summary = "Outputs that nobody asked for go, and all that only they used";
  let options = [
    ListOption<"outputs", "outputs", "std::string",
               "names of the outputs to keep; all if empty">
  ];
}

//===-- schedule: attn -> kernel, once per variant ------------------------===//

def SelectKernels : AttnPass<"attn-select-kernels"> {
  let summary = "Every op becomes the dispatch of a kernel, equal ones shared";
  let description = [{
    Entries become one `kernel.variant` of the target: a `kernel.func` per
    distinct op and a `kernel.program` per entry, made of `kernel.dispatch`.
    Sizes and weights stay in the module. Ops share a kernel if they agree in all
    but their operands. Ops that only move heads become `kernel.view`s, which
    cost nothing.

    An unknown target or provider and an op that no kernel computes are errors.
  }];
  let options = [
    Option<"target", "target", "std::string", "\"x86-64-v3\"",
           "name of the target, as `attnc targets` lists them">,
    Option<"gemm", "gemm", "std::string", "\"\"",
           "provider of matrix products: empty for our own, or openblas">
  ];
}
def ChooseTiles : AttnPass<"attn-choose-tiles"> {
  let summary = "Tiles, weight layouts and scratch of every kernel";
  let description = [{
    Sets `tile`, `scratch` and `serial` of each `kernel.func` by the registers
    and caches of its target. The weight of a product gets `#kernel.panels<48>`
    where it is dispatched; who else reads it, an embedding say, keeps plain
    rows. Products by a provider keep plain rows as well.
  }];
}
def CutPhases : AttnPass<"attn-cut-phases"> {
  let summary = "Numbers the dispatches by phase";
  let description = [{
    Between two phases every worker waits for the others; within one, nobody
    does. A new phase begins where a dispatch touches what another of the same
    phase writes, or writes what it reads, and around serial kernels. A size that
    `attn.pack_index` finds counts as memory.
  }];
}
def PlanArena : AttnPass<"attn-plan-arena"> {
  let summary = "Turns tensors into slots of the arena";
  let description = [{
    Afterwards every value of a program is a place: an argument, a weight, a
    constant, a slot, or a view of one. Results are written where the caller
    wants them. Buffers that are alive in one phase never share a slot; all
    others may, the biggest choosing first. No pass after this one may copy.
  }];
  let statistics = [
    Statistic<"tensors", "tensors", "tensors placed">,
    Statistic<"slots", "slots", "slots they share">
  ];
}

//===-- cpu: kernel -> vector -> LLVM -------------------------------------===//

def LowerKernels : AttnPass<"attn-lower-kernels"> {
  let summary = "Kernels become loops over native vectors";
  let description = [{
    Beside each variant, every `kernel.func` becomes a function of pointers:

    ```mlir
    func.func private @x86_64_v4_linear_384x1536(%frame: !llvm.ptr,
        %worker: i32, %workers: i32, %input: !llvm.ptr, ...)
    ```

    It computes one worker's share. Regions are inlined at vector type; tails
    are masked, so that nothing outside the tensors is touched.
  }];
}
def LowerPrograms : AttnPass<"attn-lower-programs"> {
  let summary = "Programs become phase functions and the plan of the arena";
  let description = [{
    Each program becomes `@VARIANT_ENTRY_phase_N` and `@VARIANT_ENTRY_plan`,
    which the runtime calls (`include/attn/abi.h`). A phase finds its operands in
    the arena, the weights and the call's arguments, and calls its kernels; the
    plan computes slots' offsets from the call's sizes. Variants, sizes and
    weights then leave the module.
  }];
}
def ExpandMath : AttnPass<"attn-expand-math"> {
  let summary = "exp, erf, tanh and their like become polynomials";
  let description = [{
    `exp`, `exp2`, `tanh`, `erf` and `rsqrt` on f32 and vectors of it become
    arithmetic that is right to a few units in the last place, so that generated
    code calls no libm and rounds alike on every machine with the same
    instructions. `ExpandMath.cpp` lists the errors, found over every f32.
  }];
}

#endif // ATTNC_PASSES
