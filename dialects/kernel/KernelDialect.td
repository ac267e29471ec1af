//===- KernelDialect.td - the kernel dialect, its types and attributes -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KERNEL_DIALECT
#define KERNEL_DIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::attnc::kernel";
  let summary = "What runs, in which order, and where its values live";
  let description = [{
    A `kernel.variant` holds the program for one target. `kernel.func` is one
    distinct kernel: a single computing op of the `attn` dialect with a tile and
    with layouts on its arguments. `kernel.program` is an entry point: dispatches
    of kernels, numbered by phase. Programs come in two forms: on tensors in
    destination style, and, after `PlanArena`, on references to slots of the
    arena.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::attnc::attn::AttnDialect"];
  let extraClassDeclaration = [{
    /// Argument of a `kernel.func`: how its elements lie in memory; absent
    /// means row-major without gaps.
    static constexpr llvm::StringLiteral kLayoutAttr = "kernel.layout";
    /// Argument of a `kernel.program`: the slot that stands in for an optional
    /// input that the caller leaves out.
    static constexpr llvm::StringLiteral kStandInAttr = "kernel.stand_in";
    /// Function that a kernel became: the name of its target.
    static constexpr llvm::StringLiteral kTargetAttr = "kernel.target";
  }];
}

// As of the attn dialect; tensors behind references count too.
def Kernel_NamedShapes : NativeOpTrait<"NamedShapes"> {
  let cppNamespace = "::attnc::kernel";
}

class Kernel_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kernel_Dialect, mnemonic, !listconcat([Kernel_NamedShapes], traits)>;

class Kernel_Attr<string name, string attrMnemonic>
    : AttrDef<Kernel_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def Kernel_Format : I32Enum<"Format", "how numbers are stored or multiplied", [
    I32EnumCase<"f32", 0>, I32EnumCase<"bf16", 1>, I32EnumCase<"i8", 2>,
    I32EnumCase<"i4", 3>]> {
  let cppNamespace = "::attnc::kernel";
}

def Kernel_Scales : I32Enum<"Scales",
    "what stands beside the weights of a group", [
    I32EnumCase<"f16", 0>, I32EnumCase<"f32", 1>, I32EnumCase<"f16_affine", 2>,
    I32EnumCase<"f32_affine", 3>]> {
  let cppNamespace = "::attnc::kernel";
}

def Kernel_GroupScales : EnumParameter<Kernel_Scales> {
  let defaultValue = "::attnc::kernel::Scales::f16";
}

def Kernel_PanelsAttr : Kernel_Attr<"Panels", "panels"> {
  let summary = "Weights [N, K] in column panels of one format";
  let description = [{
    A panel holds `width` columns over all of K; the panels of columns
    0 .. width - 1, width .. 2 * width - 1, ... follow each other. A word of four
    bytes holds `pack` steps of depth of one column, the lowest step in the
    lowest bits, and a panel is words [ceil(K' / pack)][width], where K' is K
    rounded up; columns past N and steps past K are zero.

    | format | pack | K' is a multiple of | a weight is | behind the words |
    |---|---|---|---|---|
    | f32 | 1 | 1 | the number | |
    | bf16 | 2 | 32 | the nearest bf16, ties to even | |
    | i8 | 4 | 64 | scale[n] * q, q in -127 .. 127 | f32 scale[width], i32 -sum of q over k [width] |
    | i8, grouped | 4 | group | scale[k / group][n] * q, q in -127 .. 127 | f16 scale[K' / group][width] |
    | i4 | 8 | group | scale[k / group][n] * q, q in -8 .. 7 | f16 scale[K' / group][width] |

    Behind scales of groups zeros fill the panel up to a multiple of 64 bytes.

    Groups have scales of f16, unless the layout names others: `f32`, or, with
    offset[K' / group][width] of the same type behind the scales, `f16_affine` and
    `f32_affine`, where a weight is scale[k / group][n] * q + offset[k / group][n],
    the sum rounded once, and q of i4 is in 0 .. 15. Only weights that a model's
    file keeps in such groups have these.

    The scale of an i8 column, or of a group of it, and that of a group of an i4
    column, which may be negative, are those of some guesses that lose least
    (package/ByteScale.h, FourBitScale.h); f16 scales are rounded before steps
    are taken. Weights that a model's file keeps in such groups keep their scales
    and steps (q of -128 included), and so their values.

    `#kernel.panels<48>` serves AVX-512 (one 48-wide panel) and AVX2 (3x16 or
    2x24) alike; sixteen columns of `#kernel.panels<48, i8>` or `bf16` over 64
    bytes of depth are a tile of AMX whose rows are 192 bytes apart.
  }];
  let parameters = (ins "int64_t":$width,
      DefaultValuedParameter<"::attnc::kernel::Format",
                             "::attnc::kernel::Format::f32">:$format,
      DefaultValuedParameter<"int64_t", "0">:$group,
      Kernel_GroupScales:$scales);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// Row-major [width] f32 numbers, not packed any narrower.
    static PanelsAttr get(::mlir::MLIRContext *context, int64_t width) {
      return get(context, width, Format::f32, 0);
    }
    /// Scales of f16, where there are groups.
    static PanelsAttr get(::mlir::MLIRContext *context, int64_t width,
                          Format format, int64_t group) {
      return get(context, width, format, group, Scales::f16);
    }
    /// Steps of depth in a word.
    int64_t getPack();
    /// K' of a contraction of length `depth`.
    int64_t getPaddedDepth(int64_t depth);
    /// Bytes of a panel's words: where its scales begin.
    int64_t getScaleOffset(int64_t depth);
    /// Bytes of a scale, and of an offset: of groups as the layout says, f32 of
    /// columns.
    int64_t getScaleBytes() { return getGroup() && hasHalves() ? 2 : 4; }
    /// Whether scales of groups, and offsets, are f16.
    bool hasHalves() {
      return getScales() == Scales::f16 || getScales() == Scales::f16_affine;
    }
    /// Whether groups have offsets, too.
    bool isAffine() {
      return getScales() == Scales::f16_affine ||
             getScales() == Scales::f32_affine;
    }
    /// Bytes of the panel before its offsets.
    int64_t getOffsetsOffset(int64_t depth);
    /// Bytes of a panel, scales included.
    int64_t getPanelBytes(int64_t depth);
  }];
}

def Kernel_PrecisionAttr : Kernel_Attr<"Precision", "precision"> {
  let summary = "In which formats a product's two sides are multiplied";
  let description = [{
    `weights` is how the weights file stores them; with i4, and with i8 where
    `group` is given, every `group` steps of depth share what `scales` names
    (`#kernel.panels`); `stored` ones
    have the numbers of the model's own file, bit for bit. `activations` is what
    the rows become before they are multiplied, found anew in every call: rows of
    i8 have a scale and a zero each, scale * (u - zero) with u in 0 .. 255 and 0
    one of the steps; beside weights in groups each `group` of a row has a scale
    alone, its largest magnitude / 127. Sums of integers, of a row or a group of it, are i32, all
    others f32.
  }];
  let parameters = (ins EnumParameter<Kernel_Format>:$weights,
                        EnumParameter<Kernel_Format>:$activations,
                        DefaultValuedParameter<"int64_t", "0">:$group,
                        DefaultValuedParameter<"bool", "false">:$stored,
                        Kernel_GroupScales:$scales);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// Groups, if any, with scales of f16.
    static PrecisionAttr get(::mlir::MLIRContext *context, Format weights,
                             Format activations, int64_t group, bool stored) {
      return get(context, weights, activations, group, stored, Scales::f16);
    }
    /// What holds the numbers of a weight with `attn.stored` value for value:
    /// `stored` is that attribute's text, `activations` those beside groups;
    /// beside bf16 they are f32.
    static PrecisionAttr getStored(::mlir::MLIRContext *context,
                                   ::llvm::StringRef stored,
                                   Format activations);
    /// The panels of `width` columns that the weights lie in.
    PanelsAttr getPanels(int64_t width);
  }];
}

def Kernel_RowsAttr : Kernel_Attr<"Rows", "rows"> {
  let summary = "Row-major with a stride between rows";
  let description = [{
    For a tensor [R.., C..] whose rows (all leading dimensions of the base) are
    `stride` elements apart: what a `kernel.view` with an offset sees.
  }];
  let parameters = (ins "int64_t":$stride);
  let assemblyFormat = "`<` $stride `>`";
}

def Kernel_KeptFormat : EnumParameter<Kernel_Format> {
  let defaultValue = "::attnc::kernel::Format::f32";
}

def Kernel_BlocksAttr : Kernel_Attr<"Blocks", "blocks"> {
  let summary = "A state's rows in blocks of positions";
  let description = [{
    Row p of a sequence lies in block p / positions of the session's table for
    it. In a block, heads follow each other; of a head, with D elements a row,
    element d of position p is at (p mod positions) * D + d, or, `transposed`, at
    d * positions + p mod positions, so that neighbouring positions are
    neighbouring lanes. An element is an f32, a bf16, or q of i8; behind the
    elements of each head of i8 stand the positions' scales, f32 [positions], and
    a number is scale * q. Rows of bf16 and i8 that are not `transposed` are D'
    elements apart, D rounded up to whole vectors of 16.
  }];
  let parameters = (ins "int64_t":$positions,
                        DefaultValuedParameter<"bool", "false">:$transposed,
                        Kernel_KeptFormat:$format);
  let assemblyFormat = "`<` struct(params) `>`";
  let extraClassDeclaration = [{
    /// Bytes of an element.
    int64_t getElementBytes();
    /// Elements from a head's row to its next, or rows of it if transposed.
    int64_t getRowElements(int64_t columns);
    /// Bytes of a head with rows of `columns` elements, scales included.
    int64_t getHeadBytes(int64_t columns);
  }];
}

def Kernel_TileAttr : Kernel_Attr<"Tile", "tile"> {
  let summary = "How a kernel is cut";
  let description = [{
    rows x columns is what the innermost code holds in registers; `depth` is how
    much of the contraction one pass over a block takes (0: all of it), and
    `block` how many rows the passes go over (0: what the cost model says).
    `provider` names who multiplies: "" for our micro-kernels, "openblas".

    Of attention, rows are those of queries and columns keys; `depth` is how many
    keys are in scratch at once (0: all of a head), and `block` the query rows
    that workers share out.
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "int64_t":$depth,
                        DefaultValuedParameter<"int64_t", "0">:$block,
                        DefaultValuedParameter<"::mlir::StringAttr",
                            "::mlir::StringAttr::get($_ctxt, \"\")">:$provider);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kernel_MachineAttr : Kernel_Attr<"Machine", "machine"> {
  let summary = "The machine that tiles are chosen for";
  let description = [{
    Cores that share the last cache; bytes of data caches, of which `l1` and `l2`
    are one core's; vector multiply-adds that one core begins in a cycle; bytes
    that it reads in a cycle from L2, L3 and memory; and the cycles in which two
    cores answer each other once.
  }];
  let parameters = (ins "int64_t":$cores, "int64_t":$l1, "int64_t":$l2,
                        "int64_t":$l3, "int64_t":$fmas, "int64_t":$l2Rate,
                        "int64_t":$l3Rate, "int64_t":$memoryRate,
                        "int64_t":$roundTrip);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kernel_RefType : TypeDef<Kernel_Dialect, "Ref"> {
  let mnemonic = "ref";
  let summary = "A tensor that has a place in memory";
  let parameters = (ins "::mlir::RankedTensorType":$tensor);
  let assemblyFormat = "`<` $tensor `>`";
}

def Kernel_Value : AnyTypeOf<[AnyRankedTensor, Kernel_RefType]>;

// A state of the session: the same in both forms of a program.
def Kernel_State
    : Type<CPred<"::llvm::isa<::attnc::attn::StateType>($_self)">, "a state">;
def Kernel_Input : AnyTypeOf<[AnyRankedTensor, Kernel_RefType, Kernel_State]>;

#endif // KERNEL_DIALECT
