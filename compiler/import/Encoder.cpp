//===- Encoder.cpp - the registry of architectures ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An architecture is known by its `model_type`; the names in `architectures`
// must be classes whose encoder it is.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Encoder.h"
#include "compiler/import/Decoder.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "compiler/import/Towers.h"

using namespace llvm;

namespace attnc {

namespace {
/// A class of transformers.
struct EncoderClass {
  StringLiteral name;
  Head head;
};

struct Architecture {
  StringLiteral modelType;
  ArrayRef<EncoderClass> classes;
  std::unique_ptr<Encoder> (*read)(ConfigReader &, const WeightTable &, Head);

  const EncoderClass *find(StringRef name) const {
    const auto *found =
        find_if(classes, [&](const EncoderClass &c) { return c.name == name; });
    return found == classes.end() ? nullptr : found;
  }
};
} // namespace

// Of a class whose head is not implemented only the encoder is compiled; the
// head's tensors are then extra ones. BertLMHeadModel is a decoder.
static constexpr EncoderClass kBertClasses[] = {
    {"BertModel", Head::None},
    {"BertForPreTraining", Head::PreTraining},
    {"BertForMaskedLM", Head::MaskedLM},
    {"BertForNextSentencePrediction", Head::NextSentence},
    {"BertForSequenceClassification", Head::Sequence},
    {"BertForMultipleChoice", Head::None},
    {"BertForTokenClassification", Head::Token},
    {"BertForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kRobertaClasses[] = {
    {"RobertaModel", Head::None},
    {"RobertaForMaskedLM", Head::MaskedLM},
    {"RobertaForSequenceClassification", Head::Sequence},
    {"RobertaForMultipleChoice", Head::None},
    {"RobertaForTokenClassification", Head::Token},
    {"RobertaForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kXlmRobertaClasses[] = {
    {"XLMRobertaModel", Head::None},
    {"XLMRobertaForMaskedLM", Head::MaskedLM},
    {"XLMRobertaForSequenceClassification", Head::Sequence},
    {"XLMRobertaForMultipleChoice", Head::None},
    {"XLMRobertaForTokenClassification", Head::Token},
    {"XLMRobertaForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kDistilBertClasses[] = {
    {"DistilBertModel", Head::None},
    {"DistilBertForMaskedLM", Head::MaskedLM},
    {"DistilBertForSequenceClassification", Head::Sequence},
    {"DistilBertForMultipleChoice", Head::None},
    {"DistilBertForTokenClassification", Head::Token},
    {"DistilBertForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kElectraClasses[] = {
    {"ElectraModel", Head::None},
    {"ElectraForPreTraining", Head::Replaced},
    {"ElectraForMaskedLM", Head::MaskedLM},
    {"ElectraForSequenceClassification", Head::Sequence},
    {"ElectraForMultipleChoice", Head::None},
    {"ElectraForTokenClassification", Head::Token},
    {"ElectraForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kAlbertClasses[] = {
    {"AlbertModel", Head::None},
    {"AlbertForMaskedLM", Head::MaskedLM},
    {"AlbertForSequenceClassification", Head::Sequence},
    {"AlbertForMultipleChoice", Head::None},
    {"AlbertForTokenClassification", Head::Token},
    {"AlbertForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kMPNetClasses[] = {
    {"MPNetModel", Head::None},
    {"MPNetForMaskedLM", Head::MaskedLM},
    {"MPNetForSequenceClassification", Head::Sequence},
    {"MPNetForMultipleChoice", Head::None},
    {"MPNetForTokenClassification", Head::Token},
    {"MPNetForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kDebertaV2Classes[] = {
    {"DebertaV2Model", Head::None},
    {"DebertaV2ForMaskedLM", Head::MaskedLM},
    {"DebertaV2ForSequenceClassification", Head::Sequence},
    {"DebertaV2ForMultipleChoice", Head::None},
    {"DebertaV2ForTokenClassification", Head::Token},
    {"DebertaV2ForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kCamembertClasses[] = {
    {"CamembertModel", Head::None},
    {"CamembertForMaskedLM", Head::MaskedLM},
    {"CamembertForSequenceClassification", Head::Sequence},
    {"CamembertForMultipleChoice", Head::None},
    {"CamembertForTokenClassification", Head::Token},
    {"CamembertForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kModernBertClasses[] = {
    {"ModernBertModel", Head::None},
    {"ModernBertForMaskedLM", Head::MaskedLM},
    {"ModernBertForSequenceClassification", Head::Sequence},
    {"ModernBertForMultipleChoice", Head::None},
    {"ModernBertForTokenClassification", Head::Token},
    {"ModernBertForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kErnieClasses[] = {
    {"ErnieModel", Head::None},
    {"ErnieForPreTraining", Head::PreTraining},
    {"ErnieForMaskedLM", Head::MaskedLM},
    {"ErnieForNextSentencePrediction", Head::NextSentence},
    {"ErnieForSequenceClassification", Head::Sequence},
    {"ErnieForMultipleChoice", Head::None},
    {"ErnieForTokenClassification", Head::Token},
    {"ErnieForQuestionAnswering", Head::Question}};

static constexpr EncoderClass kData2VecTextClasses[] = {
    {"Data2VecTextModel", Head::None},
    {"Data2VecTextForMaskedLM", Head::MaskedLM},
    {"Data2VecTextForSequenceClassification", Head::Sequence},
    {"Data2VecTextForMultipleChoice", Head::None},
    {"Data2VecTextForTokenClassification", Head::Token},
    {"Data2VecTextForQuestionAnswering", Head::Question}};

static const Architecture kArchitectures[] = {
    {"bert", kBertClasses, readBert},
    {"roberta", kRobertaClasses, readRoberta},
    {"xlm-roberta", kXlmRobertaClasses, readRoberta},
    {"camembert", kCamembertClasses, readRoberta},
    {"data2vec-text", kData2VecTextClasses, readData2VecText},
    {"ernie", kErnieClasses, readErnie},
    {"distilbert", kDistilBertClasses, readDistilBert},
    {"electra", kElectraClasses, readElectra},
    {"albert", kAlbertClasses, readAlbert},
    {"mpnet", kMPNetClasses, readMPNet},
    {"modernbert", kModernBertClasses, readModernBert},
    {"deberta-v2", kDebertaV2Classes, readDebertaV2},
};

static std::string listKnown() {
  std::string text;
  for (const Architecture &architecture : kArchitectures) {
    SmallVector<StringRef> names;
    for (const EncoderClass &known : architecture.classes)
      names.push_back(known.name);
    text += (text.empty() ? "" : "; ") + architecture.modelType.str() + " (" +
            listNames(names, names.size()) + ")";
  }
  return text;
}

/// The architecture of this type, or of one of these classes if the type is
/// not given.
static const Architecture *findArchitecture(StringRef modelType,
                                            ArrayRef<std::string> classes) {
  for (const Architecture &architecture : kArchitectures) {
    if (!modelType.empty() ? architecture.modelType == modelType
                           : any_of(classes, [&](StringRef name) {
                               return architecture.find(name) != nullptr;
                             }))
      return &architecture;
  }
  return nullptr;
}

std::unique_ptr<Encoder> readEncoder(mlir::MLIRContext *context,
                                     const ConfigFile &file,
                                     const WeightTable &weights) {
  ConfigReader config(context, file);
  std::string modelType = config.getString("model_type", "");
  std::vector<std::string> classes = config.getStrings("architectures");
  if (config.failed())
    return nullptr;
  const Architecture *architecture = findArchitecture(modelType, classes);
  auto refuse = [&](const Twine &what) {
    (void)reportError(context, "A0110", file.path + ": " + what,
                      "known architectures: " + listKnown() +
                          "; by 'model_type' alone: " + listTowerModels() +
                          "; " + listDecoders());
    return nullptr;
  };
  if (!architecture && !modelType.empty())
    return refuse("unknown architecture " + quote(modelType));
  if (!architecture && classes.empty())
    return refuse("neither 'model_type' nor 'architectures' is given");
  if (!architecture)
    return refuse("unknown architecture " + quote(classes.front()));
  EncoderClass known = {"", Head::None};
  for (StringRef name : classes) {
    const EncoderClass *found = architecture->find(name);
    if (!found)
      return refuse("the class " + quote(name) + " is not an encoder of " +
                    quote(architecture->modelType));
    if (found->head != Head::None)
      known = *found;
  }
  std::unique_ptr<Encoder> encoder =
      architecture->read(config, weights, known.head);
  if (failed(config.finish()))
    return nullptr;
  if (encoder->getHead() != known.head)
    encoder->missingHead = known.name.str();
  return encoder;
}

} // namespace attnc
