//===- Folder.cpp - the files of a HuggingFace folder ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights are taken from model.safetensors, else from the shards that
// model.safetensors.index.json names, else from every *.safetensors file there
// is. PyTorch, TensorFlow and Flax files are refused with what to do instead.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Folder.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/GgufModel.h"
#include "compiler/import/Json.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <set>

using namespace llvm;

namespace attnc {

/// Far above any configuration or shard index; a file beyond is none.
static constexpr uint64_t kMaxJsonFile = 64 << 20;

std::string makeAbsolute(StringRef path) {
  SmallString<256> absolute(path);
  if (sys::fs::make_absolute(absolute))
    return path.str();
  return std::string(absolute);
}

void nameFiles(mlir::ModuleOp module, const WeightTable &weights) {
  mlir::OpBuilder builder(module.getContext());
  SmallVector<mlir::Attribute> files;
  for (StringRef path : weights.files())
    files.push_back(builder.getStringAttr(makeAbsolute(path)));
  if (!files.empty())
    module->setAttr(attn::AttnDialect::kFilesAttr, builder.getArrayAttr(files));
}

std::string joinPath(StringRef folder, StringRef name) {
  if (name.empty())
    return folder.str(); // append() would add a separator
  SmallString<256> path(folder);
  sys::path::append(path, name);
  return std::string(path);
}

bool staysInside(StringRef relative) {
  if (sys::path::is_absolute(relative) || relative.contains('\0'))
    return false;
  return none_of(
      make_range(sys::path::begin(relative), sys::path::end(relative)),
      [](StringRef part) { return part == ".."; });
}

ErrorOr<std::unique_ptr<MemoryBuffer>> ModelFile::read() const {
  if (text)
    return MemoryBuffer::getMemBuffer(*text, name);
  return MemoryBuffer::getFile(path);
}

/// Some checkpoints of these have GELU by erf and some by tanh, and the file
/// does not say which.
static void sayActivation(mlir::MLIRContext *context, const GgufFile &file,
                          StringRef path) {
  StringRef architecture =
      file.metadata.getString("general.architecture").value_or("");
  if (architecture != "gpt2" && architecture != "gptneox")
    return;
  reportWarning(context, "A0135",
                path + ": the file does not say how the model computes GELU; " +
                    (architecture == "gpt2" ? "taken is the form by tanh, "
                                              "which GPT-2 has"
                                            : "taken is the form by erf, "
                                              "which Pythia has"),
                "give the model's HuggingFace folder if its config.json has "
                "another");
}

LogicalResult ModelFolder::openGguf() {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(root, /*IsText=*/false,
                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return reportError(context, "A0102",
                       "cannot read " + root + ": " +
                           buffer.getError().message(),
                       "check that the path is a readable file");
  StringRef bytes = (*buffer)->getBuffer();
  Expected<GgufFile> file = readGguf({bytes.bytes_begin(), bytes.size()}, root);
  if (!file)
    return reportError(context, file.takeError());
  Expected<json::Object> config = makeConfig(*file, root);
  if (!config)
    return reportError(context, config.takeError());
  sayActivation(context, *file, root);
  raw_string_ostream(made["config.json"]) << json::Value(std::move(*config));
  if (json::Object sampling = makeGenerationConfig(*file); !sampling.empty()) {
    if (Error error = checkFinite(sampling, root))
      return reportError(context, std::move(error));
    raw_string_ostream(made["generation_config.json"])
        << json::Value(std::move(sampling));
  }
  Expected<std::string> tokenizer = makeTokenizerJson(*file, root);
  if (!tokenizer)
    return reportError(context, tokenizer.takeError());
  if (tokenizer->empty())
    return success();
  made["tokenizer.json"] = std::move(*tokenizer);
  Expected<std::string> settings = makeTokenizerConfig(*file, root);
  if (!settings)
    return reportError(context, settings.takeError());
  made["tokenizer_config.json"] = std::move(*settings);
  return success();
}

LogicalResult ModelFolder::open() {
  if (sys::fs::is_directory(root))
    return success();
  if (sys::path::extension(root) == ".gguf" && sys::fs::is_regular_file(root))
    return openGguf();
  return reportError(
      context, "A0101",
      root + (sys::fs::exists(root) ? " is not a folder" : " does not exist"),
      "give the folder of a HuggingFace model: config.json and "
      "*.safetensors");
}

std::string ModelFolder::getPath(StringRef relative) const {
  return joinPath(root, relative);
}

bool ModelFolder::has(StringRef relative) const {
  if (!made.empty())
    return made.count(relative.str());
  return sys::fs::is_regular_file(getPath(relative));
}

std::optional<json::Value> ModelFolder::readJson(StringRef relative) const {
  if (auto text = made.find(relative.str()); text != made.end())
    return cantFail(parseJson(text->second));
  std::string path = getPath(relative);
  uint64_t size = 0;
  std::error_code code = sys::fs::file_size(path, size);
  if (!code && !sys::fs::is_regular_file(path))
    code = std::make_error_code(std::errc::invalid_argument);
  if (!code && size > kMaxJsonFile)
    code = std::make_error_code(std::errc::file_too_large);
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = code;
  if (!code)
    buffer = MemoryBuffer::getFile(path);
  if (!buffer) {
    (void)reportError(context, "A0102",
                      "cannot read " + path + ": " +
                          buffer.getError().message(),
                      "check that the folder is complete and readable");
    return std::nullopt;
  }
  Expected<json::Value> value = parseJson((*buffer)->getBuffer());
  if (!value) {
    (void)reportError(context, "A0103",
                      path +
                          " is not valid JSON: " + toString(value.takeError()),
                      "correct the file or download it again");
    return std::nullopt;
  }
  return std::move(*value);
}

std::optional<ConfigFile> ModelFolder::readConfig(StringRef relative) const {
  std::optional<json::Value> value = readJson(relative);
  if (!value)
    return std::nullopt;
  json::Object *object = value->getAsObject();
  if (object)
    return ConfigFile{getPath(relative), std::move(*object)};
  (void)reportError(context, "A0103",
                    getPath(relative) + " holds " + describeKind(*value) +
                        "; expected an object of fields",
                    "correct the file or download it again");
  return std::nullopt;
}

std::vector<std::string> ModelFolder::list(StringRef subfolder) const {
  std::vector<std::string> names;
  std::error_code code;
  for (sys::fs::directory_iterator file(getPath(subfolder), code), end;
       file != end && !code; file.increment(code))
    if (sys::fs::is_regular_file(file->path()))
      names.push_back(sys::path::filename(file->path()).str());
  llvm::sort(names); // the file system's order differs between machines
  return names;
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

LogicalResult ModelFolder::addWeights(StringRef subfolder,
                                      WeightTable &weights) const {
  if (!made.empty()) {
    if (Error error = weights.addFile(root))
      return reportError(context, std::move(error));
    return success();
  }
  std::string single = joinPath(subfolder, "model.safetensors");
  if (has(single)) {
    if (Error error = weights.addFile(getPath(single)))
      return reportError(context, std::move(error));
    return success();
  }
  std::string index = joinPath(subfolder, "model.safetensors.index.json");
  if (has(index))
    return addShards(index, subfolder, weights);
  bool any = false;
  for (const std::string &name : list(subfolder)) {
    if (sys::path::extension(name) != ".safetensors")
      continue;
    any = true;
    if (Error error = weights.addFile(getPath(joinPath(subfolder, name))))
      return reportError(context, std::move(error));
  }
  return any ? success() : reportNoWeights(subfolder);
}

LogicalResult ModelFolder::addShards(StringRef index, StringRef subfolder,
                                     WeightTable &weights) const {
  std::optional<ConfigFile> config = readConfig(index);
  if (!config)
    return failure();
  auto refuse = [&](StringRef code, const Twine &what) {
    return reportError(context, code, config->path + ": " + what,
                       "download the file again, or delete it if the folder "
                       "holds every shard");
  };
  const json::Object *map = config->fields.getObject("weight_map");
  if (!map)
    return refuse("A0112", "no object 'weight_map' of tensors and files");
  std::set<std::string> shards;
  for (const auto &[tensor, value] : *map) {
    std::optional<StringRef> shard = value.getAsString();
    if (!shard)
      return refuse("A0112", "'weight_map' gives " + describeKind(value) +
                                 " for tensor " + quote(tensor) +
                                 "; expected the name of a file");
    if (shard->contains('/') || !staysInside(*shard) ||
        sys::path::extension(*shard) != ".safetensors")
      return refuse("A0113", "tensor " + quote(tensor) + " is said to be in " +
                                 quote(*shard) +
                                 "; expected the name of a .safetensors file "
                                 "in the same folder");
    shards.insert(shard->str());
  }
  for (const std::string &shard : shards)
    if (Error error = weights.addFile(getPath(joinPath(subfolder, shard))))
      return reportError(context, std::move(error));
  for (const auto &[tensor, value] : *map) {
    std::string shard = getPath(joinPath(subfolder, *value.getAsString()));
    const WeightEntry *entry = weights.find(tensor);
    if (!entry || weights.files()[entry->file] != shard)
      return refuse("A0114", "tensor " + quote(tensor) + " is said to be in " +
                                 shard + " but is not");
  }
  return success();
}

/// One word for a POSIX shell.
static std::string quoteForShell(StringRef text) {
  std::string quoted = "'";
  for (char c : text)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

LogicalResult ModelFolder::reportNoWeights(StringRef subfolder) const {
  std::string folder = getPath(subfolder);
  std::string found;
  for (StringRef name : {"pytorch_model.bin", "pytorch_model.bin.index.json",
                         "tf_model.h5", "flax_model.msgpack"})
    if (has(joinPath(subfolder, name))) {
      found = name.str();
      break;
    }
  if (found == "pytorch_model.bin")
    return reportError(
        context, "A0111",
        folder + " has its weights in pytorch_model.bin only; attnc reads "
                 "safetensors",
        "convert it (pip install torch safetensors):\ncd " +
            quoteForShell(folder) +
            " && python3 -c \"import torch, safetensors.torch as s; "
            "t = torch.load('pytorch_model.bin', map_location='cpu', "
            "weights_only=True); s.save_file({k: v.clone().contiguous() "
            "for k, v in t.items()}, 'model.safetensors')\"");
  if (!found.empty())
    return reportError(
        context, "A0111",
        folder + " has its weights in " + found +
            " only; attnc reads safetensors",
        "convert it (pip install 'transformers<5' torch):\ncd " +
            quoteForShell(folder) +
            " && python3 -c \"from transformers import AutoModel; "
            "AutoModel.from_pretrained('.'" +
            (found == "tf_model.h5"          ? ", from_tf=True"
             : found == "flax_model.msgpack" ? ", from_flax=True"
                                             : "") +
            ").save_pretrained('.')\"");
  return reportError(context, "A0111", folder + " has no *.safetensors file",
                     "download the model's weights into the folder");
}

//===----------------------------------------------------------------------===//
// Files that travel
//===----------------------------------------------------------------------===//

std::vector<ModelFile> ModelFolder::findTravellers(StringRef subfolder) const {
  static constexpr StringLiteral kTokenizer[] = {"tokenizer.json",
                                                 "vocab.txt",
                                                 "vocab.json",
                                                 "merges.txt",
                                                 "tokenizer_config.json",
                                                 "special_tokens_map.json",
                                                 "chat_template.jinja",
                                                 "sentence_bert_config.json"};
  std::vector<ModelFile> files;
  if (!made.empty()) {
    for (StringRef name : kTokenizer)
      if (auto text = made.find(name.str()); text != made.end())
        files.push_back({"tokenizer/" + name.str(), root, text->second});
    return files;
  }
  for (StringRef name : kTokenizer) {
    // The tokenizer of a sentence encoder may stand in the transformer's
    // folder or at the top.
    std::string inner = joinPath(subfolder, name);
    if (has(inner))
      files.push_back({"tokenizer/" + name.str(), getPath(inner), {}});
    else if (has(name))
      files.push_back({"tokenizer/" + name.str(), getPath(name), {}});
  }
  for (const std::string &name : list("")) {
    StringRef stem(name);
    if (stem.starts_with_insensitive("license") ||
        stem.starts_with_insensitive("licence") ||
        stem.starts_with_insensitive("notice"))
      files.push_back({"license/" + name, getPath(name), {}});
  }
  return files;
}

FailureOr<int64_t> ModelFolder::readTextLength(StringRef subfolder,
                                               int64_t bound) const {
  constexpr double kNoLimit = 1e31; // tokenizers write 1e30 for "none"
  int64_t length = bound;
  for (auto [name, key] :
       {std::pair("sentence_bert_config.json", "max_seq_length"),
        std::pair("tokenizer_config.json", "model_max_length")}) {
    std::string path = joinPath(subfolder, name);
    if (!has(path))
      continue;
    std::optional<ConfigFile> file = readConfig(path);
    if (!file)
      return failure();
    ConfigReader config(context, *file);
    double limit = config.getNumber(key, 1, kNoLimit, kNoLimit);
    if (config.failed())
      return failure();
    if (limit < static_cast<double>(length))
      length = static_cast<int64_t>(limit);
  }
  return length;
}

} // namespace attnc
