//===- KernelVerifiers.cpp - the constraints of every op
//----------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One function per op; a check that implements constraint N of kernel.OP
// carries the label OP_cN, as does its negative test.
//
//===----------------------------------------------------------------------===//
#include "compiler/Target.h"
#include "dialects/attn/Constraints.h"
#include "dialects/kernel/Kernel.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace attnc::kernel {

LogicalResult verifyNamedShapes(Operation *op) {
  for (Type type :
       llvm::concat<Type>(op->getOperandTypes(), op->getResultTypes())) {
    if (auto ref = dyn_cast<RefType>(type))
      type = ref.getTensor();
    if (failed(attn::verifyNamedTensor(op, type)))
      return failure();
  }
  return success();
}

/// An expression over sizes that the module declares.
static LogicalResult verifySizeText(Operation *op, StringRef what,
                                    StringRef text) {
  std::optional<SizeExpr> expr = SizeExpr::parse(text);
  if (!expr)
    return op->emitOpError() << "expects " << what
                             << " to be a sum of products of size names and "
                                "numbers, got '"
                             << text << "'";
  for (const std::string &name : expr->names())
    if (!attn::lookupSize(op, name))
      return op->emitOpError() << "names the size '" << name << "' in " << what
                               << ", which no attn.size declares";
  return success();
}

//===----------------------------------------------------------------------===//
// Variants and kernels
//===----------------------------------------------------------------------===//

LogicalResult VariantOp::verify() {
  // variant_c1
  if (!Target::find(getTarget())) {
    InFlightDiagnostic error = emitOpError() << "expects a known target, got '"
                                             << getTarget() << "'; known are ";
    llvm::interleaveComma(Target::all(), error,
                          [&](const Target &target) { error << target.name; });
    return error;
  }
  // variant_c2
  if (getBody().empty())
    return emitOpError("expects a body");
  for (Operation &op : getBody().front())
    if (!isa<FuncOp, ProgramOp>(op)) {
      InFlightDiagnostic error = emitOpError(
          "expects only kernel.func and kernel.program in its body");
      error.attachNote(op.getLoc()) << "got '" << op.getName() << "'";
      return error;
    }
  // variant_c3
  if (MachineAttr machine = getMachineAttr())
    if (machine.getL3() < 0 ||
        llvm::min_element(std::initializer_list<int64_t>{
            machine.getCores(), machine.getL1(), machine.getL2(),
            machine.getFmas(), machine.getL2Rate(), machine.getL3Rate(),
            machine.getMemoryRate(), machine.getRoundTrip()})[0] < 1)
      return emitOpError("expects positive numbers of its machine, got ")
             << machine;
  return success();
}

static LogicalResult verifyLayout(FuncOp op, unsigned index, Attribute layout) {
  // func_c3
  if (auto blocks = dyn_cast<BlocksAttr>(layout)) {
    if (blocks.getPositions() < 1)
      return op.emitOpError()
             << "expects blocks of a positive number of positions on argument "
             << index << ", got " << blocks.getPositions();
    if (blocks.getFormat() == Format::i4)
      return op.emitOpError()
             << "expects blocks of f32, bf16 or i8 on argument " << index
             << ", got " << blocks;
    if (!isa<attn::StateType>(op.getArgumentTypes()[index]))
      return op.emitOpError()
             << "expects #kernel.blocks on states; argument " << index << " is "
             << op.getArgumentTypes()[index];
    return success();
  }
  auto type = dyn_cast<RankedTensorType>(op.getArgumentTypes()[index]);
  if (auto panels = dyn_cast<PanelsAttr>(layout)) {
    if (panels.getWidth() < 1)
      return op.emitOpError()
             << "expects panels of a positive width on argument " << index
             << ", got " << panels.getWidth();
    if (!type || type.getRank() != 2 || !type.getElementType().isF32())
      return op.emitOpError()
             << "expects #kernel.panels on f32 tensors of rank 2; argument "
             << index << " is " << op.getArgumentTypes()[index];
    const bool mustGroup = panels.getFormat() == Format::i4;
    const bool mayGroup = mustGroup || panels.getFormat() == Format::i8;
    if (panels.getGroup() == 0
            ? mustGroup
            : !mayGroup || panels.getGroup() < 8 || panels.getGroup() % 8 != 0)
      return op.emitOpError() << "expects groups of a multiple of 8 in panels "
                                 "of i4, such groups or none in those of i8, "
                                 "and none in others; argument "
                              << index << " has " << panels;
    if (panels.getGroup() == 0 && panels.getScales() != Scales::f16)
      return op.emitOpError()
             << "expects scales of " << stringifyScales(panels.getScales())
             << " beside groups only; argument " << index << " has " << panels;
    return success();
  }
  auto rows = dyn_cast<RowsAttr>(layout);
  if (!rows || rows.getStride() < 1)
    return op.emitOpError() << "expects the layout of argument " << index
                            << " to be #kernel.panels<WIDTH> or "
                               "#kernel.rows<STRIDE>, positive; got "
                            << layout;
  return success();
}

