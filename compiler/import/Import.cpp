//===- Import.cpp - a model folder becomes an attn module -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A HuggingFace folder gives `@encode` (ids -> hidden states, and the pooler's
// row if the checkpoint has one), and `@predict` (ids -> what the head of the
// checkpoint's class gives) if it has one; a sentence-transformers folder gives
// `@encode` (hidden states) and `@embed` (one row per text); the folder of a
// language model gives `@decode` and `@score`. Declined: tensors that no op
// reads, unless the caller allows them.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Import.h"
#include "compiler/import/Adapter.h"
#include "compiler/import/Decoder.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Encoder.h"
#include "compiler/import/Folder.h"
#include "compiler/import/GenerationConfig.h"
#include "compiler/import/LibraryName.h"
#include "compiler/import/SentenceTransformers.h"
#include "compiler/import/SeparateAdapters.h"
#include "compiler/import/Towers.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace attnc {

namespace {
/// One folder on its way to a module.
class FolderImport {
public:
  FolderImport(mlir::MLIRContext &context, StringRef path,
               const ImportOptions &options)
      : context(context), folder(&context, path), options(options),
        model(std::make_unique<ImportedModel>()) {}
  std::unique_ptr<ImportedModel> run();

private:
  LogicalResult read();
  LogicalResult chooseBounds();
  LogicalResult checkLimit();
  LogicalResult emit();
  void emitEncoderEntries(ProgramBuilder &program);
  void emitTowerEntries(ProgramBuilder &program);
  void warnOfMissingHead(StringRef name) const;
  LogicalResult checkExtraTensors(const StringSet<> &used) const;

  mlir::MLIRContext &context;
  ModelFolder folder;
  const ImportOptions &options;
  std::unique_ptr<ImportedModel> model;
  std::optional<SentenceModules> sentence;
  std::unique_ptr<Encoder> encoder; ///< or:
  std::unique_ptr<Decoder> decoder; ///< or:
  std::unique_ptr<TowerModel> towers;
  int64_t maxSeq = 0;
  std::vector<std::string> adapted; ///< tensors that options.adapter changes
};
} // namespace

//===----------------------------------------------------------------------===//
// HuggingFace folders
//===----------------------------------------------------------------------===//

LogicalResult FolderImport::read() {
  if (failed(folder.open()))
    return failure();
  bool good = true;
  if (folder.has("modules.json")) {
    sentence = readSentenceModules(&context, folder);
    if (!sentence)
      return failure();
  }
  StringRef inner = sentence ? StringRef(sentence->encoderFolder) : "";
  std::optional<ConfigFile> config =
      folder.readConfig(joinPath(inner, "config.json"));
  if (!config)
    return failure();
  good &= succeeded(folder.addWeights(inner, model->weights));
  if (sentence && sentence->dense)
    good &=
        succeeded(folder.addWeights(sentence->dense->folder, model->weights));
  if (good && !options.adapter.empty())
    good = succeeded(
        addAdapter(context, options.adapter, model->weights, adapted));
  if (!sentence && isDecoder(*config)) {
    decoder = readDecoder(&context, *config, model->weights);
    if (decoder)
      good &= succeeded(
          readGenerationConfig(&context, folder, decoder->getVocabulary(),
                               decoder->stopTokens, model->generation));
    model->files = folder.findTravellers(inner);
    return success(decoder && good);
  }
  if (!sentence && isTowerModel(*config)) {
    towers = readTowerModel(&context, *config, model->weights);
    model->files = folder.findTravellers(inner);
    return success(towers && good);
  }
  encoder = readEncoder(&context, *config, model->weights);
  if (!encoder || !good)
    return failure();
  if (sentence && sentence->pooledSize != encoder->getHiddenSize())
    return reportError(&context, "A0123",
                       folder.getPath("modules.json") +
                           ": the pooling takes rows of " +
                           Twine(sentence->pooledSize) +
                           " numbers, but the encoder's rows have " +
                           Twine(encoder->getHiddenSize()),
                       "check that the folder's files belong together");
  model->files = folder.findTravellers(inner);
  return success();
}

