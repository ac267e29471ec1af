//===- KernelDialect.cpp - the kernel dialect -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Registers the dialect; text form and accessors of its function-like ops.
//
//===----------------------------------------------------------------------===//
#include "dialects/kernel/Kernel.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FunctionImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "dialects/kernel/KernelDialect.cpp.inc"
#include "dialects/kernel/KernelEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/kernel/KernelAttributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/kernel/KernelTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/kernel/KernelOps.cpp.inc"

namespace attnc::kernel {

void KernelDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/kernel/KernelAttributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/kernel/KernelTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/kernel/KernelOps.cpp.inc"
      >();
}

RankedTensorType getTensorType(Type type) {
  if (auto ref = dyn_cast<RefType>(type))
    return ref.getTensor();
  return cast<RankedTensorType>(type);
}

RankedTensorType WeightOp::getTensorType() {
  return kernel::getTensorType(getResult().getType());
}

Operation *FuncOp::getComputeOp() {
  Operation *terminator = getBody().front().getTerminator();
  return terminator->getPrevNode();
}

Attribute FuncOp::getLayout(unsigned index) {
  return getArgAttr(index, KernelDialect::kLayoutAttr);
}

/// `@name(args) -> results`, the part that both function-like ops share.
template <typename Op>
static ParseResult
parseSignature(OpAsmParser &parser, OperationState &state,
               SmallVectorImpl<OpAsmParser::Argument> &args,
               SmallVectorImpl<DictionaryAttr> &resultAttrs) {
  Builder &builder = parser.getBuilder();
  StringAttr name;
  SmallVector<Type> results;
  bool isVariadic = false;
  if (parser.parseSymbolName(name, SymbolTable::getSymbolAttrName(),
                             state.attributes) ||
      function_interface_impl::parseFunctionSignatureWithArguments(
          parser, /*allowVariadic=*/false, args, isVariadic, results,
          resultAttrs))
    return failure();
  SmallVector<Type> types;
  for (OpAsmParser::Argument &arg : args)
    types.push_back(arg.type);
  state.addAttribute(Op::getFunctionTypeAttrName(state.name),
                     TypeAttr::get(builder.getFunctionType(types, results)));
  call_interface_impl::addArgAndResultAttrs(
      builder, state, args, resultAttrs, Op::getArgAttrsAttrName(state.name),
      Op::getResAttrsAttrName(state.name));
  return success();
}

/// `keyword attribute`, if the keyword is there.
template <typename AttrT>
static ParseResult parseOptionalClause(OpAsmParser &parser, StringRef keyword,
                                       StringAttr name, NamedAttrList &attrs) {
  if (failed(parser.parseOptionalKeyword(keyword)))
    return success();
  AttrT attr;
  return parser.parseAttribute(attr, name, attrs);
}

/// The text that parseSignature reads. MLIR's own printer leaves the names of
/// arguments out where no argument has an attribute.
template <typename Op>
static void printSignature(OpAsmPrinter &printer, Op op) {
  auto printAttrs = [&](ArrayAttr all, unsigned index) {
    if (all)
      printer.printOptionalAttrDict(
          cast<DictionaryAttr>(all[index]).getValue());
  };
  printer << '(';
  llvm::interleaveComma(
      op.getBody().getArguments(), printer, [&](BlockArgument argument) {
        printer << argument << ": " << argument.getType();
        printAttrs(op.getArgAttrsAttr(), argument.getArgNumber());
      });
  printer << ')';
  if (op.getResultTypes().empty())
    return;
  printer << " -> (";
  llvm::interleaveComma(llvm::enumerate(op.getResultTypes()), printer,
                        [&](auto result) {
                          printer << result.value();
                          printAttrs(op.getResAttrsAttr(), result.index());
                        });
  printer << ')';
}

ParseResult FuncOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> args;
  SmallVector<DictionaryAttr> resultAttrs;
  if (parseSignature<FuncOp>(parser, state, args, resultAttrs) ||
      parseOptionalClause<TileAttr>(parser, "tile", getTileAttrName(state.name),
                                    state.attributes) ||
      parseOptionalClause<PrecisionAttr>(parser, "precision",
                                         getPrecisionAttrName(state.name),
                                         state.attributes) ||
      parseOptionalClause<StringAttr>(
          parser, "scratch", getScratchAttrName(state.name), state.attributes))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("serial")))
    state.addAttribute(getSerialAttrName(state.name),
                       parser.getBuilder().getUnitAttr());
  if (parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  return parser.parseRegion(*state.addRegion(), args);
}

void FuncOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printSignature(printer, *this);
  if (TileAttr tile = getTileAttr())
    printer << " tile " << tile;
  if (PrecisionAttr precision = getPrecisionAttr())
    printer << " precision " << precision;
  if (StringAttr scratch = getScratchAttr())
    printer << " scratch " << scratch;
  if (getSerial())
    printer << " serial";
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getFunctionTypeAttrName(), getTileAttrName(),
       getPrecisionAttrName(), getScratchAttrName(), getSerialAttrName(),
       getArgAttrsAttrName(), getResAttrsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

ParseResult ProgramOp::parse(OpAsmParser &parser, OperationState &state) {
  SmallVector<OpAsmParser::Argument> args;
  SmallVector<DictionaryAttr> resultAttrs;
  ArrayAttr sizes;
  if (parseSignature<ProgramOp>(parser, state, args, resultAttrs) ||
      parser.parseKeyword("sizes") ||
      parser.parseAttribute(sizes, getSizesAttrName(state.name),
                            state.attributes) ||
      parseOptionalClause<ArrayAttr>(
          parser, "slots", getSlotsAttrName(state.name), state.attributes) ||
      parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  return parser.parseRegion(*state.addRegion(), args);
}

void ProgramOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printSignature(printer, *this);
  printer << " sizes " << getSizesAttr();
  if (ArrayAttr slots = getSlotsAttr())
    printer << " slots " << slots;
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(),
      {getSymNameAttrName(), getFunctionTypeAttrName(), getSizesAttrName(),
       getSlotsAttrName(), getArgAttrsAttrName(), getResAttrsAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

} // namespace attnc::kernel
