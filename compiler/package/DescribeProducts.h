//===- DescribeProducts.h - what products are multiplied in -----*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The part of a library's description that is about narrow products.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_DESCRIBEPRODUCTS_H
#define ATTNC_COMPILER_PACKAGE_DESCRIBEPRODUCTS_H

#include "compiler/package/Description.h"

namespace attnc {

/// The narrow products of a variant.
std::vector<ProductsDescription> describeProducts(kernel::VariantOp variant);

/// The member "products" of a variant's description.
void writeProducts(llvm::json::OStream &json,
                   llvm::ArrayRef<ProductsDescription> products);

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_DESCRIBEPRODUCTS_H
