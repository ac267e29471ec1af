//===- Retarget.cpp - kernels become host code ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   call float @llvm.nvvm.ex2.approx.ftz.f(float %x)
//   call { float, ... } asm "wgmma...", "=f,...,l,l"(i64 %a, i64 %b)
//   load <4 x float>, ptr addrspace(1) %p, align 16
//
// become
//
//   store float %x, ptr %operand0; call void @attnc_emulator_call(SITE, ...)
//   the same with the statement's own site
//   call void @attnc_emulator_access(i64 %p, i64 16, i32 0, i64 16); load ...
//
// Globals of shared memory become addresses in the emulator's window. Every
// kernel gets an entry that takes its parameters as cuLaunchKernel does. The
// address spaces stay: the host treats them all alike. Declines intrinsics and
// instructions that are not emulated, calls of unknown functions, and clusters.
//
//===----------------------------------------------------------------------===//
#include "Retarget.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/DebugInfo.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Intrinsics.h"

using namespace llvm;

namespace attnc::emulator {
namespace {

constexpr unsigned kShared = 3;

class Retargeter {
public:
  Retargeter(Module &module, const DataLayout &layout)
      : module(module), layout(layout), context(module.getContext()),
        ptr(PointerType::getUnqual(context)), i64(Type::getInt64Ty(context)),
        i32(Type::getInt32Ty(context)) {}

  Expected<Retargeted> run() {
    Type *nothing = Type::getVoidTy(context);
    call = module.getOrInsertFunction(kCallSymbol, nothing, ptr, ptr, ptr);
    access =
        module.getOrInsertFunction(kAccessSymbol, nothing, i64, i64, i32, i64);
    SmallVector<Function *> functions;
    for (Function &function : module)
      if (!function.isDeclaration())
        functions.push_back(&function);
    for (Function *function : functions)
      if (Error error = rewrite(*function))
        return std::move(error);
    placeShared();
    for (Function *function : functions)
      prepare(*function);
    return std::move(result);
  }

private:
  Error rewrite(Function &function) {
    SmallVector<CallInst *> calls;
    SmallVector<Instruction *> accesses;
    for (Instruction &instruction : instructions(function)) {
      if (auto *called = dyn_cast<CallInst>(&instruction))
        calls.push_back(called);
      if (touchesMemory(instruction))
        accesses.push_back(&instruction);
    }
    for (Instruction *instruction : accesses)
      check(*instruction);
    slots.clear();
    resultSlot = operandTable = nullptr;
    for (CallInst *called : calls)
      if (Error error = replace(*called))
        return error;
    return Error::success();
  }

  //===-- memory
  //-----------------------------------------------------------===//
  static bool touchesMemory(Instruction &instruction) {
    return isa<LoadInst, StoreInst, AtomicRMWInst, AtomicCmpXchgInst,
               MemTransferInst, MemSetInst>(instruction);
  }

  void check(Instruction &instruction) {
    IRBuilder<> builder(&instruction);
    auto emit = [&](Value *pointer, Value *bytes, bool writes, uint64_t align) {
      const Value *object = getUnderlyingObject(pointer);
      auto *global = dyn_cast<GlobalVariable>(object);
      // The thread's own, and tables of the module.
      if (isa<AllocaInst>(object) ||
          (global && global->getAddressSpace() != kShared))
        return;
      if (auto *argument = dyn_cast<Argument>(object))
        if (argument->hasByValAttr())
          return;
      builder.CreateCall(access,
                         {builder.CreatePtrToInt(pointer, i64), bytes,
                          builder.getInt32(writes), builder.getInt64(align)});
    };
    auto sized = [&](Type *type) {
      return builder.getInt64(module.getDataLayout().getTypeStoreSize(type));
    };
    if (auto *load = dyn_cast<LoadInst>(&instruction))
      emit(load->getPointerOperand(), sized(load->getType()), false,
           load->getAlign().value());
    else if (auto *store = dyn_cast<StoreInst>(&instruction))
      emit(store->getPointerOperand(),
           sized(store->getValueOperand()->getType()), true,
           store->getAlign().value());
    else if (auto *rmw = dyn_cast<AtomicRMWInst>(&instruction))
      emit(rmw->getPointerOperand(), sized(rmw->getType()), true,
           rmw->getAlign().value());
    else if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction))
      emit(exchange->getPointerOperand(),
           sized(exchange->getNewValOperand()->getType()), true,
           exchange->getAlign().value());
    else if (auto *transfer = dyn_cast<MemTransferInst>(&instruction)) {
      Value *bytes = builder.CreateZExtOrTrunc(transfer->getLength(), i64);
      emit(transfer->getRawSource(), bytes, false, 1);
      emit(transfer->getRawDest(), bytes, true, 1);
    } else if (auto *set = dyn_cast<MemSetInst>(&instruction))
      emit(set->getRawDest(), builder.CreateZExtOrTrunc(set->getLength(), i64),
           true, 1);
  }

