//===- BuildPrograms.cpp - kernels become programs of thread blocks -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before: variants for GPUs, scheduled. After, beside them, for every
// `kernel.func`
//
//   warp.program @VARIANT_KERNEL(%sizes: !llvm.ptr<1>, ...) threads N
//
// or several that run one after the other. Constants of a program move into
// the kernels that read them, and kernels' scratch becomes a slot. Declined
// with an error: an op that no kernel for GPUs computes, a tile that does not
// fit.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/gpu/ProgramBuilder.h"
#include "compiler/schedule/ProgramInfo.h"
#include "dialects/attn/EntryStorage.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_BUILDPROGRAMS
#include "compiler/Passes.h.inc"

namespace {

ArrayRef<NamedAttribute> getArgAttrs(kernel::FuncOp kernel, unsigned index) {
  DictionaryAttr attrs = kernel.getArgAttrDict(index);
  return attrs ? attrs.getValue() : ArrayRef<NamedAttribute>();
}

/// A kernel whose constant operands stand in its body.
kernel::FuncOp foldConstants(kernel::FuncOp kernel,
                             ArrayRef<kernel::ConstantOp> constants,
                             StringRef name) {
  kernel::FuncOp clone = kernel.clone();
  clone.setSymName(name);
  OpBuilder b = OpBuilder::atBlockBegin(&clone.getBody().front());
  SmallVector<Type> inputs;
  SmallVector<DictionaryAttr> attrs;
  llvm::BitVector erased(constants.size());
  Block &block = clone.getBody().front();
  for (auto [index, constant] : llvm::enumerate(constants)) {
    BlockArgument argument = block.getArgument(index);
    if (!constant) {
      inputs.push_back(argument.getType());
      attrs.push_back(
          DictionaryAttr::get(b.getContext(), getArgAttrs(kernel, index)));
      continue;
    }
    erased.set(index);
    kernel::ConstantOp op = constant;
    argument.replaceAllUsesWith(attn::ConstantOp::create(
        b, op.getLoc(), argument.getType(), op.getValue()));
  }
  block.eraseArguments(erased);
  clone.setFunctionType(b.getFunctionType(inputs, clone.getResultTypes()));
  if (clone.getArgAttrsAttr())
    clone.setArgAttrsAttr(
        b.getArrayAttr(SmallVector<Attribute>(attrs.begin(), attrs.end())));
  return clone;
}

std::optional<gpu::Operands> parseOperands(StringRef name) {
  return llvm::StringSwitch<std::optional<gpu::Operands>>(name)
      .Case("bf16", gpu::Operands::BF16)
      .Case("f16", gpu::Operands::F16)
      .Case("tf32", gpu::Operands::TF32)
      .Case("f32", gpu::Operands::F32)
      .Default(std::nullopt);
}

struct BuildPrograms : impl::BuildProgramsBase<BuildPrograms> {
  using BuildProgramsBase::BuildProgramsBase;

  /// Kernels take their constants in.
  void moveConstants(kernel::VariantOp variant) {
    SymbolTable symbols(variant);
    llvm::StringMap<StringAttr> known;
    llvm::SetVector<Operation *> replaced;
    auto dispatches = SmallVector<kernel::DispatchOp>();
    variant.walk([&](kernel::DispatchOp op) { dispatches.push_back(op); });
    for (kernel::DispatchOp dispatch : dispatches) {
      SmallVector<kernel::ConstantOp> constants;
      std::string key = dispatch.getKernel().str();
      SmallVector<Value> rest;
      for (Value operand : dispatch.getIns()) {
        auto constant = operand.getDefiningOp<kernel::ConstantOp>();
        constants.push_back(constant);
        llvm::raw_string_ostream os(key);
        os << "/";
        if (constant)
          os << constant.getValue();
        else
          rest.push_back(operand);
      }
      if (rest.size() == dispatch.getIns().size())
        continue;
      StringAttr &name = known[key];
      if (!name) {
        kernel::FuncOp kernel = getKernel(dispatch);
        replaced.insert(kernel);
        kernel::FuncOp clone =
            foldConstants(kernel, constants, kernel.getSymName());
        name = symbols.insert(clone, Block::iterator(kernel));
      }
      dispatch.setKernel(name.getValue());
      dispatch.getInsMutable().assign(rest);
    }
    for (Operation *kernel : replaced)
      if (SymbolTable::symbolKnownUseEmpty(kernel, variant))
        kernel->erase();
  }

  /// A last slot that holds the scratch of the program's kernels.
  void addScratchSlot(kernel::ProgramOp program) {
    std::vector<SizeExpr> scratch = getScratchBytes(program);
    if (scratch.empty() || !program.hasSlots())
      return;
    OpBuilder b(program);
    SmallVector<Attribute> slots(program.getSlotsAttr().getValue());
    SmallVector<Attribute> bytes;
    for (const SizeExpr &expr : scratch)
      bytes.push_back(b.getStringAttr(expr.str()));
    slots.push_back(b.getArrayAttr(bytes));
    program.setSlotsAttr(b.getArrayAttr(slots));
    program->setAttr(gpu::kScratchAttr, b.getI64IntegerAttr(slots.size() - 1));
  }

