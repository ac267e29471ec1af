//===- Towers.cpp - the registry of models with entries of their own ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A model is known by its `model_type`; the names in `architectures` must be
// classes that are listed with it.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Towers.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"

using namespace llvm;

namespace attnc {

namespace {
struct TowerArchitecture {
  StringLiteral modelType;
  StringLiteral plain, headed; ///< classes; `headed` may be empty
  bool plainIsHeaded;
  std::unique_ptr<TowerModel> (*read)(ConfigReader &, const WeightTable &,
                                      bool);
};
} // namespace

static constexpr TowerArchitecture kArchitectures[] = {
    {"vit", "ViTModel", "ViTForImageClassification", false, readVit},
    {"clip", "CLIPModel", "", true, readClip},
    {"clip_text_model", "CLIPTextModel", "CLIPTextModelWithProjection", false,
     readClipText},
    {"clip_vision_model", "CLIPVisionModel", "CLIPVisionModelWithProjection",
     false, readClipImage},
};

static const TowerArchitecture *findArchitecture(const ConfigFile &config) {
  std::optional<StringRef> type = config.fields.getString("model_type");
  for (const TowerArchitecture &known : kArchitectures)
    if (type == StringRef(known.modelType))
      return &known;
  return nullptr;
}

bool isTowerModel(const ConfigFile &config) {
  return findArchitecture(config) != nullptr;
}

static std::string listClasses(const TowerArchitecture &architecture) {
  return architecture.plain.str() +
         (architecture.headed.empty() ? "" : ", " + architecture.headed.str());
}

std::string listTowerModels() {
  std::string text;
  for (const TowerArchitecture &known : kArchitectures)
    text += (text.empty() ? "" : "; ") + known.modelType.str() + " (" +
            listClasses(known) + ")";
  return text;
}

std::unique_ptr<TowerModel> readTowerModel(mlir::MLIRContext *context,
                                           const ConfigFile &file,
                                           const WeightTable &weights) {
  const TowerArchitecture *known = findArchitecture(file);
  assert(known && "a tower model");
  ConfigReader config(context, file);
  (void)config.getString("model_type");
  bool isHeaded = known->plainIsHeaded;
  std::string headedClass;
  for (StringRef name : config.getStrings("architectures")) {
    if (name != known->plain &&
        (known->headed.empty() || name != known->headed)) {
      (void)reportError(context, "A0110",
                        file.path + ": the class " + quote(name) +
                            " of the type " + quote(known->modelType) +
                            " is not implemented",
                        "known classes of it: " + listClasses(*known));
      return nullptr;
    }
    if (name != known->plain)
      isHeaded = true, headedClass = name.str();
  }
  std::unique_ptr<TowerModel> model = known->read(config, weights, isHeaded);
  return failed(config.finish()) ? nullptr : std::move(model);
}

} // namespace attnc
