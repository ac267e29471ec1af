//===- KernelDialect.td - the kernel dialect, its types and attributes -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef KERNEL_DIALECT
#define KERNEL_DIALECT

include "mlir/IR/AttrTypeBase.td"
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

def Kernel_PanelsAttr : Kernel_Attr<"Panels", "panels"> {
  let summary = "Weights [N, K] in column panels: [ceil(N / width)][K][width]";
  let description = [{
    Element (n, k) lies at ((n / width) * K + k) * width + n mod width; columns
    past N are zero. `#kernel.panels<48>` serves AVX-512 (one 48-wide panel) and
    AVX2 (3x16 or 2x24) alike.
  }];
  let parameters = (ins "int64_t":$width);
  let assemblyFormat = "`<` $width `>`";
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

def Kernel_TileAttr : Kernel_Attr<"Tile", "tile"> {
  let summary = "How a kernel is cut";
  let description = [{
    rows x columns is what the innermost code holds in registers; `depth` is how
    much of the contraction one pass over a block takes (0: all of it).
    `provider` names who multiplies: "" for our micro-kernels, "openblas".
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns, "int64_t":$depth,
                        DefaultValuedParameter<"::mlir::StringAttr",
                            "::mlir::StringAttr::get($_ctxt, \"\")">:$provider);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Kernel_RefType : TypeDef<Kernel_Dialect, "Ref"> {
  let mnemonic = "ref";
  let summary = "A tensor that has a place in memory";
  let parameters = (ins "::mlir::RankedTensorType":$tensor);
  let assemblyFormat = "`<` $tensor `>`";
}

def Kernel_Value : AnyTypeOf<[AnyRankedTensor, Kernel_RefType]>;

#endif // KERNEL_DIALECT
