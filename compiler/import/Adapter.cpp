//===- Adapter.cpp - low-rank updates of a model's weights ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The adapter's tensors are named after the modules that they change:
// `base_model.model.PATH.lora_A.weight` and so on change `PATH.weight`. A
// checkpoint of the bare model may lack the first words of PATH, one of a
// larger model may have more. Declined by name: other kinds of adapters,
// biases, quantized and replicated layers, tensors that change nothing there
// is, word tables that are a head's matrix too.
//
//===----------------------------------------------------------------------===//
#include "compiler/import/Adapter.h"
#include "compiler/import/AdapterSet.h"
#include "compiler/import/Diagnostics.h"
#include "compiler/import/Folder.h"
#include "compiler/import/GgufModel.h"
#include "compiler/import/Json.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include <cmath>

using namespace llvm;

namespace attnc {

double LowRankUpdate::addRow(const float *base, int64_t o,
                             MutableArrayRef<double> row) const {
  // In double: one rounding for all that is added.
  std::fill(row.begin(), row.end(), 0.0);
  for (int64_t k = 0; k < rank; ++k) {
    double factor = scale * up[o * rank + k];
    const float *from = down.data() + k * in;
    for (int64_t i = 0; i < in; ++i)
      row[i] += factor * from[i];
  }
  double squares = 0;
  for (int64_t i = 0; i < in; ++i) {
    row[i] += base[o * rowStep() + i * columnStep()];
    squares += row[i] * row[i];
  }
  return magnitude.empty() || squares == 0 ? 1.0
                                           : magnitude[o] / std::sqrt(squares);
}

void LowRankUpdate::apply(MutableArrayRef<float> elements) const {
  assert(int64_t(elements.size()) == in * out && "checked when it was read");
  std::vector<double> row(in);
  for (int64_t o = 0; o < out; ++o) {
    double factor = addRow(elements.data(), o, row);
    float *base = elements.data() + o * rowStep();
    for (int64_t i = 0; i < in; ++i)
      base[i * columnStep()] = static_cast<float>(row[i] * factor);
  }
}

std::vector<double>
LowRankUpdate::getRowFactors(ArrayRef<float> elements) const {
  std::vector<double> factors(out, 1.0), row(in);
  if (!magnitude.empty())
    for (int64_t o = 0; o < out; ++o)
      factors[o] = addRow(elements.data(), o, row);
  return factors;
}

namespace {

/// The tensors of one module in the adapter's file.
struct ModuleTensors {
  std::string down, up, magnitude; ///< names, or empty
  bool isEmbedding = false;
};

/// What a GGUF file says of its rows.
struct GgufFacts {
  std::string architecture; ///< empty: it is no such file
  int64_t heads = 0, keyHeads = 0;
};

class AdapterReader {
public:
  AdapterReader(mlir::MLIRContext &context, StringRef path,
                const WeightTable &weights, AdapterContents &contents)
      : context(context), folder(&context, path), weights(weights),
        contents(contents), tensors(contents.tensors) {}
  LogicalResult run();

private:
  LogicalResult readConfig();
  LogicalResult readAlphas(ConfigReader &config);
  LogicalResult sortTensors();
  /// The model's tensor that a module's matrices change.
  FailureOr<std::string> findUpdated(StringRef path,
                                     const ModuleTensors &names);
  LogicalResult addUpdate(StringRef path, const ModuleTensors &names);
  LogicalResult addReplacement(StringRef path, StringRef name);
  FailureOr<bool> holdsTheSame(StringRef target, StringRef name);
  LogicalResult checkOrder(StringRef target);
  LogicalResult orderRows(StringRef target, LowRankUpdate &update);
  RowOrder getOrder(StringRef target);
  /// The model's tensor for a path of the adapter; empty if there is none.
  FailureOr<std::string> findTarget(StringRef path);
  FailureOr<std::vector<float>> read(StringRef name);
  double getAlpha(StringRef path) const;
  LogicalResult fail(StringRef code, const Twine &what, const Twine &todo) {
    return reportError(&context, code, folder.getPath() + ": " + what, todo);
  }

