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
  let description = [{
    Finds `attn.softmax` whose input is computed, element by element, from a
    product of two tensors, and whose only reader is a second product. The maps
    in between become the score region: captures keep their tensors, their maps
    are rewritten to (b, h, q, kv), and `attn.index` becomes an argument.
    Operands [s, d] stay; [b, s, d] and [b, h, s, d] are re-indexed to
    [b, s, h, d] by maps. Re-indexing maps of re-indexing maps are composed at
    the end, so that a transposition of a transposition vanishes.

    Limits: scores or probabilities that anything else reads, arithmetic between
    softmax and the second product, scores read at another index, and more than
    two leading dimensions are declined.

    ```mlir
    %s = attn.matmul %q, %k transpose_rhs : tensor<3x4xf32>, tensor<5x4xf32> -> tensor<3x5xf32>
    %p = attn.softmax %s : tensor<3x5xf32>
    %o = attn.matmul %p, %v : tensor<3x5xf32>, tensor<5x6xf32> -> tensor<3x6xf32>
    // becomes
    %o = attn.attention %q, %k, %v : tensor<3x4xf32>, tensor<5x4xf32>, tensor<5x6xf32> -> tensor<3x6xf32>
    ```
  }];
}
def FoldScale : RewritePass<"attn-fold-scale"> {
  let summary = "Scaling of query or key moves into the score region";
  let description = [{
    The map that makes an attention's query or key, directly or before
    `attn.split_heads`, may end in a product with, or a quotient by, one number:
    an `arith.constant` or a captured `attn.constant` of equal elements. The
    number then multiplies (divides) the score, before everything else in the
    score region. What the map did besides stays; a map left without arithmetic
    goes. A tensor that is query and key scales the score twice.

    Limits: factors that differ between elements, and scaled tensors that
    anything else reads, are declined. The product of rounded numbers may differ
    in its last bit from the rounded product, unless the number is a power of
    two.

    ```mlir
    %t = attn.map element(%q at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x4xf32>) {
    ^bb0(%a: f32):
      %c = arith.constant 0.5 : f32
      %s = arith.mulf %a, %c : f32
      attn.yield %s : f32
    } : tensor<3x4xf32>
    %o = attn.attention %t, %k, %v : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
    // becomes
    %o = attn.attention %q, %k, %v score() {
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32):
      %c = arith.constant 0.5 : f32
      %r = arith.mulf %s, %c : f32
      attn.yield %r : f32
    } : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32> -> tensor<3x4xf32>
    ```
  }];
}
def FoldPadding : RewritePass<"attn-fold-padding"> {
  let summary = "An additive mask of 0 and -inf becomes the mask region";
  let description = [{
    A score region that ends in a sum loses every term that is 0 where a
    condition holds and -inf elsewhere: the condition joins the mask region by
    `arith.andi`. The term is a select in the region itself, or a capture of an
    `attn.map` that yields such a select (or a sum of them), whose own captures
    the mask then reads. A `select(condition, score, -inf)` that ends the region
    becomes a mask likewise. A score region that then changes nothing goes.

    Numbers of -1e30 or less count as -inf. No kept score is outweighed by them,
    so that only rows in which nothing is kept differ: `attn.attention` gives
    zeros there, a finite mask the average of all values.

    Limits: biases that hold other numbers, conditions on the score itself, and
    masks that more arithmetic follows are declined.

    ```mlir
    %b = attn.map element(%m at affine_map<(d0) -> (d0)> : tensor<3xi32>) { select(%a != 0, 0.0, -inf) } : tensor<3xf32>
    attn.attention %q, %k, %v score(%b at affine_map<(b, h, q, kv) -> (kv)> : tensor<3xf32>) { %s + %n } : ...
    // becomes
    attn.attention %q, %k, %v mask(%m at affine_map<(b, h, q, kv) -> (kv)> : tensor<3xi32>) { %a != 0 } : ...
    ```
  }];
}
def FuseQkv : RewritePass<"attn-fuse-qkv"> {
  let summary = "Three projections of one input become attn.qkv_projection";
  let description = [{
    From query, key and value of an attention back over maps that work element
    by element, `attn.split_heads`, and a bias (a map, or an element region that
    is nothing else) to three `attn.linear` of one input. They become one
    `attn.qkv_projection` at the place of the first. Its weight is a new symbol
    whose recipe lists the sources of the three in order: concatenated along
    dimension 0, or along 1 where the recipes transpose. The biases are
    concatenated likewise and added in the element region. Constants are
    concatenated as constants. Equal recipes share one symbol. The new weights
    have no digest yet: it covers other bytes.

    Limits: different inputs, biases on some of the three only, other epilogues,
    parts that anything else reads, and weights that the program computes are
    declined.

    ```mlir
    attn.weight @q from ["q.weight"] : tensor<8x8xf32>
    attn.weight @k from ["k.weight"] : tensor<8x8xf32>
    attn.weight @v from ["v.weight"] : tensor<8x8xf32>
    // becomes
    attn.weight @qkv from ["q.weight", "k.weight", "v.weight"] concat 0 : tensor<24x8xf32>
    %q, %k, %v = attn.qkv_projection %x, %w : tensor<3x8xf32>, tensor<24x8xf32> -> tensor<3x2x4xf32>, tensor<3x2x4xf32>, tensor<3x2x4xf32>
    ```
  }];
}
def FuseOutputProjection
    : RewritePass<"attn-fuse-output-projection"> {
  let summary = "merge_heads and linear become attn.output_projection";
  let description = [{
    An `attn.linear` whose input is `attn.merge_heads` reads the heads directly;
    its epilogues stay as they are, since the index space does. Other readers
    keep the merged heads.

    Limits: merged heads that no projection takes as its input are declined.

    ```mlir
    %m = attn.merge_heads %o : tensor<3x2x4xf32> -> tensor<3x8xf32>
    %y = attn.linear %m, %w : tensor<3x8xf32>, tensor<6x8xf32> -> tensor<3x6xf32>
    // becomes
    %y = attn.output_projection %o, %w : tensor<3x2x4xf32>, tensor<6x8xf32> -> tensor<3x6xf32>
    ```
  }];
}
def FuseEmbedding : RewritePass<"attn-fuse-embedding"> {
  let summary = "Sums of embeddings become one attn.embedding";
  let description = [{
    A map whose region adds its captures, all of them embeddings that nothing
    else reads, becomes one `attn.embedding` of their tables. The additions keep
    their order: (a + b) + c lists a, b, c, and c + (a + b) does too, since
    addition commutes.

    Limits: (a + b) + (c + d) is declined, as its order would change; so are
    embeddings with a row region, with other uses, or read at another index, and
    sums with anything else in them.

    ```mlir
    %a = attn.embedding(%ids), (%words) : (tensor<3xi32>), (tensor<9x4xf32>) -> tensor<3x4xf32>
    %b = attn.embedding(%types), (%table) : (tensor<3xi32>), (tensor<2x4xf32>) -> tensor<3x4xf32>
    %s = attn.map element(%a ..., %b ...) { %x + %y } : tensor<3x4xf32>
    // becomes
    %s = attn.embedding(%ids, %types), (%words, %table) : (tensor<3xi32>, tensor<3xi32>), (tensor<9x4xf32>, tensor<2x4xf32>) -> tensor<3x4xf32>
    ```
  }];
}
def FuseElementEpilogue
    : RewritePass<"attn-fuse-element-epilogue"> {
  let summary = "Maps after a projection move into its element region";
  let description = [{
    Maps are visited in program order. Each first takes in the maps that only it
    reads, through any permutation of dimensions: their captures' maps are
    composed with the access, their indices follow it. It then moves into one
    `attn.linear` or `attn.output_projection` that only it reads, element by
    element: the projection moves to the map's place, its element region goes on
    with the map's arithmetic, and the other captures are appended, equal ones
    once.

    Limits: projections that anything else reads or that have a row region, maps
    that read them at another index or have row regions themselves, and the
    parts of an `attn.qkv_projection` (whose region spans all three) are
    declined.

    ```mlir
    %y = attn.linear %x, %w : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
    %z = attn.map element(%y at affine_map<(d0, d1) -> (d0, d1)> : tensor<3x6xf32>, %b at affine_map<(d0, d1) -> (d1)> : tensor<6xf32>) { tanh(%a + %c) } : tensor<3x6xf32>
    // becomes
    %z = attn.linear %x, %w element(%b at affine_map<(d0, d1) -> (d1)> : tensor<6xf32>) { tanh(%acc + %c) } : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
    ```
  }];
}
def FuseRowEpilogue : RewritePass<"attn-fuse-row-epilogue"> {
  let summary = "A norm after a projection or embedding moves into its row region";
  let description = [{
    An `attn.norm` of what only it reads moves into the row region of the
    `attn.linear`, `attn.output_projection`, `attn.embedding` or `attn.map` that
    makes its rows. Weight and bias become row captures, whole for every row;
    the producer moves to the norm's place.

    Limits: rows that anything else reads, producers that have a row region
    already, and producers of any other kind are declined.

    ```mlir
    %y = attn.linear %x, %w : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
    %n = attn.norm rms %y weight(%g : tensor<6xf32>) epsilon 1.0e-06 : tensor<3x6xf32>
    // becomes
    %n = attn.linear %x, %w row(%g at affine_map<(d0) -> ()> : tensor<6xf32>) {
    ^bb0(%row: tensor<6xf32>, %weight: tensor<6xf32>):
      %r = attn.norm rms %row weight(%weight : tensor<6xf32>) epsilon 1.0e-06 : tensor<6xf32>
      attn.yield %r : tensor<6xf32>
    } : tensor<3x4xf32>, tensor<6x4xf32> -> tensor<3x6xf32>
    ```
  }];
}
def PackTokens : RewritePass<"attn-pack-tokens"> {
  let summary = "Padded batches become packed rows, so that padding costs nothing";
  let description = [{
    The mask is the i32 argument [batch, seq] that masks the keys of attentions
    (`mask[b, kv] != 0`), pools rows, or guards values
    (`select(mask != 0, x, 0)`). Rows spread from the arguments and
    `attn.positions` of these leading dimensions through ops that treat them one
    by one. All of these ops move onto [tokens, ..], where `tokens`, at most
    batch * seq, counts the positions that the mask keeps: ids and positions are
    packed, attention and pooling take offsets instead of the mask, captures
    read their row at the token, guards vanish, and outputs that were guarded
    are unpacked, with zeros elsewhere. An argument that is returned goes back as
    it came. The order of tokens is that of positions, and the positions fed to
    embeddings are those of the padded batch.

    Limits: it is the whole entry or nothing. An attention that sees masked
    positions, a score or mask region with q or kv in it, an element's own
    position (`attn.index` 0 or 1), captures at another position, an output
    without guard, two masks, and any op across rows are declined.

    ```mlir
    %e = attn.embedding(%ids), (%t) : (tensor<?x?xi32, #attn.sizes<batch, seq>>), (tensor<9x4xf32>) -> tensor<?x?x4xf32, #attn.sizes<batch, seq, 4>>
    // becomes
    %rows, %offsets = attn.pack_index %mask : tensor<?x?xi32, #attn.sizes<batch, seq>> -> tensor<?xi32, #attn.sizes<tokens>>, tensor<?xi32, #attn.sizes<batch + 1>>
    %i = attn.pack %ids, %rows : tensor<?x?xi32, #attn.sizes<batch, seq>>, tensor<?xi32, #attn.sizes<tokens>> -> tensor<?xi32, #attn.sizes<tokens>>
    %e = attn.embedding(%i), (%t) : (tensor<?xi32, #attn.sizes<tokens>>), (tensor<9x4xf32>) -> tensor<?x4xf32, #attn.sizes<tokens, 4>>
    ```
  }];
}
def DropDeadOutputs : RewritePass<"attn-drop-dead-outputs"> {
  let summary = "Outputs that nobody asked for go, and all that only they used";
  let description = [{
    With `outputs`, results of other names are taken off every entry, and an
    entry left without results goes. Then, with or without, ops that no output
    needs are erased, and weights that nothing reads, so that their bytes are
    not packaged. Arguments stay: they are what callers pass.

    Limits: none; a name that no entry has is an error (A0401) that lists those
    there are.

    ```mlir
    // outputs=pooled
    attn.entry @encode(...) -> (... {attn.name = "hidden"}, ... {attn.name = "pooled"}) sizes [...] { ... attn.return %hidden, %pooled : ... }
    // becomes
    attn.entry @encode(...) -> (... {attn.name = "pooled"}) sizes [...] { ... attn.return %pooled : ... }
    ```
  }];
  let options = [
    ListOption<"outputs", "outputs", "std::string",
               "names of the outputs to keep; all if empty">
  ];
}