  /// Gives every shared global its place in the window: sized ones first, what
  /// the launch sizes behind them.
  void placeShared() {
    uint64_t at = 0;
    SmallVector<GlobalVariable *> dynamic;
    auto place = [&](GlobalVariable *global) {
      auto *address = ConstantInt::get(
          i64, reinterpret_cast<uint64_t>(sharedWindow()) + at);
      global->replaceAllUsesWith(
          ConstantExpr::getIntToPtr(address, global->getType()));
      global->eraseFromParent();
    };
    for (GlobalVariable &global : make_early_inc_range(module.globals())) {
      if (global.getAddressSpace() != kShared)
        continue;
      uint64_t bytes = layout.getTypeAllocSize(global.getValueType());
      if (bytes == 0) {
        dynamic.push_back(&global);
        continue;
      }
      at = alignTo(at, global.getAlign().valueOrOne());
      place(&global);
      at += bytes;
    }
    for (GlobalVariable *global : dynamic)
      at = alignTo(at, global->getAlign().valueOrOne());
    result.staticShared = at;
    for (GlobalVariable *global : dynamic)
      place(global);
  }

  //===-- calls
  //------------------------------------------------------------===//
  Error replace(CallInst &called) {
    if (auto *assembly = dyn_cast<InlineAsm>(called.getCalledOperand()))
      return replaceAssembly(called, *assembly);
    Function *callee = called.getCalledFunction();
    if (!callee)
      return createStringError("a call through a pointer");
    StringRef name = callee->getName();
    if (name.consume_front("llvm.nvvm.")) {
      auto site = std::make_unique<Site>();
      site->name = name.str();
      site->handler = findIntrinsic(name);
      if (!site->handler)
        return createStringError("the emulator does not know llvm.nvvm." +
                                 name);
      substitute(called, std::move(site));
      return Error::success();
    }
    if (callee->isIntrinsic() || !callee->isDeclaration())
      return Error::success();
    if (callee->getName() == kCallSymbol || callee->getName() == kAccessSymbol)
      return Error::success();
    return createStringError("a call of @" + callee->getName() +
                             ", which no module defines");
  }

  Error replaceAssembly(CallInst &called, InlineAsm &assembly) {
    auto site = std::make_unique<Site>();
    site->handler = runAssembly;
    std::vector<int> outputs;
    int number = 0;
    unsigned argument = 0;
    for (const InlineAsm::ConstraintInfo &constraint :
         assembly.ParseConstraints()) {
      if (constraint.Type == InlineAsm::isClobber)
        continue;
      if (constraint.Type == InlineAsm::isOutput) {
        outputs.push_back(number++);
        continue;
      }
      StringRef code;
      if (!constraint.Codes.empty())
        code = constraint.Codes[0];
      int tied;
      Site::Input input{number, 8};
      if (!code.getAsInteger(10, tied))
        input.number = tied; // shares the output's register
      else if (code == "r" || code == "f")
        input.bytes = 4; // of a shared address, what PTX takes
      else if (code == "h")
        input.bytes = 2;
      Type *type = called.getArgOperand(argument++)->getType();
      input.bytes = std::min<int>(input.bytes, layout.getTypeStoreSize(type));
      site->inputs.push_back(input);
      ++number;
    }
    Expected<PtxSnippet> snippet =
        PtxSnippet::parse(assembly.getAsmString(), number, outputs.size());
    if (!snippet)
      return snippet.takeError();
    site->snippet = std::move(*snippet);
    if (auto *type = dyn_cast<StructType>(called.getType()))
      for (auto [index, element] : enumerate(type->elements()))
        site->outputs.push_back(
            {layout.getStructLayout(type)->getElementOffset(index),
             int(layout.getTypeStoreSize(element))});
    else if (!called.getType()->isVoidTy())
      site->outputs.push_back(
          {0, int(layout.getTypeStoreSize(called.getType()))});
    substitute(called, std::move(site));
    return Error::success();
  }

