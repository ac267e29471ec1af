//===- SentenceTransformers.cpp - from rows to an embedding ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// modules.json lists, in order: Transformer, Pooling, and optionally one Dense
// and one Normalize. Everything else is refused by name: other modules, another
// order, several pooling modes at once, activations that are not known.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/SentenceTransformers.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;
using attnc::attn::PoolKind;

namespace attnc {

/// `torch.nn.functional.normalize` divides by no less than this.
static constexpr double kNormalizeEpsilon = 1e-12;
static constexpr int64_t kMaxDimension = 65'536;

namespace {
enum class ModuleKind { Transformer, Pooling, Dense, Normalize };

/// One line of modules.json.
struct Module {
  ModuleKind kind;
  std::string path;
};

class Reader {
public:
  Reader(mlir::MLIRContext *context, const ModelFolder &folder)
      : context(context), folder(folder) {}
  std::optional<SentenceModules> read();

private:
  LogicalResult refuse(StringRef code, const Twine &what,
                       const Twine &todo) const {
    return reportError(context, code,
                       folder.getPath("modules.json") + ": " + what, todo);
  }
  LogicalResult readList();
  LogicalResult readModule(const json::Value &value);
  LogicalResult checkOrder() const;
  LogicalResult readPooling(const Module &module);
  LogicalResult readDense(const Module &module);
  LogicalResult readNormalize(const Module &module);
  LogicalResult readPrompts();