LogicalResult FolderImport::chooseBounds() {
  constexpr int64_t kMost = int64_t(1) << 40; // as attn.size has it
  if (options.maxBatch < 1 || options.maxBatch > kMost || options.maxSeq < 0)
    return reportError(
        &context, "A0140",
        "bounds of batch and sequence are " + Twine(options.maxBatch) +
            " and " + Twine(options.maxSeq) + "; expected 1 to " + Twine(kMost),
        "give bounds that calls will have");
  maxSeq = decoder  ? decoder->getMaxPositions()
           : towers ? towers->getMaxPositions()
                    : encoder->getMaxPositions();
  if (!maxSeq)
    return success(); // images only
  if (options.maxSeq > maxSeq)
    reportWarning(&context, "A0131",
                  "the model has " + Twine(maxSeq) +
                      " positions; longer sequences, up to the " +
                      Twine(options.maxSeq) + " asked for, are not possible",
                  "ask for no more");
  else if (options.maxSeq)
    maxSeq = options.maxSeq;
  if (failed(checkLimit()))
    return failure();
  StringRef inner = sentence ? StringRef(sentence->encoderFolder) : "";
  FailureOr<int64_t> length = folder.readTextLength(inner, maxSeq);
  if (failed(length))
    return failure();
  model->maxLength = *length;
  return success();
}

/// A model whose longer sequences are rotated otherwise, those rows too that a
/// cache holds: what was not asked for is left out, what was is refused.
LogicalResult FolderImport::checkLimit() {
  const int64_t limit = decoder ? decoder->getLimit() : 0;
  if (!limit || maxSeq <= limit)
    return success();
  if (options.maxSeq)
    return reportError(&context, "A0141",
                       "sequences of more than " + Twine(limit) +
                           " positions, up to the " + Twine(maxSeq) +
                           " asked for, have other rotary frequencies (longrope"
                           "), for rows too that a cache holds already",
                       "ask for at most " + Twine(limit) +
                           ": --max-seq=" + Twine(limit));
  reportWarning(&context, "A0134",
                "of the model's " + Twine(maxSeq) + " positions " +
                    Twine(limit) +
                    " are compiled: longer sequences have other rotary "
                    "frequencies (longrope)",
                "--max-seq=" + Twine(limit) + " says that this is meant");
  maxSeq = limit;
  return success();
}

LogicalResult FolderImport::checkExtraTensors(const StringSet<> &used) const {
  std::vector<StringRef> extra;
  for (StringRef name : model->weights.names())
    if (!used.contains(name) &&
        !(decoder  ? decoder->isOptional(name)
          : towers ? towers->isOptional(name)
                   : encoder->isOptional(name) ||
                         (sentence && encoder->isOfHead(name))))
      extra.push_back(name);
  if (extra.empty() || options.allowExtraTensors)
    return success();
  return reportError(&context, "A0115",
                     folder.getPath() + " holds " + Twine(extra.size()) +
                         " tensors that the " +
                         (decoder  ? "decoder"
                          : towers ? "model"
                                   : "encoder") +
                         " does not use: " + listNames(extra),
                     "they belong to a head or to another model; "
                     "--allow-extra-tensors leaves them out");
}

void FolderImport::warnOfMissingHead(StringRef name) const {
  reportWarning(&context, "A0132",
                folder.getPath("config.json") + ": the class '" + name +
                    "' has a head, but the folder has none of its tensors; "
                    "the encoder alone is compiled",
                "add the tensors, or name the encoder's class in "
                "'architectures'");
}

void FolderImport::emitEncoderEntries(ProgramBuilder &program) {
  auto emitEncoder = [&](StringRef entry) {
    program.beginEntry(entry, encoder->getInputs());
    return encoder->emit(program);
  };
  EncoderOutput output = emitEncoder("encode");
  SmallVector<EntryOutput> outputs;
  if (!sentence)
    if (mlir::Value pooled = encoder->emitPooler(program, output))
      outputs.push_back({"pooler_output", pooled});
  mlir::Value hidden =
      program.zeroPadding("output", output.hidden, output.mask);
  outputs.insert(outputs.begin(), {"last_hidden_state", hidden});
  program.endEntry(outputs);
  if (!sentence && encoder->getHead() != Head::None)
    program.endEntry(encoder->emitHead(program, emitEncoder("predict")));
  else if (!sentence && !encoder->missingHead.empty())
    warnOfMissingHead(encoder->missingHead);
  if (sentence) {
    mlir::Value row = sentence->emit(program, emitEncoder("embed"));
    program.endEntry({{"sentence_embedding", row}});
  }
}

