//===- attn-lsp-server.cpp - MLIR for editors --------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-lsp-server with our dialects: completion, definitions, diagnostics. Text
// comes to MLIR's server from the editor; MlirLspServerMain shows us the names
// of documents and not what is in them, so that what MLIR's parser does not
// survive (compiler/import/MlirText.h) ends the server, and the editor has to
// start it again.
//
//===----------------------------------------------------------------------===//
#include "dialects/kernel/Kernel.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<attnc::attn::AttnDialect, attnc::kernel::KernelDialect>();
  return mlir::failed(mlir::MlirLspServerMain(argc, argv, registry));
}
