//===- WarpDialect.td - the warp dialect, its types and attributes -*- tablegen -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What values a thread block works with.
//
//===----------------------------------------------------------------------===//

#ifndef WARP_DIALECT
#define WARP_DIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Warp_Dialect : Dialect {
  let name = "warp";
  let cppNamespace = "::attnc::warp";
  let summary = "How one thread block works";
  let description = [{
    A `warp.program` is what every thread of a block runs: scalar code of
    `arith`, `math`, `scf` and `llvm` at the level of one thread, and ops on
    values that threads hold together. Tiles lie in shared memory; fragments are
    spread over the registers of a warp. Copies, products and barriers are ops
    of their own, so that passes can place tiles (`PlanSharedMemory`), prove that
    nobody reads a tile that has not landed (`VerifyBarriers`) and only then turn
    fragments into registers (`LowerWarp`).

    A product m16n8 gives lane l of a warp, with g = l / 4 and t = l mod 4, the
    elements (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1). An accumulator
    is made of such blocks, row of blocks by row of blocks; of every row a thread
    holds the same columns, and four neighbouring lanes hold all of it.
  }];
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect"
  ];
  let extraClassDeclaration = [{
    /// Program argument: a tensor map of 128 bytes, passed by value.
    static constexpr llvm::StringLiteral kTensorMapAttr = "warp.tensor_map";
  }];
}

class Warp_Op<string mnemonic, list<Trait> traits = []>
    : Op<Warp_Dialect, mnemonic, traits>;

class Warp_Attr<string name, string attrMnemonic>
    : AttrDef<Warp_Dialect, name> {
  let mnemonic = attrMnemonic;
}

class Warp_Type<string name, string typeMnemonic>
    : TypeDef<Warp_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Warp_LayoutAttr : Warp_Attr<"Layout", "layout"> {
  let summary = "Where the elements of a tile lie";
  let description = [{
    Columns are cut into panels of `panel` bytes (0: one panel, whole rows); a
    panel holds its part of every row, one after the other. In row r, the chunk
    of 16 bytes with number c lies at chunk c xor ((r >> shift) & mask), so that
    neither rows nor columns of chunks collide in the banks of shared memory.
  }];
  let parameters = (ins "int64_t":$panel, "int64_t":$mask, "int64_t":$shift);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Warp_RoleAttr : I32EnumAttr<"Role", "what a fragment is in a product", [
    I32EnumAttrCase<"acc", 0>, I32EnumAttrCase<"lhs", 1>,
    I32EnumAttrCase<"rhs", 2>]> {
  let cppNamespace = "::attnc::warp";
}

def Warp_CombineAttr : I32EnumAttr<"Combine", "how elements of a row become one", [
    I32EnumAttrCase<"add", 0>, I32EnumAttrCase<"max", 1>]> {
  let cppNamespace = "::attnc::warp";
}

def Warp_PrecisionAttr : I32EnumAttr<"Precision", "what a product of f32 keeps", [
    I32EnumAttrCase<"tf32", 0>, I32EnumAttrCase<"f32", 1>]> {
  let cppNamespace = "::attnc::warp";
}

def Warp_TileType : Warp_Type<"Tile", "tile"> {
  let summary = "Rows in shared memory";
  let description = [{
    `!warp.tile<128x64xbf16>`; with three numbers, `!warp.tile<4x128x64xbf16>`,
    the first counts equal stages, of which `warp.stage` sees one.
  }];
  let parameters = (ins "int64_t":$stages, "int64_t":$rows,
                        "int64_t":$columns, "::mlir::Type":$element);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getRowBytes() const {
      return getColumns() * getElement().getIntOrFloatBitWidth() / 8;
    }
    int64_t getStageBytes() const { return getRows() * getRowBytes(); }
    /// Of a tile in panels: bytes of a row in one, which tensor maps swizzle by.
    int64_t getPanelBytes() const { return getRowBytes() % 128 ? 64 : 128; }
  }];
}

def Warp_FragmentType : Warp_Type<"Fragment", "fragment"> {
  let summary = "A matrix in the registers of one warp";
  let description = [{
    `!warp.fragment<acc, 16x64xf32>`: a sum; `<lhs, 16x16xbf16>` and
    `<rhs, 16x64xbf16>`: M x K and K x N operands of a product. Blocks are
    m16n8, m16k16 and k16n8 (k8 for f32).
  }];
  let parameters = (ins "::attnc::warp::Role":$role, "int64_t":$rows,
                        "int64_t":$columns, "::mlir::Type":$element);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Registers of 32 bits that each thread holds.
    int64_t getRegisters() const {
      return getRows() * getColumns() *
             getElement().getIntOrFloatBitWidth() / (32 * 32);
    }
  }];
}

def Warp_RowsType : Warp_Type<"Rows", "rows"> {
  let summary = "One f32 per row of an accumulator";
  let description = [{
    `!warp.rows<16>`: of 16 rows each thread holds the two that it has elements
    of, so that four lanes hold the same numbers (or parts of a sum).
  }];
  let parameters = (ins "int64_t":$rows);
  let assemblyFormat = "`<` $rows `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    int64_t getRegisters() const { return getRows() / 8; }
  }];
}

def Warp_PendingType : Warp_Type<"Pending", "pending"> {
  let summary = "A fragment that a running product will write";
  let parameters = (ins "::attnc::warp::FragmentType":$fragment);
  let assemblyFormat = "`<` $fragment `>`";
}

def Warp_BarrierType : Warp_Type<"Barrier", "barrier"> {
  let summary = "Barriers in shared memory, one per stage";
  let parameters = (ins "int64_t":$stages);
  let assemblyFormat = "`<` $stages `>`";
}

def Warp_Pointer : Type<CPred<"::llvm::isa<::mlir::LLVM::LLVMPointerType>($_self)">,
                        "a pointer">;
def Warp_Matrix : AnyTypeOf<[Warp_FragmentType, Warp_RowsType]>;

#endif // WARP_DIALECT
