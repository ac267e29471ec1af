//===- Decoder.cpp - language models with a cache
//---------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The registry of decoders, and the entries that all of them become: rows
// packed by the mask, embedding, layers, norm, logits. Declined: classes that
// are no language models.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Decoder.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/GenerationConfig.h"
#include "compiler/import/Json.h"

using namespace mlir;

namespace attnc {

namespace {
struct Architecture {
  llvm::StringLiteral modelType;
  llvm::StringLiteral languageModel; ///< the class
  std::unique_ptr<Decoder> (*read)(ConfigReader &, const WeightTable &);
};
} // namespace

static const Architecture kArchitectures[] = {
    {"gpt2", "GPT2LMHeadModel", readGpt2},
    {"llama", "LlamaForCausalLM", readLlama},
    {"mistral", "MistralForCausalLM", readMistral},
    {"qwen2", "Qwen2ForCausalLM", readQwen2},
    {"qwen3", "Qwen3ForCausalLM", readQwen3},
    {"gemma", "GemmaForCausalLM", readGemma},
    {"gemma2", "Gemma2ForCausalLM", readGemma2},
    {"phi3", "Phi3ForCausalLM", readPhi3},
    {"gpt_neox", "GPTNeoXForCausalLM", readGptNeox},
    {"falcon", "FalconForCausalLM", readFalcon},
    {"bloom", "BloomForCausalLM", readBloom},
};

static const Architecture *findArchitecture(const ConfigFile &file) {
  std::optional<StringRef> type = file.fields.getString("model_type");
  for (const Architecture &architecture : kArchitectures)
    if (type == StringRef(architecture.modelType))
      return &architecture;
  return nullptr;
}

bool isDecoder(const ConfigFile &file) { return findArchitecture(file); }

std::string listDecoders() {
  std::string text;
  for (const Architecture &known : kArchitectures)
    text += (text.empty() ? "" : "; ") + known.modelType.str() + " (" +
            known.languageModel.str() + ")";
  return text;
}

std::unique_ptr<Decoder> readDecoder(MLIRContext *context,
                                     const ConfigFile &file,
                                     const WeightTable &weights) {
  const Architecture *architecture = findArchitecture(file);
  assert(architecture && "isDecoder was asked");
  ConfigReader config(context, file);
  (void)config.getString("model_type");
  for (const std::string &name : config.getStrings("architectures"))
    if (name != architecture->languageModel) {
      (void)reportError(context, "A0110",
                        file.path + ": the class " + quote(name) +
                            " is no language model of " +
                            quote(architecture->modelType),
                        "known: " + architecture->languageModel.str());
      return nullptr;
    }
  std::unique_ptr<Decoder> decoder = architecture->read(config, weights);
  config.ignoreHarmless();
  if (!config.failed())
    readStopTokens(config, file, decoder->getVocabulary(), decoder->stopTokens);
  if (failed(config.finish()))
    return nullptr;
  return decoder;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

std::string Decoder::getSource(StringRef tensor) const {
  return prefix + tensor.str();
}

bool Decoder::has(StringRef tensor) const {
  return weights.find(getSource(tensor)) != nullptr;
}

mlir::Value Decoder::weight(Call &call, StringRef tensor,
                            ArrayRef<int64_t> shape) const {
  return call.program.weight(tensor, tensor, getSource(tensor), shape);
}

mlir::Value Decoder::linear(Call &call, const std::string &tensor,
                            mlir::Value rows, int64_t inputs, int64_t outputs,
                            bool bias) const {
  mlir::Value product = call.program.linear(
      tensor, rows, weight(call, tensor + ".weight", {outputs, inputs}));
  if (!bias)
    return product;
  return call.program.addBias(tensor + ".add_bias", product,
                              weight(call, tensor + ".bias", {outputs}));
}

mlir::Value Decoder::weight(Call &call, StringRef symbol,
                            ArrayRef<std::string> tensors,
                            ArrayRef<int64_t> shape,
                            const WeightRecipe &recipe) const {
  std::vector<std::string> sources;
  for (const std::string &tensor : tensors)
    sources.push_back(getSource(tensor));
  return call.program.weight(symbol, symbol, sources, shape, recipe);
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

std::string Decoder::describe() const {
  return name + ", " + std::to_string(layers) + " layers, " +
         std::to_string(hidden) + " wide, " + std::to_string(heads) +
         " heads, " + std::to_string(vocabulary) + " tokens";
}

void Decoder::emit(ProgramBuilder &program, int64_t maxPositions) const {
  emitEntry(program, "decode", /*last=*/true, maxPositions);
  emitEntry(program, "score", /*last=*/false, maxPositions);
}

void Decoder::emitEntry(ProgramBuilder &program, StringRef entry, bool last,
                        int64_t maxPositions) const {
  SizeExpr batch = SizeExpr::name("batch"), seq = SizeExpr::name("seq");
  EntryInput ids = {"input_ids", {batch, seq}, 0, vocabulary - 1, {}};
  EntryInput kept = {"attention_mask", {batch, seq}, 0, 1, 1};
  program.beginEntry(entry, {ids, kept});
  mlir::Value mask = program.getInput("attention_mask");
  Call call = {program, program.packRows(mask), {}, maxPositions};
  call.rotary = emitRotary(program, call.rows.positions);
  call.alibi = emitAlibi(call);
  mlir::Value rows = emitEmbedding(
      call, program.pack("ids", program.getInput("input_ids"), call.rows));
  for (int64_t layer = 0; layer < layers; ++layer)
    rows = emitLayer(call, layer, rows);
  if (last)
    rows = program.lastRows("last", rows, call.rows);
  mlir::Value logits = emitLogits(call, emitFinalNorm(call, rows));
  if (!last)
    logits = program.unpack("logits", logits, mask, call.rows);
  program.endEntry({{"logits", logits}});
}

} // namespace attnc