//===-- schedule: attn -> kernel, once per variant ------------------------===//

def ChooseCache : AttnPass<"attn-choose-cache"> {
  let summary = "What a session keeps of keys and values";
  let description = [{
    Sets the format of every `attn.state`, once for all targets, so that a
    sequence saved under one can be loaded under another. The ops keep their
    types, so that the reference keeps its meaning.

    Limits: states whose format is not f32 already keep it. An unknown format is
    an error (A0416).

    ```mlir
    // format=i8
    attn.state @layer.0.key positions 512 : !attn.state<tensor<2x4xf32>>
    // becomes
    attn.state @layer.0.key positions 512 as i8 : !attn.state<tensor<2x4xf32>>
    ```
  }];
  let options = [
    Option<"format", "format", "std::string", "\"f32\"",
           "what is kept of keys and values: f32, bf16 or i8">
  ];
  let statistics = [
    Statistic<"narrowed", "narrowed", "states kept narrower than f32">
  ];
}

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
           "provider of matrix products: empty for our own, or openblas">,
    Option<"detect", "detect", "bool", "false",
           "lay kernels out for the caches and cores of this machine">
  ];
}
def ChoosePrecision : AttnPass<"attn-choose-precision"> {
  let summary = "Formats in which products store weights and multiply rows";
  let description = [{
    Sets `precision` of every kernel that holds an `attn.linear`. The op itself
    keeps its types, so that the reference keeps its meaning. Rows become bf16
    only where the target multiplies bf16 faster than f32. There, if rows of
    products are narrow, the products of every `attn.attention` become bf16 too;
    its scores, softmax and sums stay f32.

    With `weights=stored` a kernel all of whose weights have `attn.stored` in one
    format takes what holds that value for value; on GPUs bf16, Q8_0 and Q4_0
    alone. Rows beside weights in groups are i8 in the
    same groups, by default of i4, and else where `activations` says so.

    Limits: products of fewer than 48 columns, and with rows of i8 contractions
    (groups) longer than 66311, stay f32. Formats that do not go together, and weights
    that OpenBLAS would have to read, are errors (A0415).

    ```mlir
    // weights=i8
    kernel.func @linear(%x: tensor<3x64xf32>, %w: tensor<96x64xf32>) -> (tensor<3x96xf32>) { ... }
    // becomes
    kernel.func @linear(%x: tensor<3x64xf32>, %w: tensor<96x64xf32>) -> (tensor<3x96xf32>) precision #kernel.precision<weights = i8, activations = i8> { ... }
    ```
  }];
  let options = [
    Option<"weights", "weights", "std::string", "\"f32\"",
           "format of weights: f32, bf16, i8, i4, or stored: what the model's "
           "own file keeps in groups stays so, and the rest becomes f32">,
    Option<"activations", "activations", "std::string", "\"\"",
           "format that rows are multiplied in: f32, bf16 or i8; empty: that of "
           "the weights, i8 for i4, f32 for i8 in groups and stored weights">,
    Option<"group", "group", "int64_t", "0",
           "steps of depth that share a scale; 0: 32 in weights of i4, all of "
           "them in weights of i8">
  ];
  let statistics = [
    Statistic<"narrowed", "narrowed", "kernels with narrow weights">,
    Statistic<"kept", "kept", "kernels left in f32">
  ];
}
def ChooseTiles : AttnPass<"attn-choose-tiles"> {
  let summary = "Tiles, weight layouts and scratch of every kernel";
  let description = [{
    Sets `tile`, `scratch` and `serial` of each `kernel.func` as the cost model
    says (schedule/CostModel.h), or, for a kernel whose signature is in the
    module's `kernel.tuning`, as that does. The weight of a product gets
    `#kernel.panels<48>` where it is dispatched; who else reads it, an embedding
    say, keeps plain rows. Products by a provider keep plain rows as well.
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
    weights then leave the module. With `redzones`, memory that AddressSanitizer
    refuses follows every slot: `@VARIANT_ENTRY_poison` and
    `@VARIANT_ENTRY_unpoison` mark and clear it.
  }];
  let options = [
    Option<"redzones", "redzones", "bool", /*default=*/"false",
           "refused memory behind every slot">
  ];
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

//===-- gpu: kernel -> warp -> NVVM ---------------------------------------===//

class GpuPass<string flag> : Pass<flag, "::mlir::ModuleOp"> {
  let dependentDialects = [
    "::attnc::attn::AttnDialect", "::attnc::kernel::KernelDialect",
    "::attnc::warp::WarpDialect", "::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::NVVM::NVVMDialect"
  ];
}

def BuildPrograms : GpuPass<"attn-build-programs"> {
  let summary = "Kernels become programs of thread blocks";
  let description = [{
    Every `kernel.func` of a variant for a GPU becomes one `warp.program`, or a
    few that run one after the other. Regions are inlined at the elements of
    fragments. Constants of a program move into the kernels that read them;
    scratch becomes the last slot of the arena. Variants stay: they say what is
    launched.
  }];
  let options = [
    Option<"products", "products", "std::string", "\"bf16\"",
           "what operands of products become: bf16, f16, tf32 or f32">,
    Option<"activations", "activations", "std::string", "\"f32\"",
           "what f32 in the arena lies there as: f32, bf16 or f16">
  ];
}
def VerifyBarriers : GpuPass<"attn-verify-barriers"> {
  let summary = "Nobody reads a tile that has not landed";
  let description = [{
    Walks every program as its threads do, with loops of no, one and a few
    steps, and follows each stage of each tile: a copy starts, is committed,
    waited for, and made visible by a barrier; only then may the tile be read,
    and only after another barrier written again. An op that comes too early is
    an error (A0528, A0529). Phases of barriers and products of warp groups are
    followed in the same way. Nothing changes.
  }];
}
def PlanSharedMemory : GpuPass<"attn-plan-shared-memory"> {
  let summary = "Places and swizzles of tiles";
  let description = [{
    Sets `offset` and `layout` of tiles, `offset` of barriers and `shared` of
    programs. Rows are swizzled so that eight of them, read at one column, fall
    into different banks. A program that needs more shared memory than its chip
    gives a block is an error (A0526).
  }];
  let statistics = [
    Statistic<"tiles", "tiles", "tiles placed">
  ];
}
def LowerWarp : GpuPass<"attn-lower-warp"> {
  let summary = "Fragments become registers";
  let description = [{
    Every `warp.program` becomes a kernel function of the LLVM dialect: one value
    per register of a fragment, intrinsics of NVVM for copies, loads, products
    and shuffles, inline PTX for products of warp groups.
  }];
}

#endif // ATTNC_PASSES