void FolderImport::emitTowerEntries(ProgramBuilder &program) {
  towers->emit(program);
  if (!towers->missingHead.empty())
    warnOfMissingHead(towers->missingHead);
}

LogicalResult FolderImport::emit() {
  mlir::OpBuilder builder(&context);
  FailureOr<std::string> name =
      chooseLibraryName(context, options.name, folder.getPath());
  if (failed(name))
    return failure();
  model->module = mlir::ModuleOp::create(builder.getUnknownLoc());
  mlir::ModuleOp module = *model->module;
  nameFiles(module, model->weights);
  module->setAttr(attn::AttnDialect::kNameAttr, builder.getStringAttr(*name));
  if (!options.adapter.empty())
    module->setAttr(attn::AttnDialect::kAdapterAttr,
                    builder.getStringAttr(makeAbsolute(options.adapter)));

  ProgramBuilder program(module, model->weights);
  program.declareSize("batch", 1, options.maxBatch);
  if (maxSeq)
    program.declareSize("seq", 1, maxSeq);
  if (decoder) {
    decoder->emit(program, maxSeq);
    module->setAttr(attn::AttnDialect::kStopTokensAttr,
                    builder.getDenseI32ArrayAttr(decoder->stopTokens));
  } else if (towers) {
    emitTowerEntries(program);
  } else {
    encoder->weightsVary =
        !options.adapters.empty() || options.adapterRanks.has_value();
    emitEncoderEntries(program);
  }
  bool good = succeeded(checkExtraTensors(program.getUsedTensors()));
  good &= !program.failed();
  if (!good || failed(checkSharedTables(module, options.adapter, model->weights,
                                        adapted)))
    return failure();
  if (!options.adapters.empty() &&
      failed(addSeparateAdapters(module, options.adapters, options,
                                 model->weights)))
    return failure();
  return mlir::verify(module);
}

std::unique_ptr<ImportedModel> FolderImport::run() {
  if (failed(read()) || failed(chooseBounds()) || failed(emit()))
    return nullptr;
  // The folder's name and not its path: this text ships in the header.
  llvm::SmallString<128> path(makeAbsolute(folder.getPath()));
  llvm::sys::path::remove_dots(path, /*remove_dot_dot=*/true);
  model->source = (decoder  ? decoder->describe()
                   : towers ? towers->describe()
                            : encoder->describe()) +
                  ", from " + llvm::sys::path::filename(path).str();
  return std::move(model);
}

std::unique_ptr<ImportedModel> importFolder(mlir::MLIRContext &context,
                                            StringRef folder,
                                            const ImportOptions &options) {
  context.loadDialect<attn::AttnDialect, mlir::arith::ArithDialect,
                      mlir::math::MathDialect>();
  return FolderImport(context, folder, options).run();
}

//===----------------------------------------------------------------------===//
// By what the path is
//===----------------------------------------------------------------------===//

std::unique_ptr<ImportedModel> importModel(mlir::MLIRContext &context,
                                           StringRef path,
                                           const ImportOptions &options) {
  if (sys::fs::is_directory(path) || !sys::fs::exists(path))
    return sys::path::extension(path) == ".mlir"
               ? importMlir(context, path, options)
               : importFolder(context, path, options);
  StringRef extension = sys::path::extension(path);
  if (extension == ".mlir")
    return importMlir(context, path, options);
  if (extension == ".gguf")
    return importFolder(context, path, options);
  if (extension == ".onnx")
    (void)reportError(&context, "A0190", path + ": ONNX is not read yet",
                      "give the model's HuggingFace folder, or MLIR text");
  else
    (void)reportError(
        &context, "A0191",
        path + " is neither a folder nor a .gguf or .mlir file",
        "give a HuggingFace folder (config.json and "
        "*.safetensors), a .gguf file, or MLIR text in a .mlir file");
  return nullptr;
}

} // namespace attnc
