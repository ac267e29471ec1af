//===- AttnDialect.td - the attn dialect -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef ATTN_DIALECT
#define ATTN_DIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Attn_Dialect : Dialect {
  let name = "attn";
  let cppNamespace = "::attnc::attn";
  let summary = "What an attention model means, before anything about machines";
  let description = [{
    Values are tensors whose dynamic dimensions are named: the encoding
    `#attn.sizes<batch, seq, 384>` gives every dimension as a number or as an
    expression over the sizes that `attn.size` declares. Weights are symbols
    with recipes; their bytes never enter the IR. Fusion is a region: ops carry
    element, row, score and mask regions whose extra operands ("captures") come
    with an indexing map.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect"];
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Module attribute: paths of the files that hold the weights' sources.
    static constexpr llvm::StringLiteral kFilesAttr = "attn.files";
    /// Module attribute: the folder of an adapter that changes the weights.
    static constexpr llvm::StringLiteral kAdapterAttr = "attn.adapter";
    /// Module attribute: adapters that sessions choose from, "NAME=FOLDER".
    static constexpr llvm::StringLiteral kAdaptersAttr = "attn.adapters";
    /// Module attribute: the name of the library.
    static constexpr llvm::StringLiteral kNameAttr = "attn.name";
    /// Module attribute: the last stage of the pipeline that ran.
    static constexpr llvm::StringLiteral kStageAttr = "attn.stage";
    /// Module attribute: token ids at which a model stops by itself.
    static constexpr llvm::StringLiteral kStopTokensAttr = "attn.stop_tokens";
    /// Of an attn.weight: how its sources lie in the model's files, which the
    /// library may keep: "bf16", one of the formats of GGUF's blocks ("q8_0",
    /// "q4_0", "q4_1", "q4_k", "q6_k"), or "blocks", several of these.
    static constexpr llvm::StringLiteral kStoredAttr = "attn.stored";
    /// Entry argument: inclusive bounds of an integer input's elements.
    static constexpr llvm::StringLiteral kRangeAttr = "attn.range";
    /// Entry argument: the value that stands in when the caller gives NULL.
    static constexpr llvm::StringLiteral kDefaultAttr = "attn.default";
    /// Of an entry or its program: the name of another, before it and with the
    /// same signature, in whose place it runs in sessions with an adapter.
    static constexpr llvm::StringLiteral kStandsForAttr = "attn.stands_for";
  }];
}

// Of every op: tensors with dynamic dimensions carry #attn.sizes that agree with
// their shape; others carry no encoding.
def Attn_NamedShapes : NativeOpTrait<"NamedShapes"> {
  let cppNamespace = "::attnc::attn";
}

class Attn_Op<string mnemonic, list<Trait> traits = []>
    : Op<Attn_Dialect, mnemonic, !listconcat([Attn_NamedShapes], traits)>;

// Element types of values: f32 for numbers, i32 for ids, masks and indices.
def Attn_FloatTensor : RankedTensorOf<[F32]>;
def Attn_IndexTensor : RankedTensorOf<[I32]>;
def Attn_Tensor : RankedTensorOf<[F32, I32]>;

#endif // ATTN_DIALECT