static LogicalResult verifyPrecision(FuncOp op, Operation *compute) {
  // func_c4
  PrecisionAttr precision = op.getPrecisionAttr();
  if (!precision)
    return success();
  Format rows = precision.getActivations();
  if (isa<attn::AttentionOp>(compute)) {
    if (rows == Format::bf16 && precision.getWeights() == Format::bf16)
      return success();
    return op.emitOpError()
           << "expects bf16 on both sides of an attn.attention; got "
           << precision;
  }
  if (!isa<attn::LinearOp>(compute))
    return op.emitOpError() << "expects 'precision' on an attn.linear or an "
                               "attn.attention, got '"
                            << compute->getName() << "'";
  const bool follow = rows == precision.getWeights() &&
                      (rows == Format::bf16 || rows == Format::i8);
  const bool isBesideNibbles =
      rows == Format::i8 && precision.getWeights() == Format::i4;
  if (rows != Format::f32 && !follow && !isBesideNibbles)
    return op.emitOpError() << "expects activations of f32, of bf16 or i8 as "
                               "the weights are, or "
                               "of i8 beside i4; got "
                            << precision;
  if (precision.getGroup() == 0 && precision.getScales() != Scales::f16)
    return op.emitOpError()
           << "expects scales of " << stringifyScales(precision.getScales())
           << " beside groups only; got " << precision;
  return success();
}

LogicalResult FuncOp::verify() {
  // func_c1
  if (getBody().empty() || getBody().front().empty() ||
      !isa<ReturnOp>(getBody().front().back()))
    return emitOpError("expects a body that ends with kernel.return");
  Operation *terminator = getBody().front().getTerminator();
  Operation *compute = nullptr;
  for (Operation &op : getBody().front().without_terminator()) {
    if (op.hasTrait<OpTrait::ConstantLike>())
      continue;
    if (compute || !isa<attn::AttnDialect>(op.getDialect()))
      return emitOpError()
             << "expects one computing op of the attn dialect, got '"
             << op.getName() << "'"
             << (compute ? " beside '" + compute->getName().getStringRef() + "'"
                         : Twine());
    compute = &op;
  }
  if (!compute)
    return emitOpError(
        "expects one computing op of the attn dialect, got none");
  if (!llvm::equal(terminator->getOperands(), compute->getResults()))
    return emitOpError() << "expects to return exactly the results of '"
                         << compute->getName() << "', in order";
  if (!llvm::equal(terminator->getOperandTypes(), getResultTypes())) {
    InFlightDiagnostic error = emitOpError("expects to return (");
    llvm::interleaveComma(getResultTypes(), error);
    error << "), as its type says; got (";
    llvm::interleaveComma(terminator->getOperandTypes(), error);
    return error << ")";
  }
  for (unsigned index = 0; index < getArgumentTypes().size(); ++index)
    if (Attribute layout = getLayout(index))
      if (failed(verifyLayout(*this, index, layout)))
        return failure();
  return verifyPrecision(*this, compute);
}

