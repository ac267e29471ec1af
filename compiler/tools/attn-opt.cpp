//===- attn-opt.cpp - runs passes on MLIR text ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir-opt with our dialects and passes beside those of MLIR. Text that MLIR's
// parser does not survive is refused before.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/import/MlirText.h"
#include "dialects/warp/Warp.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
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

/// MlirOptMain reads its file itself; here the text is looked at in between.
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

int main(int argc, char **argv) {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registerAllPasses();
  registry.insert<attnc::attn::AttnDialect, attnc::kernel::KernelDialect,
                  attnc::warp::WarpDialect>();
  attnc::registerAttncPasses();
  auto [input, output] = registerAndParseCLIOptions(
      argc, argv, "attn-opt: passes of attnc on MLIR text\n", registry);
  MlirOptMainConfig config = MlirOptMainConfig::createFromCLOptions();
  if (config.shouldShowDialects() || config.shouldListPasses())
    return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
  llvm::InitLLVM init(argc, argv);
  return asMainReturnCode(run(input, output, registry));
}