  mlir::MLIRContext *context;
  const ModelFolder &folder;
  std::vector<Module> list;
  SentenceModules modules;
  bool includePrompt = true;
};
} // namespace

/// By the class's name; the package it stands in moved over the versions.
static std::optional<ModuleKind> parseKind(StringRef type) {
  auto [package, name] = type.rsplit('.');
  if (!package.starts_with("sentence_transformers."))
    return std::nullopt;
  return StringSwitch<std::optional<ModuleKind>>(name)
      .Case("Transformer", ModuleKind::Transformer)
      .Case("Pooling", ModuleKind::Pooling)
      .Case("Dense", ModuleKind::Dense)
      .Case("Normalize", ModuleKind::Normalize)
      .Default(std::nullopt);
}

LogicalResult Reader::readModule(const json::Value &value) {
  const json::Object *object = value.getAsObject();
  std::optional<StringRef> type, path;
  if (object) {
    type = object->getString("type");
    path = object->getString("path");
  }
  if (!type || !path)
    return refuse("A0120", "a module is not an object with 'type' and 'path'",
                  "download the file again");
  std::optional<ModuleKind> kind = parseKind(*type);
  if (!kind)
    return refuse("A0120", "the module " + quote(*type) + " is not known",
                  "known modules: sentence_transformers' Transformer, "
                  "Pooling, Dense, Normalize");
  if (!staysInside(*path))
    return refuse("A0113",
                  "the module's path " + quote(*path) +
                      " leads out of the folder",
                  "correct the path");
  list.push_back({*kind, path->str()});
  return success();
}

LogicalResult Reader::readList() {
  std::optional<json::Value> value = folder.readJson("modules.json");
  if (!value)
    return failure();
  const json::Array *array = value->getAsArray();
  if (!array)
    return refuse("A0120",
                  "holds " + describeKind(*value) +
                      "; expected an array of modules",
                  "download the file again");
  for (const json::Value &module : *array)
    if (failed(readModule(module)))
      return failure();
  return checkOrder();
}

LogicalResult Reader::checkOrder() const {
  auto isAt = [&](size_t index, ModuleKind kind) {
    return index < list.size() && list[index].kind == kind;
  };
  bool good = isAt(0, ModuleKind::Transformer) && isAt(1, ModuleKind::Pooling);
  size_t next = 2;
  next += isAt(next, ModuleKind::Dense);
  next += isAt(next, ModuleKind::Normalize);
  if (good && next == list.size())
    return success();
  return refuse("A0120", "the order of the modules is not known",
                "known: Transformer, Pooling, then at most one Dense, then at "
                "most one Normalize");
}

/// The one mode of a pooling configuration: `pooling_mode`, or the flags of
/// older versions.
static std::string readPoolMode(ConfigReader &config, const ConfigFile &file) {
  static constexpr std::pair<StringLiteral, StringLiteral> kFlags[] = {
      {"pooling_mode_cls_token", "cls"},
      {"pooling_mode_max_tokens", "max"},
      {"pooling_mode_mean_tokens", "mean"},
      {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
      {"pooling_mode_weightedmean_tokens", "weightedmean"},
      {"pooling_mode_lasttoken", "lasttoken"}};
  std::vector<std::string> modes;
  for (const auto &[flag, mode] : kFlags)
    if (config.getBool(flag, false))
      modes.push_back(mode.str());
  StringRef key = "pooling_mode";
  if (const json::Value *value = file.fields.get(key)) {
    if (value->getAsArray())
      modes = config.getStrings(key);
    else
      modes = {config.getString(key)};
  }
  if (config.failed())
    return "";
  if (modes.size() != 1) {
    SmallVector<StringRef> names(modes.begin(), modes.end());
    config.report(key,
                  modes.empty()
                      ? "is not given, nor is a flag 'pooling_mode_*' true"
                      : "asks for several modes, " + listNames(names) +
                            "; one is implemented",
                  "give a model that pools in one way", "A0121");
    return "";
  }
  return modes.front();
}

LogicalResult Reader::readPooling(const Module &module) {
  std::optional<ConfigFile> file =
      folder.readConfig(joinPath(module.path, "config.json"));
  if (!file)
    return failure();
  ConfigReader config(context, *file);
  // Versions from 5 on call it embedding_dimension.
  StringRef size = file->fields.get("embedding_dimension")
                       ? "embedding_dimension"
                       : "word_embedding_dimension";
  modules.pooledSize = config.getInteger(size, 1, kMaxDimension);
  includePrompt = config.getBool("include_prompt", true);
  std::string mode = readPoolMode(config, *file);
  std::optional<PoolKind> kind =
      StringSwitch<std::optional<PoolKind>>(mode)
          .Case("cls", PoolKind::first)
          .Case("max", PoolKind::max)
          .Case("mean", PoolKind::mean)
          .Case("mean_sqrt_len_tokens", PoolKind::mean_sqrt_len)
          .Case("weightedmean", PoolKind::weighted_mean)
          .Case("lasttoken", PoolKind::last)
          .Default(std::nullopt);
  if (kind)
    modules.pool = *kind;
  else if (!config.failed())
    config.report("pooling_mode", "is " + quote(mode) + ", which is not known",
                  "known modes: cls, max, mean, mean_sqrt_len_tokens, "
                  "weightedmean, lasttoken",
                  "A0121");
  return config.finish();
}

/// The activation that a class of torch computes.
static StringRef getActivationName(StringRef torchClass) {
  return StringSwitch<StringRef>(torchClass)
      .Case("torch.nn.modules.activation.Tanh", "tanh")
      .Case("torch.nn.modules.activation.ReLU", "relu")
      .Case("torch.nn.modules.activation.GELU", "gelu")
      .Case("torch.nn.modules.activation.SiLU", "silu")
      .Case("torch.nn.modules.activation.Sigmoid", "sigmoid")
      .Case("torch.nn.modules.linear.Identity", "linear")
      .Default("");
}

/// A module works on the sentence's embedding and on nothing else.
static void checkFeatures(ConfigReader &config) {
  for (StringRef key : {"module_input_name", "module_output_name"})
    if (std::string name = config.getString(key, "sentence_embedding");
        name != "sentence_embedding")
      config.report(key,
                    "is " + quote(name) +
                        "; only 'sentence_embedding' is implemented",
                    "give a model without it", "A0122");
}

LogicalResult Reader::readDense(const Module &module) {
  std::optional<ConfigFile> file =
      folder.readConfig(joinPath(module.path, "config.json"));
  if (!file)
    return failure();
  ConfigReader config(context, *file);
  SentenceModules::Dense dense;
  dense.folder = module.path;
  dense.inputs = config.getInteger("in_features", 1, kMaxDimension);
  dense.outputs = config.getInteger("out_features", 1, kMaxDimension);
  dense.bias = config.getBool("bias", true);
  std::string torchClass = config.getString("activation_function");
  dense.activation = findActivation(getActivationName(torchClass));
  // Without a name the reader has said why, unless the name is empty.
  if (!dense.activation && (!torchClass.empty() || !config.failed()))
    config.report("activation_function",
                  "names " + quote(torchClass) + ", which is not known",
                  "known: torch.nn.modules.activation.Tanh, ReLU, GELU, SiLU, "
                  "Sigmoid, and torch.nn.modules.linear.Identity",
                  "A0122");
  config.refuseIfSet("use_residual", "a residual connection");
  checkFeatures(config);
  if (!config.failed() && dense.inputs != modules.pooledSize)
    config.report("in_features",
                  "is " + Twine(dense.inputs) + ", but the pooling gives " +
                      Twine(modules.pooledSize) + " numbers",
                  "correct one of the two", "A0123");
  modules.dense = dense;
  return config.finish();
}

LogicalResult Reader::readNormalize(const Module &module) {
  modules.normalize = true;
  // Older versions save no configuration with this module.
  std::string path = joinPath(module.path, "config.json");
  if (module.path.empty() || !folder.has(path))
    return success();
  std::optional<ConfigFile> file = folder.readConfig(path);
  if (!file)
    return failure();
  ConfigReader config(context, *file);
  checkFeatures(config);
  return config.finish();
}

/// A default prompt goes before every text and would change its embedding.
LogicalResult Reader::readPrompts() {
  StringRef name = "config_sentence_transformers.json";
  if (!folder.has(name))
    return success();
  std::optional<ConfigFile> file = folder.readConfig(name);
  if (!file)
    return failure();
  ConfigReader config(context, *file);
  std::string type = config.getString("model_type", "SentenceTransformer");
  if (type != "SentenceTransformer")
    config.report("model_type",
                  "is " + quote(type) +
                      "; only 'SentenceTransformer' is implemented",
                  "give a model that embeds sentences densely", "A0120");
  std::string prompt = config.getString("default_prompt_name", "");
  if (!prompt.empty() && !includePrompt)
    config.report("default_prompt_name",
                  "asks for the prompt " + quote(prompt) +
                      " that pooling then leaves out, which is not implemented",
                  "give a model without it", "A0121");
  else if (!prompt.empty())
    reportWarning(context, "A0130",
                  file->path + ": the default prompt " + quote(prompt) +
                      " is not put before texts by the library",
                  "put it before each text in your program");
  // Fields for other tools do not matter here.
  return success(!config.failed());
}

std::optional<SentenceModules> Reader::read() {
  if (failed(readList()))
    return std::nullopt;
  bool good = true;
  for (const Module &module : list) {
    switch (module.kind) {
    case ModuleKind::Transformer:
      modules.encoderFolder = module.path;
      break;
    case ModuleKind::Pooling:
      good &= succeeded(readPooling(module));
      break;
    case ModuleKind::Dense:
      good &= succeeded(readDense(module));
      break;
    case ModuleKind::Normalize:
      good &= succeeded(readNormalize(module));
      break;
    }
  }
  good &= succeeded(readPrompts());
  if (!good)
    return std::nullopt;
  return modules;
}

std::optional<SentenceModules> readSentenceModules(mlir::MLIRContext *context,
                                                   const ModelFolder &folder) {
  return Reader(context, folder).read();
}

mlir::Value SentenceModules::emit(ProgramBuilder &program,
                                  const EncoderOutput &output) const {
  mlir::Value row =
      program.pool("sentence.pool", pool, output.hidden, output.mask);
  if (dense) {
    mlir::Value matrix =
        program.weight("sentence.dense", "sentence.dense.weight",
                       "linear.weight", {dense->outputs, dense->inputs});
    row = program.linear("sentence.dense", row, matrix);
    if (dense->bias)
      row = program.addBias("sentence.dense.bias", row,
                            program.weight("sentence.dense",
                                           "sentence.dense.bias", "linear.bias",
                                           {dense->outputs}));
    row = program.activate("sentence.dense.activation", row, dense->activation);
  }
  if (normalize)
    row = program.l2Norm("sentence.normalize", row, kNormalizeEpsilon);
  return row;
}

} // namespace attnc
