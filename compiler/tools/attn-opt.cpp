//===- attn-opt.cpp - runs passes on MLIR text ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-opt with our dialects and passes beside those of MLIR.
//
//===----------------------------------------------------------------------===//
#include "compiler/OptMain.h"
#include "compiler/Passes.h"
#include "dialects/warp/Warp.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

using namespace mlir;

int main(int argc, char **argv) {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerAllPasses();
  registry.insert<attnc::attn::AttnDialect, attnc::kernel::KernelDialect,
                  attnc::warp::WarpDialect>();
  attnc::registerAttncPasses();
  return attnc::optMain(argc, argv, "attn-opt: passes of attnc on MLIR text\n",
                        registry);
}
