//===- WarpDialect.cpp - the warp dialect ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registers the dialect; text form of its types and of programs.
//
//===----------------------------------------------------------------------===//
#include "dialects/warp/Warp.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

/// A list of types, each with its dialect.
static ParseResult parseQualifiedTypes(OpAsmParser &parser,
                                       SmallVectorImpl<Type> &types) {
  // A list may be empty: nothing that begins a type follows then.
  Type type;
  OptionalParseResult first = parser.parseOptionalType(type);
  if (!first.has_value())
    return success();
  if (failed(*first))
    return failure();
  types.push_back(type);
  while (succeeded(parser.parseOptionalComma()))
    if (parser.parseType(types.emplace_back()))
      return failure();
  return success();
}

static void printQualifiedTypes(OpAsmPrinter &printer, Operation *,
                                TypeRange types) {
  llvm::interleaveComma(types, printer);
}

#include "dialects/warp/WarpDialect.cpp.inc"
#include "dialects/warp/WarpEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/warp/WarpAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/warp/WarpTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/warp/WarpOps.cpp.inc"

namespace attnc::warp {

void WarpDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/warp/WarpAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/warp/WarpTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/warp/WarpOps.cpp.inc"
      >();
}

AllocOp getAlloc(Value tile) {
  if (auto stage = tile.getDefiningOp<StageOp>())
    tile = stage.getTile();
  return tile.getDefiningOp<AllocOp>();
}

//===-- types -------------------------------------------------------------===//

/// `<` [STAGES x] ROWS x COLUMNS x ELEMENT `>`
Type TileType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  SMLoc place = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(element) || parser.parseGreater())
    return {};
  if (shape.size() == 2)
    shape.insert(shape.begin(), 1);
  if (shape.size() != 3) {
    parser.emitError(place, "expected ROWSxCOLUMNS or STAGESxROWSxCOLUMNS");
    return {};
  }
  return parser.getChecked<TileType>(parser.getContext(), shape[0], shape[1],
                                     shape[2], element);
}

void TileType::print(AsmPrinter &printer) const {
  printer << '<';
  if (getStages() != 1)
    printer << getStages() << 'x';
  printer << getRows() << 'x' << getColumns() << 'x' << getElement() << '>';
}

LogicalResult TileType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t stages, int64_t rows, int64_t columns,
                               Type element) {
  if (stages < 1 || rows < 1 || columns < 1)
    return emitError() << "expects a tile of at least one stage, row and "
                          "column";
  if (!element.isF32() && !element.isBF16() && !element.isF16())
    return emitError() << "expects a tile of f32, bf16 or f16, got " << element;
  if (columns * element.getIntOrFloatBitWidth() % 128 != 0)
    return emitError() << "expects rows of whole chunks of 16 bytes, got "
                       << columns << " elements of " << element;
  return success();
}

/// `<` ROLE `,` ROWS x COLUMNS x ELEMENT `>`
Type FragmentType::parse(AsmParser &parser) {
  StringRef role;
  SmallVector<int64_t> shape;
  Type element;
  SMLoc place = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseKeyword(&role) || parser.parseComma() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(element) || parser.parseGreater())
    return {};
  std::optional<Role> known = symbolizeRole(role);
  if (!known || shape.size() != 2) {
    parser.emitError(place, "expected acc, lhs or rhs, and ROWSxCOLUMNS");
    return {};
  }
  return parser.getChecked<FragmentType>(parser.getContext(), *known, shape[0],
                                         shape[1], element);
}

void FragmentType::print(AsmPrinter &printer) const {
  printer << '<' << stringifyRole(getRole()) << ", " << getRows() << 'x'
          << getColumns() << 'x' << getElement() << '>';
}

LogicalResult FragmentType::verify(function_ref<InFlightDiagnostic()> emitError,
                                   Role role, int64_t rows, int64_t columns,
                                   Type element) {
  const bool isF32 = element.isF32();
  if (!isF32 && (role == Role::acc || (!element.isBF16() && !element.isF16())))
    return emitError() << "expects "
                       << (role == Role::acc ? "f32" : "f32, bf16 or f16")
                       << ", got " << element;
  const int64_t depth = isF32 ? 8 : 16;
  int64_t rowBlock = role == Role::rhs ? depth : 16;
  int64_t columnBlock = role == Role::acc ? 8 : role == Role::lhs ? depth : 16;
  if (rows < 1 || columns < 1 || rows % rowBlock || columns % columnBlock)
    return emitError() << "expects blocks of " << rowBlock << "x" << columnBlock
                       << ", got " << rows << "x" << columns;
  return success();
}

LogicalResult RowsType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t rows) {
  if (rows < 1 || rows % 16)
    return emitError() << "expects a multiple of 16 rows, got " << rows;
  return success();
}

//===-- programs ----------------------------------------------------------===//

ParseResult ProgramOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> args;
  SmallVector<DictionaryAttr> resultAttrs;
  SmallVector<Type> results, types;
  Builder &builder = parser.getBuilder();
  StringAttr name;
  bool isVariadic = false;
  int64_t threads = 0;
  if (parser.parseSymbolName(name, SymbolTable::getSymbolAttrName(),
                             state.attributes) ||
      function_interface_impl::parseFunctionSignatureWithArguments(
          parser, /*allowVariadic=*/false, args, isVariadic, results,
          resultAttrs) ||
      parser.parseKeyword("threads") || parser.parseInteger(threads))
    return failure();
  state.addAttribute(getThreadsAttrName(state.name),
                     builder.getI64IntegerAttr(threads));
  if (succeeded(parser.parseOptionalKeyword("shared"))) {
    int64_t shared = 0;
    if (parser.parseInteger(shared))
      return failure();
    state.addAttribute(getSharedAttrName(state.name),
                       builder.getI64IntegerAttr(shared));
  }
  for (OpAsmParser::Argument &arg : args)
    types.push_back(arg.type);
  state.addAttribute(getFunctionTypeAttrName(state.name),
                     TypeAttr::get(builder.getFunctionType(types, results)));
  call_interface_impl::addArgAndResultAttrs(builder, state, args, resultAttrs,
                                            getArgAttrsAttrName(state.name),
                                            getResAttrsAttrName(state.name));
  if (parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  return parser.parseRegion(*state.addRegion(), args);
}

void ProgramOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << '(';
  llvm::interleaveComma(
      getBody().getArguments(), printer, [&](BlockArgument argument) {
        printer << argument << ": " << argument.getType();
        if (ArrayAttr attrs = getArgAttrsAttr())
          printer.printOptionalAttrDict(
              cast<DictionaryAttr>(attrs[argument.getArgNumber()]).getValue());
      });
  printer << ") threads " << getThreads();
  if (std::optional<uint64_t> shared = getShared())
    printer << " shared " << *shared;
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getFunctionTypeAttrName(), getThreadsAttrName(),
       getSharedAttrName(), getArgAttrsAttrName(), getResAttrsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

} // namespace attnc::warp
