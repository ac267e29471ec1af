//===- attn-opt.cpp - runs passes on MLIR text
//-----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-opt with our dialects and passes beside those of MLIR.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "dialects/warp/Warp.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  registry.insert<attnc::attn::AttnDialect, attnc::kernel::KernelDialect,
                  attnc::warp::WarpDialect>();
  attnc::registerAttncPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "attn-opt: passes of attnc on MLIR text\n", registry));
}
