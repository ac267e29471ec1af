//===- BertHeads.cpp - heads of BERT-like encoders ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Masked language models, classifiers of sequences and tokens, answers to
// questions, as the classes of `transformers` compute them. The first token of
// a sequence is the first that the mask keeps. A masked LM's decoder is the
// word table, stored once, unless the configuration says otherwise.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/BertLike.h"
#include "compiler/import/TiedTensors.h"

using namespace mlir;

namespace attnc {

static constexpr llvm::StringLiteral kWordTable =
    "embeddings.word_embeddings.weight";

/// The stems of the head's tensors, the first of which every such checkpoint
/// has.
SmallVector<StringRef> BertLike::getHeadTensors() const {
  const BertHeads &names = family.heads;
  switch (head) {
  case Head::None:
    return {};
  case Head::MaskedLM:
    return {names.maskedDense, names.maskedNorm, names.maskedDecoder};
  case Head::PreTraining:
    return {names.maskedDense, names.maskedNorm, names.maskedDecoder,
            names.pretraining};
  case Head::NextSentence:
    return {names.pretraining};
  case Head::Sequence:
    if (!names.sequenceDense.empty())
      return {names.sequenceOutput, names.sequenceDense};
    return {names.sequenceOutput};
  case Head::Token:
    return {"classifier"};
  case Head::Question:
    return {"qa_outputs"};
  case Head::Replaced:
    return {"discriminator_predictions.dense_prediction",
            "discriminator_predictions.dense"};
  }
  llvm_unreachable("every head is listed");
}

bool BertLike::isOfHead(StringRef tensor) const {
  if ((head == Head::MaskedLM || head == Head::PreTraining) &&
      tensor == family.heads.maskedBias)
    return true;
  return llvm::any_of(getHeadTensors(), [&](StringRef stem) {
    StringRef rest = tensor;
    return rest.consume_front(stem) &&
           llvm::is_contained({".weight", ".bias", ".gamma", ".beta"}, rest);
  });
}

void BertLike::readHead(ConfigReader &config) {
  bool isMasked = head == Head::MaskedLM || head == Head::PreTraining;
  if (isMasked)
    tiedDecoder = config.getBool("tie_word_embeddings", true) ||
                  family.heads.maskedDecoder.empty();
  if (head == Head::None)
    return;
  bool anywhere = llvm::any_of(
      weights.names(), [&](StringRef tensor) { return isOfHead(tensor); });
  if (!anywhere) {
    head = Head::None;
    return;
  }
  if (isMasked && tiedDecoder)
    checkTiedDecoder(config);
}

/// A checkpoint may hold the decoder although it is the word table; a different
/// one would be left out in silence.
void BertLike::checkTiedDecoder(ConfigReader &config) const {
  std::string decoder = family.heads.maskedDecoder.str();
  for (auto [own, shared] :
       {std::pair(decoder + ".weight", prefix + kWordTable.str()),
        std::pair(decoder + ".bias", family.heads.maskedBias.str())})
    checkTied(config, weights, own, shared);
}

int64_t BertLike::countLabels(StringRef tensor) const {
  const WeightEntry *entry = weights.find((tensor + ".weight").str());
  // Without one the declaration of the weight says what is wrong.
  return entry && !entry->shape.empty() && entry->shape[0] > 0 ? entry->shape[0]
                                                               : 1;
}

/// tanh(W x + b) of the first token's row.
Value BertLike::emitPooledRow(ProgramBuilder &program,
                              const EncoderOutput &output) const {
  Value first = program.pool("pooler.first", attn::PoolKind::first,
                             output.hidden, output.mask);
  Value row =
      linear(program, "pooler.dense", family.pooler, first, hidden, hidden);
  return program.activate("pooler.activation", row, findActivation("tanh"));
}

Value BertLike::emitPooler(ProgramBuilder &program,
                           const EncoderOutput &output) const {
  if (family.pooler.empty() ||
      !weights.find(prefix + family.pooler.str() + ".weight"))
    return {};
  return emitPooledRow(program, output);
}

Value BertLike::emitMaskedHead(ProgramBuilder &program,
                               const EncoderOutput &output) const {
  const BertHeads &names = family.heads;
  Value rows = linear(program, "head.dense", names.maskedDense, output.hidden,
                      hidden, embedding);
  Activation function = names.maskedActivation.empty()
                            ? activation
                            : findActivation(names.maskedActivation);
  rows = program.activate("head.activation", rows, function);
  rows = norm(program, "head.norm", names.maskedNorm, rows, embedding);
  std::string decoder = names.maskedDecoder.str();
  Value matrix =
      weight(program, tiedDecoder ? kWordTable.str() : decoder + ".weight",
             {vocabulary, embedding});
  std::string bias = decoder + ".bias";
  if (!weights.find(bias))
    bias = names.maskedBias.str();
  rows = program.linear("head.decoder", rows, matrix);
  rows = program.addBias("head.decoder.bias", rows,
                         weight(program, bias, {vocabulary}));
  return program.zeroPadding("head.output", rows, output.mask);
}

Value BertLike::emitSequenceHead(ProgramBuilder &program,
                                 const EncoderOutput &output) const {
  const BertHeads &names = family.heads;
  Value row;
  if (names.sequenceDense.empty()) {
    row = emitPooledRow(program, output);
  } else {
    row = program.pool("head.first", attn::PoolKind::first, output.hidden,
                       output.mask);
    row =
        linear(program, "head.dense", names.sequenceDense, row, hidden, hidden);
    row = program.activate("head.activation", row, sequenceActivation);
  }
  return linear(program, "head.output", names.sequenceOutput, row, hidden,
                countLabels(names.sequenceOutput));
}

/// One number per token: was it replaced?
Value BertLike::emitReplacedHead(ProgramBuilder &program,
                                 const EncoderOutput &output) const {
  Value rows = linear(program, "head.dense", "discriminator_predictions.dense",
                      output.hidden, hidden, hidden);
  rows = program.activate("head.activation", rows, activation);
  rows = linear(program, "head.output",
                "discriminator_predictions.dense_prediction", rows, hidden, 1);
  rows = program.column("head.column", rows, 0);
  return program.zeroPadding("head.padding", rows, output.mask);
}

SmallVector<EntryOutput> BertLike::emitHead(ProgramBuilder &program,
                                            const EncoderOutput &output) const {
  auto pair = [&]() -> Value {
    return linear(program, "head.pair", family.heads.pretraining,
                  emitPooledRow(program, output), hidden, 2);
  };
  auto rows = [&](StringRef tensor, int64_t labels) -> Value {
    return linear(program, "head.output", tensor, output.hidden, hidden,
                  labels);
  };
  switch (head) {
  case Head::None:
    return {};
  case Head::MaskedLM:
    return {{"logits", emitMaskedHead(program, output)}};
  case Head::PreTraining:
    return {{"logits", emitMaskedHead(program, output)},
            {"seq_relationship_logits", pair()}};
  case Head::NextSentence:
    return {{"logits", pair()}};
  case Head::Sequence:
    return {{"logits", emitSequenceHead(program, output)}};
  case Head::Token: {
    Value logits = rows("classifier", countLabels("classifier"));
    return {
        {"logits", program.zeroPadding("head.padding", logits, output.mask)}};
  }
  case Head::Question: {
    Value both = rows("qa_outputs", 2);
    auto column = [&](const std::string &name, int64_t index) -> EntryOutput {
      Value logits = program.column("head." + name, both, index);
      return {name + "_logits", program.zeroPadding("head." + name + ".padding",
                                                    logits, output.mask)};
    };
    return {column("start", 0), column("end", 1)};
  }
  case Head::Replaced:
    return {{"logits", emitReplacedHead(program, output)}};
  }
  llvm_unreachable("every head is listed");
}

} // namespace attnc
