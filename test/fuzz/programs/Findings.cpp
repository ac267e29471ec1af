//===- Findings.cpp - what differs, as files ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Files of weights, of programs, and what a crash leaves.
//
//===----------------------------------------------------------------------===//
#include "Findings.h"
#include "Random.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <csignal>
#include <fstream>
#include <unistd.h>

using namespace mlir;

namespace attnc::fuzz {

static void writeText(const std::string &path, llvm::StringRef text) {
  std::ofstream(path, std::ios::binary).write(text.data(), text.size());
}

static std::string joinPath(const std::string &folder, llvm::StringRef name) {
  return folder + "/" + name.str();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// A safetensors file of normal numbers that `seed` decides.
static std::string makeWeights(const std::vector<SourceTensor> &sources,
                               uint64_t seed) {
  std::string header = "{", data;
  Random random(seed ^ 0x3E16);
  for (const SourceTensor &source : sources) {
    std::string shape;
    int64_t count = 1;
    for (int64_t dim : source.shape) {
      shape += (shape.empty() ? "" : ", ") + std::to_string(dim);
      count *= dim;
    }
    header += (header.size() > 1 ? ", \"" : "\"") + source.name +
              "\": {\"dtype\": \"F32\", \"shape\": [" + shape +
              "], \"data_offsets\": [" + std::to_string(data.size()) + ", " +
              std::to_string(data.size() + 4 * count) + "]}";
    for (int64_t i = 0; i < count; ++i) {
      float number = source.center + source.spread * random.normal();
      data.append(reinterpret_cast<const char *>(&number), sizeof number);
    }
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  uint64_t length = header.size();
  return std::string(reinterpret_cast<const char *>(&length), 8) + header +
         data;
}

//===----------------------------------------------------------------------===//
// Crashes
//===----------------------------------------------------------------------===//

/// What the handler of signals writes; one process checks one module at a time.
static struct {
  std::string folder, head, text, weights, program;
} current;

static void onCrash(int signal) {
  std::string name = joinPath(current.folder, "crash-" + current.program);
  writeText(name + ".mlir", current.head +
                                "// signal: " + std::to_string(signal) +
                                " in " + current.program + "\n" + current.text);
  std::ifstream from(current.weights, std::ios::binary);
  std::ofstream(joinPath(current.folder, FindingWriter::weightsName()),
                std::ios::binary)
      << from.rdbuf();
  llvm::errs() << "CRASH (signal " << signal << ") in " << current.program
               << ": " << name << ".mlir\n";
  _exit(1);
}

FindingWriter::FindingWriter(std::string output, std::string scratch,
                             bool makeSmaller)
    : output(std::move(output)), scratch(std::move(scratch)),
      makeSmaller(makeSmaller) {
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
    std::signal(signal, onCrash);
}

FindingWriter::~FindingWriter() {
  for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
    std::signal(signal, SIG_DFL);
}

void FindingWriter::begin(uint64_t newSeed, std::string newText,
                          const Setting &newSetting,
                          const std::vector<SourceTensor> &sources) {
  seed = newSeed;
  text = std::move(newText);
  setting = newSetting;
  std::string weights = joinPath(scratch, weightsName());
  writeText(weights, makeWeights(sources, seed));
  current = {output, "// setting: " + setting.text() + "\n", text, weights,
             "seed-" + std::to_string(seed)};
}

//===----------------------------------------------------------------------===//
// Files of findings
//===----------------------------------------------------------------------===//

static std::string describeCase(const Finding &finding) {
  using namespace interpret;
  std::string text = "// case: program=" + finding.program +
                     " seed=" + std::to_string(finding.seed) +
                     " mask=" + std::to_string(int(finding.plan.mask)) +
                     " ids=" + std::to_string(int(finding.plan.ids)) +
                     " numbers=" + std::to_string(int(finding.plan.numbers));
  for (auto &[name, size] : finding.plan.sizes)
    text += " " + name + ":" + std::to_string(size);
  return text + "\n";
}

static std::optional<Finding> parseCase(llvm::StringRef line) {
  Finding finding;
  llvm::SmallVector<llvm::StringRef> words;
  line.split(words, ' ', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef word : words) {
    bool isSize = word.contains(':');
    auto [name, value] = word.split(isSize ? ':' : '=');
    uint64_t number = 0;
    if (name == "program")
      finding.program = value.str();
    else if (value.getAsInteger(10, number))
      return std::nullopt;
    else if (isSize)
      finding.plan.sizes[name.str()] = number;
    else if (name == "seed")
      finding.seed = number;
    else if (name == "mask")
      finding.plan.mask = interpret::MaskPattern(number);
    else if (name == "ids")
      finding.plan.ids = interpret::IdPattern(number);
    else if (name == "numbers")
      finding.plan.numbers = interpret::NumberPattern(number);
  }
  return finding;
}

/// The module with one entry alone and the weights that it uses.
static std::unique_ptr<Program> extract(const Program &program,
                                        const std::string &entry,
                                        const std::string &folder) {
  auto alone = std::make_unique<Program>();
  alone->module = cast<ModuleOp>(program.module.get()->clone());
  for (auto op :
       llvm::make_early_inc_range(alone->module->getOps<attn::EntryOp>()))
    if (op.getSymName() != entry)
      op.erase();
  for (auto op :
       llvm::make_early_inc_range(alone->module->getOps<attn::WeightOp>()))
    if (SymbolTable::symbolKnownUseEmpty(op, *alone->module))
      op.erase();
  if (llvm::Error error = alone->weights.addFiles(*alone->module, folder))
    llvm::report_fatal_error(std::move(error));
  return alone;
}

static std::string commented(llvm::StringRef text) {
  std::string lines;
  llvm::SmallVector<llvm::StringRef> split;
  text.split(split, '\n', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef line : split)
    lines += "// " + line.str() + "\n";
  return lines;
}

static void writeProgram(const std::string &path, const std::string &head,
                         const Program &program, const std::string &weights) {
  std::string text = head;
  llvm::raw_string_ostream os(text);
  auto files = program.module.get()->getAttrOfType<ArrayAttr>("attn.files");
  Builder b(program.module.get()->getContext());
  if (files)
    program.module.get()->setAttr("attn.files", b.getStrArrayAttr({weights}));
  program.module.get()->print(os);
  if (files)
    program.module.get()->setAttr("attn.files", files);
  writeText(path, text);
}

void FindingWriter::write(Checker &checker, const Program *program,
                          const Finding &finding) {
  std::string name = "seed-" + std::to_string(seed) +
                     (finding.program.empty() ? "" : "-" + finding.program);
  std::string base = joinPath(output, name);
  llvm::errs() << "FINDING " << base << ".mlir: " << finding.what << "\n";
  (void)llvm::sys::fs::copy_file(joinPath(scratch, weightsName()),
                                 base + ".safetensors");
  std::string head =
      "// setting: " + setting.text() + "\n" + commented(finding.what);
  if (!program || finding.program.empty()) {
    std::string whole = text;
    size_t at = whole.find(weightsName());
    if (at != std::string::npos)
      whole.replace(at, weightsName().size(), name + ".safetensors");
    writeText(base + ".mlir", head + whole);
    return;
  }
  head = describeCase(finding) + head;
  std::unique_ptr<Program> alone = extract(*program, finding.program, scratch);
  // Weights and kernels are shared: the other programs may be what it takes.
  if (!checker.checkCase(*alone, setting, finding)) {
    writeProgram(base + ".mlir", head, *program, name + ".safetensors");
    return;
  }
  writeProgram(base + ".mlir", head, *alone, name + ".safetensors");
  if (!makeSmaller)
    return;
  if (std::unique_ptr<Program> small =
          reduce(checker, *alone, setting, finding))
    writeProgram(base + "-small.mlir", head, *small, name + ".safetensors");
}

int repeatFinding(Checker &checker, const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  if (!file) {
    llvm::errs() << "error: " << path << ": " << file.getError().message()
                 << "\n";
    return 2;
  }
  std::optional<Setting> setting;
  std::optional<Finding> finding;
  llvm::SmallVector<llvm::StringRef> lines;
  (*file)->getBuffer().split(lines, '\n');
  for (llvm::StringRef line : lines) {
    if (line.consume_front("// setting: "))
      setting = Setting::parse(line);
    else if (line.consume_front("// case: "))
      finding = parseCase(line);
  }
  if (!setting) {
    llvm::errs() << "error: " << path << " has no line '// setting: ...'\n";
    return 2;
  }
  std::string what;
  std::unique_ptr<Program> program =
      checker.read((*file)->getBuffer().str(),
                   llvm::sys::path::parent_path(path).str(), what);
  if (!program) {
    llvm::outs() << what << "\n";
    return 1;
  }
  Counts counts;
  std::vector<Finding> findings;
  if (finding) {
    if (auto text = checker.checkCase(*program, *setting, *finding))
      findings.push_back({finding->program, *text, {}});
  } else {
    findings = checker.check(*program, *setting, counts);
  }
  for (const Finding &found : findings)
    llvm::outs() << found.program << ": " << found.what << "\n";
  if (findings.empty())
    llvm::outs() << "no difference\n";
  return findings.empty() ? 0 : 1;
}

} // namespace attnc::fuzz
