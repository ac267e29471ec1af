//===- Report.h - what a rewrite did or declined ----------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Optimization passes report each site as a remark, `[fuse-qkv] applied: ...`
// or `[fuse-qkv] missed: ...` with a note at the op that broke the match.
// `attnc compile --print-fusions` shows them; otherwise drivers drop remarks.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_OPTIMIZE_REPORT_H
#define ATTNC_COMPILER_OPTIMIZE_REPORT_H

#include "mlir/IR/Operation.h"
#include "mlir/Pass/Pass.h"

namespace attnc {

/// Reports at `site` that `pass` was applied and counts it.
inline void reportApplied(llvm::StringRef pass, mlir::Pass::Statistic &count,
                          mlir::Operation *site, const llvm::Twine &what) {
  ++count;
  site->emitRemark() << "[" << pass << "] applied: " << what;
}

/// Reports at `site` that `pass` declined because of `culprit` (may be null)
/// and counts it.
inline void reportMissed(llvm::StringRef pass, mlir::Pass::Statistic &count,
                         mlir::Operation *site, mlir::Operation *culprit,
                         const llvm::Twine &why) {
  ++count;
  mlir::InFlightDiagnostic remark = site->emitRemark();
  remark << "[" << pass << "] missed: " << why;
  if (culprit)
    remark.attachNote(culprit->getLoc())
        << "because of '" << culprit->getName() << "'";
}

} // namespace attnc

#endif // ATTNC_COMPILER_OPTIMIZE_REPORT_H
