//===- OptMain.cpp - a tool that runs passes on MLIR text -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// MlirOptMain reads its file itself; here the text is looked at in between.
//
//===----------------------------------------------------------------------===//
#include "compiler/OptMain.h"
#include "compiler/import/MlirText.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

static LogicalResult fail(const llvm::Twine &message) {
  llvm::errs() << message << "\n";
  return failure();
}

static LogicalResult run(StringRef input, StringRef output,
                         DialectRegistry &registry) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> text = openInputFile(input, &message);
  if (!text)
    return fail(message);
  if (llvm::Error error =
          attnc::checkMlirText(text->getBufferIdentifier(), text->getBuffer()))
    return fail(llvm::toString(std::move(error)));
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(output, &message);
  if (!file)
    return fail(message);
  if (failed(MlirOptMain(file->os(), std::move(text), registry,
                         MlirOptMainConfig::createFromCLOptions())))
    return failure();
  file->keep();
  return success();
}

int attnc::optMain(int argc, char **argv, StringRef name,
                   DialectRegistry &registry) {
  auto [input, output] = registerAndParseCLIOptions(argc, argv, name, registry);
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
  llvm::InitLLVM init(argc, argv);
  return asMainReturnCode(run(input, output, registry));
}
