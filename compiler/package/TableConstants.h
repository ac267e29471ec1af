//===- TableConstants.h - constants of a library's tables -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the tables of include/attn/abi.h and abi_device.h are written with:
// numbers, texts, arrays and structs as constants of a module.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_TABLECONSTANTS_H
#define ATTNC_COMPILER_PACKAGE_TABLECONSTANTS_H

#include "compiler/package/Description.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

namespace attnc {

class TableConstants {
public:
  TableConstants(const LibraryDescription &library, llvm::Module &module)
      : library(library), module(module),
        ptr(llvm::PointerType::getUnqual(module.getContext())),
        i32(llvm::Type::getInt32Ty(module.getContext())),
        i64(llvm::Type::getInt64Ty(module.getContext())) {}

  llvm::Constant *number(int64_t value, llvm::Type *type) {
    return llvm::ConstantInt::get(type, value, /*isSigned=*/true);
  }
  llvm::Constant *null() { return llvm::ConstantPointerNull::get(ptr); }

  /// Puts a constant into memory and returns its address.
  llvm::Constant *place(llvm::Constant *value,
                        llvm::Align alignment = llvm::Align(16)) {
    auto *global = new llvm::GlobalVariable(
        module, value->getType(),
        /*isConstant=*/true, llvm::GlobalValue::PrivateLinkage, value);
    global->setAlignment(alignment);
    return global;
  }
  llvm::Constant *text(llvm::StringRef value) {
    return place(llvm::ConstantDataArray::getString(module.getContext(), value),
                 llvm::Align(1));
  }
  /// A C struct; `size` is its sizeof, which the layouts must agree on.
  llvm::Constant *record(llvm::ArrayRef<llvm::Constant *> fields, size_t size) {
    llvm::Constant *value =
        llvm::ConstantStruct::getAnon(module.getContext(), fields);
    assert(module.getDataLayout().getTypeAllocSize(value->getType()) == size &&
           "the table differs from include/attn/abi.h");
    (void)size;
    return value;
  }
  llvm::Constant *array(llvm::ArrayRef<llvm::Constant *> elements) {
    if (elements.empty())
      return null();
    return place(llvm::ConstantArray::get(
        llvm::ArrayType::get(elements.front()->getType(), elements.size()),
        elements));
  }
  template <typename T> llvm::Constant *numbers(const std::vector<T> &values) {
    llvm::Type *type = sizeof(T) == 8 ? i64 : i32;
    llvm::SmallVector<llvm::Constant *> elements;
    for (T value : values)
      elements.push_back(number(value, type));
    return array(elements);
  }
  llvm::Constant *external(llvm::StringRef symbol) {
    if (llvm::GlobalValue *known = module.getNamedValue(symbol))
      return known;
    auto *function = llvm::Function::Create(
        llvm::FunctionType::get(llvm::Type::getVoidTy(module.getContext()),
                                false),
        llvm::GlobalValue::ExternalLinkage, symbol, &module);
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return function;
  }

  int32_t sizeIndex(llvm::StringRef name) {
    for (auto [index, size] : llvm::enumerate(library.sizes))
      if (size.name == name)
        return index;
    llvm_unreachable("a size that was not declared");
  }

  const LibraryDescription &library;
  llvm::Module &module;
  llvm::PointerType *ptr;
  llvm::Type *i32, *i64;
};

/// The attn_abi_device of a variant for a GPU.
llvm::Constant *emitDevice(TableConstants &tables,
                           const VariantDescription &variant);
/// Defines the plan function of one of its schedules; returns it.
llvm::Constant *emitDevicePlan(TableConstants &tables,
                               const EntryDescription &entry,
                               const ScheduleDescription &schedule);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_TABLECONSTANTS_H
