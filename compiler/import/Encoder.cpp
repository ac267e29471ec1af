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
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"

using namespace llvm;

namespace attnc {

namespace {
struct Architecture {
  StringLiteral modelType;
  ArrayRef<StringLiteral> classes;
  std::unique_ptr<Encoder> (*read)(ConfigReader &, const WeightTable &);
};
} // namespace

// Of the classes with a head only the encoder is compiled; the head's tensors
// are then extra ones. BertLMHeadModel is a decoder.
static constexpr StringLiteral kBertClasses[] = {
    "BertModel",
    "BertForPreTraining",
    "BertForMaskedLM",
    "BertForNextSentencePrediction",
    "BertForSequenceClassification",
    "BertForMultipleChoice",
    "BertForTokenClassification",
    "BertForQuestionAnswering"};

static const Architecture kArchitectures[] = {
    {"bert", kBertClasses, readBert},
};

static std::string listKnown() {
  std::string text;
  for (const Architecture &architecture : kArchitectures) {
    SmallVector<StringRef> names(architecture.classes);
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
                               return is_contained(architecture.classes, name);
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
                      "known architectures: " + listKnown());
    return nullptr;
  };
  if (!architecture && !modelType.empty())
    return refuse("unknown architecture " + quote(modelType));
  if (!architecture && classes.empty())
    return refuse("neither 'model_type' nor 'architectures' is given");
  if (!architecture)
    return refuse("unknown architecture " + quote(classes.front()));
  for (StringRef name : classes)
    if (!is_contained(architecture->classes, name))
      return refuse("the class " + quote(name) + " is not an encoder of " +
                    quote(architecture->modelType));
  std::unique_ptr<Encoder> encoder = architecture->read(config, weights);
  if (failed(config.finish()))
    return nullptr;
  return encoder;
}

} // namespace attnc