  mlir::MLIRContext &context;
  ModelFolder folder;
  const WeightTable &weights;
  AdapterContents &contents;
  WeightTable &tensors; ///< the adapter's own
  double alpha = 0;
  std::vector<std::pair<std::string, double>> alphas; ///< by module
  bool usesRootRank = false, usesMagnitude = false, fansIn = false;
  std::vector<std::string> saved; ///< modules that are replaced
  std::map<std::string, ModuleTensors> modules;
  std::map<std::string, GgufFacts> facts; ///< by a file's path
};
} // namespace

static constexpr StringLiteral kBelongs =
    "give the adapter of this model, as PEFT saves it";

LogicalResult AdapterReader::readAlphas(ConfigReader &config) {
  std::optional<ConfigFile> pattern = config.getObject("alpha_pattern");
  if (!pattern)
    return success();
  for (const auto &[key, value] : pattern->fields) {
    std::optional<double> number = value.getAsNumber();
    StringRef name(key);
    if (!number || name.find_first_of("*+?[]()|^$\\{}") != StringRef::npos)
      return fail("A0241",
                  "'alpha_pattern' gives " + quote(name) +
                      ", which is no module's name with a number",
                  "name modules in full; expressions are not read");
    alphas.emplace_back(name.str(), *number);
  }
  return success();
}

LogicalResult AdapterReader::readConfig() {
  std::optional<ConfigFile> file = folder.readConfig("adapter_config.json");
  if (!file)
    return failure();
  ConfigReader config(&context, *file);
  std::string kind = config.getString("peft_type");
  if (!config.failed() && kind != "LORA")
    config.report("peft_type", "is " + quote(kind) + "; known is LORA",
                  "merge this adapter with PEFT and compile the result",
                  "A0241");
  (void)config.getInteger("r", 1, 65536);
  alpha = config.getNumber("lora_alpha", -1e9, 1e9);
  usesRootRank = config.getBool("use_rslora", false);
  usesMagnitude = config.getBool("use_dora", false);
  fansIn = config.getBool("fan_in_fan_out", false);
  saved = config.getStrings("modules_to_save");
  std::string bias = config.getString("bias", "none");
  if (bias != "none")
    config.report("bias", "is " + quote(bias) + "; known is 'none'",
                  "merge this adapter with PEFT and compile the result",
                  "A0241");
  for (auto [key, what] :
       std::initializer_list<std::pair<StringRef, StringRef>>{
           {"lora_bias", "biases of the narrow matrices"},
           {"layer_replication", "layers that stand more than once"},
           {"trainable_token_indices", "rows of an embedding"},
           {"use_qalora", "groups of quantized weights"},
           {"target_parameters", "parameters that are no module's weight"},
           {"arrow_config", "adapters chosen by a router"},
           {"alora_invocation_tokens", "adapters that tokens switch on"},
           {"kasa_config", "another kind of update"},
           {"lora_ga_config", "another kind of update"},
           {"monteclora_config", "another kind of update"},
           {"velora_config", "another kind of update"},
           {"use_bdlora", "matrices of blocks"}})
    config.refuseIfSet(key, what);
  LogicalResult good = readAlphas(config);
  config.ignore({"auto_mapping",
                 "base_model_name_or_path",
                 "corda_config",
                 "eva_config",
                 "exclude_modules",
                 "inference_mode",
                 "init_lora_weights",
                 "layers_pattern",
                 "layers_to_transform",
                 "loftq_config",
                 "lora_dropout",
                 "megatron_config",
                 "megatron_core",
                 "peft_version",
                 "qalora_group_size",
                 "rank_pattern",
                 "revision",
                 "runtime_config",
                 "target_modules",
                 "task_type",
                 "ensure_weight_tying"});
  return success(succeeded(config.finish()) && succeeded(good));
}

/// Sorts the adapter's tensors by module; those of no narrow matrix replace.
LogicalResult AdapterReader::sortTensors() {
  static constexpr struct {
    StringLiteral ending;
    std::string ModuleTensors::*name;
    bool isEmbedding;
  } kEndings[] = {
      {".lora_A.weight", &ModuleTensors::down, false},
      {".lora_B.weight", &ModuleTensors::up, false},
      {".lora_embedding_A", &ModuleTensors::down, true},
      {".lora_embedding_B", &ModuleTensors::up, true},
      {".lora_magnitude_vector", &ModuleTensors::magnitude, false},
      {".lora_magnitude_vector.weight", &ModuleTensors::magnitude, false}};
  for (StringRef name : tensors.names()) {
    StringRef path = name;
    path.consume_front("base_model.model.");
    bool found = false;
    for (const auto &[ending, member, isEmbedding] : kEndings)
      if (!found && path.ends_with(ending)) {
        ModuleTensors &module = modules[path.drop_back(ending.size()).str()];
        module.*member = name.str();
        module.isEmbedding |= isEmbedding;
        found = true;
      }
    if (!found && failed(addReplacement(path, name)))
      return failure();
  }
  if (modules.empty())
    return fail("A0242", "the adapter's file has no low-rank matrices",
                kBelongs);
  return success();
}

FailureOr<std::string> AdapterReader::findTarget(StringRef path) {
  if (weights.find(path))
    return path.str();
  std::vector<StringRef> found;
  for (StringRef name : weights.names())
    if (name.ends_with(("." + path).str()) ||
        path.ends_with(("." + name).str()))
      found.push_back(name);
  if (found.size() > 1)
    return fail("A0242",
                quote(path) + " may be any of the model's tensors " +
                    listNames(found),
                kBelongs);
  return found.empty() ? std::string() : found.front().str();
}

static GgufFacts readFacts(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return {};
  StringRef text = (*buffer)->getBuffer();
  ArrayRef<uint8_t> bytes(text.bytes_begin(), text.size());
  if (!isGguf(bytes))
    return {};
  Expected<GgufFile> file = readGguf(bytes, path);
  if (!file) // it has been read before
    return consumeError(file.takeError()), GgufFacts();
  GgufFacts facts;
  facts.architecture =
      file->metadata.getString("general.architecture").value_or("").str();
  auto count = [&](StringRef key) {
    return file->metadata.getInteger(
        (facts.architecture + ".attention." + key).str());
  };
  facts.heads = count("head_count").value_or(0);
  facts.keyHeads = count("head_count_kv").value_or(facts.heads);
  return facts;
}

RowOrder AdapterReader::getOrder(StringRef target) {
  const WeightEntry *entry = weights.find(target);
  if (!entry || entry->file >= weights.files().size())
    return RowOrder::Same;
  const std::string path = weights.files()[entry->file];
  auto [known, isNew] = facts.try_emplace(path);
  if (isNew)
    known->second = readFacts(path);
  StringRef architecture = known->second.architecture;
  return architecture.empty() ? RowOrder::Same
                              : getRowOrder(architecture, target);
}

/// Tensors that take another's place are as a checkpoint has them.
LogicalResult AdapterReader::checkOrder(StringRef target) {
  if (getOrder(target) == RowOrder::Same)
    return success();
  return fail("A0241",
              "it replaces " + quote(target) + ", which " +
                  weights.files()[weights.find(target)->file] +
                  " keeps otherwise than checkpoints do: its rows in another "
                  "order, transposed, or with one added",
              "give the model's HuggingFace folder instead of the GGUF file");
}

/// Brings the rows of a change into the order of a GGUF file.
LogicalResult AdapterReader::orderRows(StringRef target,
                                       LowRankUpdate &update) {
  const RowOrder order = getOrder(target);
  if (order == RowOrder::Same || order == RowOrder::Transposed)
    return success();
  const std::string path = weights.files()[weights.find(target)->file];
  const GgufFacts &file = facts.find(path)->second;
  const std::vector<int64_t> rows =
      order == RowOrder::PlusOne
          ? std::vector<int64_t>()
          : getCheckpointRows(order, file.heads, file.keyHeads, update.out);
  if (rows.empty() || update.transposed)
    return fail("A0241",
                "it changes " + quote(target) + ", which " + path +
                    " keeps in a way that no change of rows follows",
                "give the model's HuggingFace folder instead of the GGUF file");
  auto reorder = [&](std::vector<float> &numbers, int64_t width) {
    std::vector<float> ordered;
    for (int64_t row : rows)
      ordered.insert(ordered.end(), numbers.begin() + row * width,
                     numbers.begin() + (row + 1) * width);
    numbers = std::move(ordered);
  };
  reorder(update.up, update.rank);
  if (!update.magnitude.empty())
    reorder(update.magnitude, 1);
  return success();
}

/// Whether the adapter's tensor `name` holds the numbers of the model's.
FailureOr<bool> AdapterReader::holdsTheSame(StringRef target, StringRef name) {
  const WeightEntry &base = *weights.find(target), &saved = *tensors.find(name);
  if (base.shape != saved.shape)
    return false;
  if (base.type == saved.type && base.bytes == saved.bytes)
    return true; // without both in f32
  Expected<std::vector<float>> own = weights.read(target);
  if (!own)
    return reportError(&context, own.takeError());
  FailureOr<std::vector<float>> given = read(name);
  if (failed(given))
    return failure();
  return *own == *given;
}

/// A tensor that stands in the adapter as a whole.
LogicalResult AdapterReader::addReplacement(StringRef path, StringRef name) {
  // Modules are named by the ends of their paths.
  auto isSaved = [&](StringRef module) {
    return path.contains((module + ".").str());
  };
  // What an embedding was before it was adapted stands beside its matrices.
  const bool isBase = path.consume_back(".base_layer.weight");
  const std::string tensor = path.str() + (isBase ? ".weight" : "");
  if (!isBase && none_of(saved, isSaved))
    return fail("A0242",
                "the tensor " + quote(name) +
                    " is no part of a low-rank matrix, and of no module of "
                    "'modules_to_save'",
                kBelongs);
  FailureOr<std::string> target = findTarget(tensor);
  if (failed(target))
    return failure();
  if (isBase && !target->empty()) {
    FailureOr<bool> same = holdsTheSame(*target, name);
    if (failed(same) || *same)
      return success(succeeded(same));
  }
  if (failed(checkOrder(*target)))
    return failure();
  contents.replacements[target->empty() ? tensor : *target] =
      *tensors.find(name);
  return success();
}

/// A tensor's numbers in f32.
FailureOr<std::vector<float>> AdapterReader::read(StringRef name) {
  Expected<std::vector<float>> values = tensors.read(name);
  if (values)
    return std::move(*values);
  return reportError(&context, values.takeError());
}

double AdapterReader::getAlpha(StringRef path) const {
  for (const auto &[module, value] : alphas)
    if (path == module || path.ends_with("." + module))
      return value;
  return alpha;
}

FailureOr<std::string> AdapterReader::findUpdated(StringRef path,
                                                  const ModuleTensors &names) {
  if (names.down.empty() || names.up.empty() ||
      names.magnitude.empty() == usesMagnitude)
    return fail("A0242",
                "the module " + quote(path) + " lacks " +
                    (names.down.empty() ? "lora_A"
                     : names.up.empty() ? "lora_B"
                     : usesMagnitude    ? "lora_magnitude_vector"
                                        : "'use_dora'"),
                "save the adapter again");
  FailureOr<std::string> target = findTarget((path + ".weight").str());
  if (failed(target))
    return failure();
  if (target->empty())
    return fail("A0242",
                "the module " + quote(path) +
                    " has no tensor in the model that it could change",
                kBelongs);
  return target;
}

LogicalResult AdapterReader::addUpdate(StringRef path,
                                       const ModuleTensors &names) {
  FailureOr<std::string> target = findUpdated(path, names);
  if (failed(target))
    return failure();
  LowRankUpdate update;
  FailureOr<std::vector<float>> down = read(names.down), up = read(names.up);
  if (failed(down) || failed(up))
    return failure();
  ArrayRef<int64_t> downShape = tensors.find(names.down)->shape;
  ArrayRef<int64_t> upShape = tensors.find(names.up)->shape;
  ArrayRef<int64_t> shape = weights.find(*target)->shape;
  // Rows of an embedding are looked up: its matrix is [in, out].
  update.transposed = names.isEmbedding ||
                      (fansIn && getOrder(*target) != RowOrder::Transposed);
  if (shape.size() == 2) {
    update.out = shape[update.transposed];
    update.in = shape[!update.transposed];
  }
  update.rank = downShape.empty() ? 0 : downShape[0];
  if (update.rank < 1 || shape.size() != 2 ||
      downShape != ArrayRef<int64_t>({update.rank, update.in}) ||
      upShape != ArrayRef<int64_t>({update.out, update.rank}))
    return fail("A0243",
                "the module " + quote(path) + " has matrices of " +
                    formatShape(downShape) + " and " + formatShape(upShape) +
                    "; the model's tensor " + quote(*target) + " is " +
                    formatShape(shape),
                kBelongs);
  update.down = std::move(*down);
  update.up = std::move(*up);
  if (usesMagnitude) {
    FailureOr<std::vector<float>> magnitude = read(names.magnitude);
    if (failed(magnitude))
      return failure();
    if (int64_t(magnitude->size()) != update.out)
      return fail("A0243",
                  "the module " + quote(path) + " has " +
                      Twine(magnitude->size()) + " magnitudes; expected " +
                      Twine(update.out),
                  kBelongs);
    update.magnitude = std::move(*magnitude);
  }
  if (failed(orderRows(*target, update)))
    return failure();
  double rank = double(update.rank);
  update.scale = getAlpha(path) / (usesRootRank ? std::sqrt(rank) : rank);
  BLAKE3 hasher;
  for (const std::vector<float> *part :
       {&update.down, &update.up, &update.magnitude})
    hasher.update({reinterpret_cast<const uint8_t *>(part->data()),
                   part->size() * sizeof(float)});
  hasher.update(
      {reinterpret_cast<const uint8_t *>(&update.scale), sizeof(update.scale)});
  update.digest = toHex(hasher.final<16>(), /*LowerCase=*/true);
  contents.updates[*target] = std::move(update);
  return success();
}

LogicalResult AdapterReader::run() {
  if (failed(folder.open()) || failed(readConfig()))
    return failure();
  if (Error error =
          tensors.addFile(folder.getPath("adapter_model.safetensors")))
    return reportError(&context, std::move(error));
  if (failed(sortTensors()))
    return failure();
  for (const auto &[path, names] : modules)
    if (failed(addUpdate(path, names)))
      return failure();
  return success();
}

LogicalResult readAdapter(mlir::MLIRContext &context, StringRef folder,
                          const WeightTable &weights,
                          AdapterContents &contents) {
  return AdapterReader(context, folder, weights, contents).run();
}

std::vector<std::string> listChanges(const AdapterContents &contents) {
  std::vector<std::string> names;
  for (const auto &[name, update] : contents.updates)
    names.push_back(name);
  for (const auto &[name, entry] : contents.replacements)
    names.push_back(name);
  return names;
}

LogicalResult checkSharedTables(mlir::ModuleOp module, StringRef folder,
                                const WeightTable &weights,
                                ArrayRef<std::string> changes) {
  StringSet<> lookedUp, multiplied, read;
  module.walk([&](attn::GetWeightOp weight) {
    for (mlir::Operation *user : weight->getUsers())
      (mlir::isa<attn::EmbeddingOp>(user) ? lookedUp : multiplied)
          .insert(weight.getWeight());
  });
  for (auto weight : module.getOps<attn::WeightOp>())
    for (StringRef source : getSources(weight))
      read.insert(source);
  // The table itself, or what a checkpoint or the adapter has for the head,
  // whose place the table takes.
  auto isTable = [&](StringRef change, attn::WeightOp table) {
    if (read.contains(change))
      return is_contained(getSources(table), change);
    const WeightEntry *entry = weights.find(change);
    return entry && ArrayRef(entry->shape) == table.getType().getShape();
  };
  bool good = true;
  for (auto weight : module.getOps<attn::WeightOp>())
    if (lookedUp.contains(weight.getSymName()) &&
        multiplied.contains(weight.getSymName()))
      for (StringRef change : changes)
        if (isTable(change, weight))
          good &= succeeded(reportError(
              module.getContext(), "A0241",
              folder + ": it changes " + quote(change) +
                  ", but the model looks up words in the matrix by which it "
                  "multiplies in the end (tie_word_embeddings); an adapter "
                  "changes one of the two",
              "give the model a tensor for each, with tie_word_embeddings "
              "false, or merge the adapter with PEFT and compile the result"));
  return success(good);
}

LogicalResult addAdapter(mlir::MLIRContext &context, StringRef folder,
                         WeightTable &weights,
                         std::vector<std::string> &changes) {
  AdapterContents contents;
  if (failed(readAdapter(context, folder, weights, contents)))
    return failure();
  changes = listChanges(contents);
  for (auto &[name, update] : contents.updates)
    weights.addUpdate(name, std::move(update));
  for (const auto &[name, entry] : contents.replacements)
    weights.replace(name, entry);
  weights.keepAlive(std::move(contents.tensors));
  return success();
}

} // namespace attnc
