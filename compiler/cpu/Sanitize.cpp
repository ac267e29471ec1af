//===- Sanitize.cpp - generated code that checks itself -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before: optimized LLVM IR. After: every access is preceded by a check that
// the sanitizer's runtime, in the host program, answers. ThreadSanitizer sees
// accesses of at most 16 bytes; wider vectors, masked ones and gathers, which
// are most of what kernels do, are announced here. A masked access counts as
// its first lanes: masks of memory are tails.
//
//===----------------------------------------------------------------------===//
#include "compiler/cpu/Sanitize.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"
#include "llvm/Transforms/Instrumentation/ThreadSanitizer.h"

using namespace llvm;

namespace attnc {

namespace {

/// Announces vectors to ThreadSanitizer.
class VectorAnnouncer {
public:
  explicit VectorAnnouncer(Module &module)
      : layout(module.getDataLayout()), builder(module.getContext()) {
    Type *nothing = builder.getVoidTy(), *pointer = builder.getPtrTy();
    read = module.getOrInsertFunction("__tsan_read_range", nothing, pointer,
                                      builder.getInt64Ty());
    write = module.getOrInsertFunction("__tsan_write_range", nothing, pointer,
                                       builder.getInt64Ty());
  }

  void run(Function &function) {
    SmallVector<Instruction *> accesses;
    for (Instruction &instruction : instructions(function))
      if (isa<LoadInst, StoreInst, IntrinsicInst>(instruction))
        accesses.push_back(&instruction);
    for (Instruction *access : accesses) {
      builder.SetInsertPoint(access);
      if (auto *intrinsic = dyn_cast<IntrinsicInst>(access))
        announce(*intrinsic);
      else
        announce(getLoadStoreType(access), getLoadStorePointerOperand(access),
                 isa<StoreInst>(access));
    }
  }

private:
  // What ThreadSanitizer's own pass instruments.
  static constexpr uint64_t kWidestScalar = 16;

  void announce(Type *type, Value *pointer, bool writes) {
    uint64_t bytes = layout.getTypeStoreSize(type).getFixedValue();
    if (bytes > kWidestScalar)
      builder.CreateCall(writes ? write : read,
                         {pointer, builder.getInt64(bytes)});
  }

  void announce(IntrinsicInst &intrinsic) {
    switch (intrinsic.getIntrinsicID()) {
    case Intrinsic::masked_load:
      return announceMasked(intrinsic.getType(), intrinsic.getArgOperand(0),
                            findMask(intrinsic), read);
    case Intrinsic::masked_store:
      return announceMasked(intrinsic.getArgOperand(0)->getType(),
                            intrinsic.getArgOperand(1), findMask(intrinsic),
                            write);
    case Intrinsic::masked_gather:
      return announceLanes(intrinsic.getType(), intrinsic.getArgOperand(0),
                           findMask(intrinsic), read);
    case Intrinsic::masked_scatter:
      return announceLanes(intrinsic.getArgOperand(0)->getType(),
                           intrinsic.getArgOperand(1), findMask(intrinsic),
                           write);
    default:
      return;
    }
  }

  static Value *findMask(IntrinsicInst &intrinsic) {
    for (Value *operand : intrinsic.args())
      if (operand->getType()->isVectorTy() &&
          operand->getType()->getScalarType()->isIntegerTy(1))
        return operand;
    llvm_unreachable("masked accesses have a mask");
  }

  Value *getElementBytes(Type *vector) {
    return builder.getInt64(layout.getTypeStoreSize(vector->getScalarType()));
  }

  void announceMasked(Type *type, Value *pointer, Value *mask,
                      FunctionCallee callee) {
    unsigned lanes = cast<FixedVectorType>(mask->getType())->getNumElements();
    Value *bits = builder.CreateBitCast(mask, builder.getIntNTy(lanes));
    Value *kept = builder.CreateUnaryIntrinsic(Intrinsic::ctpop, bits);
    Value *bytes = builder.CreateMul(
        builder.CreateZExt(kept, builder.getInt64Ty()), getElementBytes(type));
    builder.CreateCall(callee, {pointer, bytes});
  }

  void announceLanes(Type *type, Value *pointers, Value *mask,
                     FunctionCallee callee) {
    unsigned lanes = cast<FixedVectorType>(type)->getNumElements();
    for (unsigned lane = 0; lane < lanes; ++lane) {
      Value *kept = builder.CreateExtractElement(mask, lane);
      Value *bytes = builder.CreateSelect(kept, getElementBytes(type),
                                          builder.getInt64(0));
      builder.CreateCall(callee,
                         {builder.CreateExtractElement(pointers, lane), bytes});
    }
  }

  const DataLayout &layout;
  IRBuilder<> builder;
  FunctionCallee read, write;
};

struct AnnounceVectors : PassInfoMixin<AnnounceVectors> {
  PreservedAnalyses run(Module &module, ModuleAnalysisManager &) {
    VectorAnnouncer announcer(module);
    for (Function &function : module)
      if (!function.isDeclaration())
        announcer.run(function);
    return PreservedAnalyses::none();
  }
  static bool isRequired() { return true; }
};

} // namespace

void addSanitizer(Module &module, Sanitizer sanitizer, PassBuilder &builder) {
  if (sanitizer == Sanitizer::None)
    return;
  bool address = sanitizer == Sanitizer::Address;
  for (Function &function : module)
    if (!function.isDeclaration())
      function.addFnAttr(address ? Attribute::SanitizeAddress
                                 : Attribute::SanitizeThread);
  builder.registerOptimizerLastEPCallback([address](ModulePassManager &passes,
                                                    OptimizationLevel,
                                                    ThinOrFullLTOPhase) {
    if (address) {
      // Globals are told of by a constructor: the sections that are the
      // alternative do not outlive `ld -r`, of which static libraries are
      // made.
      passes.addPass(AddressSanitizerPass(AddressSanitizerOptions(),
                                          /*UseGlobalGC=*/false));
      return;
    }
    passes.addPass(AnnounceVectors());
    passes.addPass(ModuleThreadSanitizerPass());
    passes.addPass(createModuleToFunctionPassAdaptor(ThreadSanitizerPass()));
  });
}

} // namespace attnc