LogicalResult FuncOp::verifySymbolUses(SymbolTableCollection &) {
  // func_c2
  if (getScratch() && failed(verifySizeText(*this, "'scratch'", *getScratch())))
    return failure();
  return attn::verifyDeclaredSizes(*this);
}

//===----------------------------------------------------------------------===//
// Programs
//===----------------------------------------------------------------------===//

static bool isTensor(Type type) { return isa<TensorType>(type); }

static LogicalResult verifySlotForm(ProgramOp op) {
  for (Operation &inner : op.getBody().front()) {
    // program_c2
    if (llvm::any_of(inner.getOperandTypes(), isTensor) ||
        llvm::any_of(inner.getResultTypes(), isTensor)) {
      InFlightDiagnostic error =
          op.emitOpError("expects no tensors once it has slots");
      error.attachNote(inner.getLoc()) << "'" << inner.getName() << "' has one";
      return error;
    }
    // program_c3
    auto slot = dyn_cast<SlotOp>(inner);
    int64_t count = op.getSlotsAttr().size();
    if (slot && int64_t(slot.getIndex()) >= count)
      return slot.emitOpError() << "expects one of the program's " << count
                                << " slots, got " << slot.getIndex();
  }
  return success();
}

LogicalResult ProgramOp::verify() {
  // program_c4
  if (getBody().empty() || getBody().front().empty() ||
      !isa<ReturnOp>(getBody().front().back()))
    return emitOpError("expects a body that ends with kernel.return");
  TypeRange returned = getBody().front().getTerminator()->getOperandTypes();
  TypeRange expected = hasSlots() ? TypeRange() : TypeRange(getResultTypes());
  if (!llvm::equal(returned, expected)) {
    InFlightDiagnostic error = emitOpError("expects to return (");
    llvm::interleaveComma(expected, error);
    error << (hasSlots() ? ") in its slot form, got (" : "), got (");
    llvm::interleaveComma(returned, error);
    return error << ")";
  }
  // program_c1
  int64_t phase = 0;
  for (auto dispatch : getBody().getOps<DispatchOp>()) {
    if (int64_t(dispatch.getPhase()) < phase)
      return dispatch.emitOpError()
             << "expects phase " << phase
             << " or later, that of the dispatch before; got "
             << int64_t(dispatch.getPhase());
    phase = dispatch.getPhase();
  }
  return hasSlots() ? verifySlotForm(*this) : success();
}

LogicalResult ProgramOp::verifySymbolUses(SymbolTableCollection &) {
  // program_c3
  ArrayRef<Attribute> slots;
  if (hasSlots())
    slots = getSlotsAttr().getValue();
  for (Attribute slot : slots) {
    auto sizes = dyn_cast<ArrayAttr>(slot);
    if (!sizes || !llvm::all_of(sizes, llvm::IsaPred<StringAttr>))
      return emitOpError() << "expects 'slots' to hold lists of byte sizes as "
                              "strings, got "
                           << slot;
    for (auto size : sizes.getAsValueRange<StringAttr>())
      if (failed(verifySizeText(*this, "'slots'", size)))
        return failure();
  }
  return attn::verifyDeclaredSizes(*this);
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &) {
  // weight_c1
  auto module = (*this)->getParentOfType<ModuleOp>();
  auto weight = module ? module.lookupSymbol<attn::WeightOp>(getWeight())
                       : attn::WeightOp();
  if (!weight)
    return emitOpError() << "expects @" << getWeight()
                         << " to be an attn.weight of the module";
  if (weight.getType() != getTensorType())
    return emitOpError() << "expects the type of @" << getWeight() << ", "
                         << weight.getType() << ", got " << getTensorType();
  return success();
}