  /// Memory of the function's frame that every call uses for its `index`th
  /// operand: calls do not nest.
  AllocaInst *slot(Function &function, size_t index) {
    IRBuilder<> builder(&*function.getEntryBlock().begin());
    while (slots.size() <= index) {
      AllocaInst *memory = builder.CreateAlloca(ArrayType::get(i64, 2));
      memory->setAlignment(Align(16));
      slots.push_back(memory);
    }
    return slots[index];
  }

  void substitute(CallInst &called, std::unique_ptr<Site> site) {
    Function &function = *called.getFunction();
    constexpr size_t mostOperands = 512, mostResult = 2048;
    IRBuilder<> entry(&*function.getEntryBlock().begin());
    if (!resultSlot) {
      resultSlot = entry.CreateAlloca(
          ArrayType::get(Type::getInt8Ty(context), mostResult));
      resultSlot->setAlignment(Align(16));
      operandTable = entry.CreateAlloca(ArrayType::get(ptr, mostOperands));
    }
    IRBuilder<> builder(&called);
    for (auto [index, operand] : enumerate(called.args())) {
      AllocaInst *memory = slot(function, index);
      Value *value = operand;
      if (value->getType()->isPointerTy())
        value = builder.CreatePtrToInt(value, i64);
      builder.CreateStore(value, memory);
      builder.CreateStore(
          memory, builder.CreateConstInBoundsGEP1_64(ptr, operandTable, index));
    }
    auto *address = ConstantExpr::getIntToPtr(
        ConstantInt::get(i64, reinterpret_cast<uint64_t>(site.get())), ptr);
    builder.CreateCall(call, {address, resultSlot, operandTable});
    if (!called.getType()->isVoidTy())
      called.replaceAllUsesWith(
          builder.CreateLoad(called.getType(), resultSlot));
    called.eraseFromParent();
    result.sites.push_back(std::move(site));
  }

  //===-- functions
  //--------------------------------------------------------===//
  void prepare(Function &function) {
    bool isKernel = function.getCallingConv() == CallingConv::PTX_Kernel;
    if (function.getFnAttribute("denormal-fp-math-f32")
            .getValueAsString()
            .starts_with("preserve-sign"))
      result.flushesDenormals = true;
    function.setCallingConv(CallingConv::C);
    for (User *user : function.users())
      if (auto *called = dyn_cast<CallInst>(user))
        called->setCallingConv(CallingConv::C);
    AttributeList attributes = function.getAttributes();
    function.setAttributes({});
    if (!isKernel)
      return;
    // void emulate.NAME(void **parameters)
    auto *entry = Function::Create(
        FunctionType::get(Type::getVoidTy(context), {ptr}, false),
        GlobalValue::ExternalLinkage, "emulate." + function.getName(), module);
    IRBuilder<> builder(BasicBlock::Create(context, "", entry));
    SmallVector<Value *> arguments;
    for (auto [index, argument] : enumerate(function.args())) {
      Value *place = builder.CreateLoad(ptr, builder.CreateConstInBoundsGEP1_64(
                                                 ptr, entry->getArg(0), index));
      bool byValue = attributes.hasParamAttr(index, Attribute::ByVal);
      arguments.push_back(
          byValue ? place : builder.CreateLoad(argument.getType(), place));
    }
    builder.CreateCall(&function, arguments);
    builder.CreateRetVoid();
    function.setLinkage(GlobalValue::InternalLinkage);
    result.kernels.push_back(function.getName().str());
  }

  Module &module;
  const DataLayout &layout;
  LLVMContext &context;
  PointerType *ptr;
  Type *i64, *i32;
  FunctionCallee call, access;
  Retargeted result;
  SmallVector<AllocaInst *> slots;
  AllocaInst *resultSlot = nullptr, *operandTable = nullptr;
};

} // namespace

Expected<Retargeted> retarget(Module &module, const DataLayout &layout,
                              const Triple &triple) {
  if (!sharedWindow())
    return createStringError("no memory below 2 GiB for shared memory");
  Expected<Retargeted> result = Retargeter(module, layout).run();
  if (!result)
    return result;
  module.setTargetTriple(triple);
  module.setDataLayout(layout);
  // Leftovers of the other target.
  for (NamedMDNode &node : make_early_inc_range(module.named_metadata()))
    if (node.getName().starts_with("nvvm"))
      node.eraseFromParent();
  StripDebugInfo(module);
  return result;
}

} // namespace attnc::emulator
