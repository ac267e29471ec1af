//===- RowLibraryTest.h - a library written in a test -----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifies plain f32 code that computes an entry @f with one input and one
// output of n rows, row by row.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_INTERPRET_ROWLIBRARYTEST_H
#define ATTNC_TEST_UNIT_INTERPRET_ROWLIBRARYTEST_H

#include "ProgramTest.h"
#include "compiler/interpret/Verify.h"

namespace attnc {

class RowLibraryTest : public ProgramTest {
protected:
  /// Rows have `size` elements in and out.
  VerifyReport
  verifyRows(llvm::StringRef source, int64_t size,
             llvm::function_ref<void(const float *x, float *y)> computeRow) {
    mlir::OwningOpRef<mlir::ModuleOp> module = parse(source);
    VerifyOptions options;
    options.quick = true;
    return llvm::cantFail(verifyLibrary(
        *module, nullptr, options,
        [&](llvm::StringRef, const Sizes &sizes,
            llvm::ArrayRef<VerifyBuffer> inputs,
            llvm::ArrayRef<VerifyBuffer> outputs) {
          for (int64_t row = 0; row < sizes.at("n"); ++row)
            computeRow(static_cast<float *>(inputs[0].data) + row * size,
                       static_cast<float *>(outputs[0].data) + row * size);
          return llvm::Error::success();
        }));
  }
};

} // namespace attnc

#endif // ATTNC_TEST_UNIT_INTERPRET_ROWLIBRARYTEST_H