LogicalResult StateOp::verifySymbolUses(SymbolTableCollection &) {
  // state_c1
  auto module = (*this)->getParentOfType<ModuleOp>();
  auto state =
      module ? module.lookupSymbol<attn::StateOp>(getState()) : attn::StateOp();
  if (!state)
    return emitOpError() << "expects @" << getState()
                         << " to be an attn.state of the module";
  if (state.getType() != getResult().getType())
    return emitOpError() << "expects the type of @" << getState() << ", "
                         << state.getType() << ", got "
                         << getResult().getType();
  // state_c2
  if (stringifyFormat(getLayout().getFormat()) !=
      stringifyStateFormat(state.getFormat()))
    return emitOpError() << "expects blocks of what @" << getState()
                         << " keeps, "
                         << stringifyStateFormat(state.getFormat()) << ", got "
                         << getLayout();
  return success();
}

LogicalResult ConstantOp::verify() {
  // constant_c1
  Type type = kernel::getTensorType(getResult().getType());
  if (getValue().getShapedType() != type)
    return emitOpError() << "expects a result of its value's type, "
                         << getValue().getShapedType() << ", got " << type;
  return success();
}

LogicalResult ViewOp::verify() {
  // view_c1
  SmallVector<SizeExpr> base =
      attn::getNamedShape(kernel::getTensorType(getBase().getType()));
  SmallVector<SizeExpr> result =
      attn::getNamedShape(kernel::getTensorType(getResult().getType()));
  int64_t offset = getOffset();
  if (offset == 0 && attn::getProduct(base) == attn::getProduct(result))
    return success();
  size_t shared = 0;
  while (shared < std::min(base.size(), result.size()) &&
         base[shared] == result[shared])
    ++shared;
  SizeExpr row = attn::getProduct(ArrayRef(base).drop_front(shared));
  SizeExpr part = attn::getProduct(ArrayRef(result).drop_front(shared));
  if (row.isNumber() && part.isNumber() && offset >= 0 &&
      part.number() <= row.number() - offset)
    return success();
  return emitOpError() << "expects " << part.str() << " elements from "
                       << offset << " on to fit into rows of " << row.str()
                       << " (all of " << attn::toString(base) << " after its "
                       << shared << " dimensions in common with "
                       << attn::toString(result) << ")";
}

//===----------------------------------------------------------------------===//
// Dispatches
//===----------------------------------------------------------------------===//

static LogicalResult verifyTypes(DispatchOp op, StringRef what, TypeRange got,
                                 ArrayRef<Type> expected) {
  auto tensors = llvm::map_range(got, [](Type type) -> Type {
    return isa<attn::StateType>(type) ? type : Type(getTensorType(type));
  });
  if (llvm::equal(tensors, expected))
    return success();
  InFlightDiagnostic error = op.emitOpError() << "expects " << what << " of @"
                                              << op.getKernel() << " to be (";
  llvm::interleaveComma(expected, error);
  error << "), got (";
  llvm::interleaveComma(got, error);
  return error << ")";
}

LogicalResult DispatchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // dispatch_c1
  auto kernel = symbols.lookupNearestSymbolFrom<FuncOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "expects @" << getKernel()
                         << " to be a kernel.func of its variant";
  if (failed(verifyTypes(*this, "the inputs", getIns().getTypes(),
                         kernel.getArgumentTypes())) ||
      failed(verifyTypes(*this, "the outputs", getOuts().getTypes(),
                         kernel.getResultTypes())))
    return failure();
  // dispatch_c2
  if (getCycles() && failed(verifySizeText(*this, "'cycles'", *getCycles())))
    return failure();
  if (getBlockRows() && *getBlockRows() < 1)
    return emitOpError("expects a positive number of block_rows, got ")
           << *getBlockRows();
  bool onTensors = llvm::any_of(getOuts().getTypes(), isTensor);
  if (!onTensors && getNumResults() == 0)
    return success();
  return verifyTypes(*this, "the results", getResultTypes(),
                     kernel.getResultTypes());
}

} // namespace attnc::kernel