  /// Weights of products stand on the device as the file keeps them where that
  /// is 8 or 4 bits, and else in the products' type.
  void storeWeights(kernel::FuncOp kernel, gpu::Operands operands) {
    auto linear = dyn_cast<attn::LinearOp>(kernel.getComputeOp());
    if (!linear)
      return;
    const unsigned weight =
        cast<BlockArgument>(linear.getWeight()).getArgNumber();
    auto panels =
        dyn_cast_or_null<kernel::PanelsAttr>(kernel.getLayout(weight));
    const kernel::Format format =
        panels ? panels.getFormat() : kernel::Format::f32;
    Type type;
    if (format == kernel::Format::i8)
      type = IntegerType::get(&getContext(), 8);
    else if (format == kernel::Format::i4)
      type = IntegerType::get(&getContext(), 4);
    else if (operands == gpu::Operands::BF16)
      type = BFloat16Type::get(&getContext());
    else if (operands == gpu::Operands::F16)
      type = Float16Type::get(&getContext());
    if (type)
      kernel.setArgAttr(weight, gpu::kStorageAttr, TypeAttr::get(type));
  }

  /// What memory holds of a value of f32, if it is narrower: `arena` of those
  /// in the arena, and what the entry says of callers' tensors.
  static Type getStorage(Value value, Type arena) {
    if (isa<attn::StateType>(value.getType()) ||
        !kernel::getTensorType(value.getType()).getElementType().isF32())
      return {};
    Operation *root = getPlace(value).root.getDefiningOp();
    if (isa<kernel::SlotOp>(root))
      return arena;
    auto argument = dyn_cast<kernel::ArgumentOp>(root);
    if (!argument)
      return {};
    auto program = argument->getParentOfType<kernel::ProgramOp>();
    const unsigned index = argument.getIndex();
    const unsigned inputs = program.getNumArguments();
    return attn::getEntryStorage(
        index < inputs ? program.getArgAttrDict(index)
                       : program.getResultAttrDict(index - inputs));
  }

  /// Tensors of f32 in the arena lie there as `arena`, those of callers as
  /// their entry says. Kernels that are dispatched on several forms become as
  /// many.
  void narrowTensors(kernel::VariantOp variant, Type arena) {
    SymbolTable symbols(variant);
    llvm::StringMap<StringAttr> known;
    SmallVector<kernel::DispatchOp> dispatches;
    variant.walk([&](kernel::DispatchOp op) { dispatches.push_back(op); });
    llvm::DenseSet<Operation *> taken;
    for (kernel::DispatchOp dispatch : dispatches) {
      kernel::FuncOp kernel = getKernel(dispatch);
      std::string key = dispatch.getKernel().str() + "/";
      for (Value operand : dispatch.getOperands()) {
        Type storage = getStorage(operand, arena);
        key += !storage ? 'w' : storage.isBF16() ? 'b' : 'h';
      }
      StringAttr &name = known[key];
      if (!name) {
        if (!taken.insert(kernel).second) {
          kernel::FuncOp clone = kernel.clone();
          for (unsigned i : llvm::seq(clone.getNumArguments()))
            clone.removeArgAttr(i, b(gpu::kStorageAttr));
          for (unsigned i : llvm::seq(clone.getNumResults()))
            clone.removeResultAttr(i, b(gpu::kStorageAttr));
          symbols.insert(clone, std::next(Block::iterator(kernel)));
          kernel = clone;
        }
        name = kernel.getSymNameAttr();
        for (auto [index, value] : llvm::enumerate(dispatch.getIns()))
          if (Type storage = getStorage(value, arena))
            kernel.setArgAttr(index, gpu::kStorageAttr, TypeAttr::get(storage));
        for (auto [index, value] : llvm::enumerate(dispatch.getOuts()))
          if (Type storage = getStorage(value, arena))
            kernel.setResultAttr(index, gpu::kStorageAttr,
                                 TypeAttr::get(storage));
      }
      dispatch.setKernel(name.getValue());
    }
  }

  StringAttr b(StringRef text) { return StringAttr::get(&getContext(), text); }

  LogicalResult buildVariant(kernel::VariantOp variant, const Target &target) {
    std::optional<gpu::Operands> operands = parseOperands(products);
    if (!operands)
      return variant.emitError("error[A0527]: no products of '")
             << products << "' on a GPU; expected bf16, f16, tf32 or f32";
    moveConstants(variant);
    Type arena;
    if (activations == "bf16")
      arena = BFloat16Type::get(&getContext());
    else if (activations == "f16")
      arena = Float16Type::get(&getContext());
    else if (activations != "f32")
      return variant.emitError("error[A0527]: no activations of '")
             << activations << "' on a GPU; expected f32, bf16 or f16";
    narrowTensors(variant, arena);
    for (auto kernel : variant.getBody().getOps<kernel::FuncOp>()) {
      storeWeights(kernel, *operands);
      std::string symbol = getKernelSymbol(variant, kernel.getSymName());
      if (failed(gpu::ProgramBuilder(getOperation(), kernel, target, *operands,
                                     symbol)
                     .build()))
        return failure();
    }
    for (auto program : variant.getBody().getOps<kernel::ProgramOp>())
      addScratchSlot(program);
    return success();
  }

  void runOnOperation() override {
    // Programs are added to the module while it is walked.
    auto variants = llvm::to_vector(getOperation().getOps<kernel::VariantOp>());
    for (kernel::VariantOp variant : variants) {
      const Target *target = Target::find(variant.getTarget());
      if (target && target->isGpu() && failed(buildVariant(variant, *target)))
        return signalPassFailure();
    }
  }
};
} // namespace
} // namespace attnc
