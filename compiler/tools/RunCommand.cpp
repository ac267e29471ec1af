//===- RunCommand.cpp - attnc run -------------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs a compiled library on text or on .npy files, by its self-description.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/Commands.h"
#include "compiler/tools/Library.h"
#include "compiler/tools/RunPrompt.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <cstring>

using namespace llvm;

namespace attnc::tools {
namespace {

cl::SubCommand command("run", "Run a compiled library");
#define IN_RUN cl::sub(command), cl::cat(category())

cl::opt<std::string> path(cl::Positional, cl::desc("LIB"), cl::Required,
                          cl::sub(command));
cl::list<std::string> texts("text", cl::desc("A text to encode; repeatable"),
                            cl::value_desc("STRING"), IN_RUN);
cl::opt<std::string> prompt("prompt", cl::desc("A text to continue"),
                            cl::value_desc("STRING"), IN_RUN);
cl::opt<bool> chat("chat",
                   cl::desc("Answer messages by the model's chat template: "
                            "--message, or lines of standard input"),
                   IN_RUN);
cl::list<std::string>
    messages("message", cl::desc("With --chat: what the user says; repeatable"),
             cl::value_desc("STRING"), IN_RUN);
cl::opt<std::string> systemMessage("system",
                                   cl::desc("With --chat: what comes first"),
                                   cl::value_desc("STRING"), IN_RUN);
cl::opt<std::string>
    draft("draft",
          cl::desc("With --prompt or --chat: the library of a smaller model of "
                   "the same vocabulary, which guesses ahead"),
          cl::value_desc("LIB"), IN_RUN);
cl::opt<int64_t>
    draftTokens("draft-tokens",
                cl::desc("With --draft: guesses at a time (default: 4)"),
                cl::value_desc("N"), IN_RUN);
cl::opt<int64_t> maxTokens("max-tokens",
                           cl::desc("With --prompt or --chat: tokens to make "
                                    "(default: until the model stops)"),
                           cl::value_desc("N"), IN_RUN);
cl::opt<bool>
    greedy("greedy",
           cl::desc("With --prompt or --chat: take the likeliest token"),
           IN_RUN);
cl::list<int32_t> promptIds("prompt-ids",
                            cl::desc("Token ids to continue, as 1,2,3"),
                            cl::value_desc("IDS"), cl::CommaSeparated, IN_RUN);
cl::opt<float> temperature(
    "temperature", cl::init(1.0f),
    cl::desc("With --prompt or --chat: divides the logits (default: what "
             "the model's authors recommend, else 1)"),
    cl::value_desc("T"), IN_RUN);
cl::opt<int>
    topK("top-k",
         cl::desc("With --prompt or --chat: draw from the K likeliest tokens"),
         cl::value_desc("K"), IN_RUN);
cl::opt<float>
    topP("top-p",
         cl::desc("With --prompt or --chat: draw from the likeliest tokens "
                  "that together have probability P"),
         cl::value_desc("P"), IN_RUN);
cl::opt<float>
    minP("min-p",
         cl::desc("With --prompt or --chat: leave out tokens less likely than "
                  "P times the likeliest"),
         cl::value_desc("P"), IN_RUN);
cl::opt<float> repetitionPenalty(
    "repetition-penalty",
    cl::desc(
        "With --prompt or --chat: makes tokens that came before less likely"),
    cl::value_desc("R"), IN_RUN);
cl::opt<uint64_t>
    seed("seed", cl::desc("With --prompt or --chat: of the draws (default: 0)"),
         cl::value_desc("N"), IN_RUN);
cl::list<std::string>
    stops("stop",
          cl::desc("With --prompt or --chat: a text to stop before; "
                   "repeatable"),
          cl::value_desc("STRING"), IN_RUN);
cl::list<std::string>
    inputFiles("input", cl::desc("An input from a .npy file; repeatable"),
               cl::value_desc("NAME=FILE.npy"), IN_RUN);
cl::opt<std::string> entryName("entry",
                               cl::desc("Entry point (default: embed for text, "
                                        "else the one whose inputs fit)"),
                               cl::value_desc("NAME"), IN_RUN);
cl::opt<std::string>
    outputDirectory("output", cl::desc("Write OUTPUTNAME.npy files here"),
                    cl::value_desc("DIR"), IN_RUN);
cl::opt<std::string>
    weightsPath("weights-file",
                cl::desc("Weights (default: beside the library)"),
                cl::value_desc("FILE"), IN_RUN);
cl::opt<int> threads("threads", cl::desc("Threads (default: all allowed)"),
                     cl::value_desc("N"), IN_RUN);
cl::opt<std::string> adapter("adapter",
                             cl::desc("Compute with this adapter of a library "
                                      "that keeps adapters apart"),
                             cl::value_desc("NAME"), IN_RUN);
cl::opt<bool> json("json", cl::desc("Print one JSON object"), IN_RUN);

struct Call {
  const LibraryEntry *entry = nullptr;
  std::map<std::string, int64_t> sizes;
  std::vector<HostTensor> inputs, outputs;
  std::vector<std::vector<int32_t>> ids; ///< of each text, without padding
};

Error runError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

Expected<const LibraryEntry *> chooseEntry(const Library &library,
                                           StringRef preferred) {
  if (!entryName.empty()) {
    if (const LibraryEntry *entry = library.findEntry(entryName))
      return entry;
    std::string known;
    for (const LibraryEntry &entry : library.entries())
      known += " " + entry.name;
    return runError("error[A0720]: the library has no entry '" + entryName +
                    "'; it has:" + known);
  }
  if (const LibraryEntry *entry = library.findEntry(preferred))
    return entry;
  return &library.entries().front();
}

/// Token ids of --text as the inputs that text entries have.
Error prepareText(const Library &library, Call &call) {
  if (!library.hasText())
    return runError("error[A0721]: the library holds no tokenizer, so --text "
                    "cannot be used; the model folder had no tokenizer.json or "
                    "vocab.txt. Give --input input_ids=FILE.npy");
  Expected<const LibraryEntry *> entry = chooseEntry(library, "embed");
  if (!entry)
    return entry.takeError();
  call.entry = *entry;
  std::vector<const char *> pointers;
  std::vector<size_t> lengths;
  for (const std::string &text : texts) {
    pointers.push_back(text.data());
    lengths.push_back(text.size());
  }
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = pointers.size();
  batch.texts = pointers.data();
  batch.lengths = lengths.data();
  if (attn_status status =
          library.functions().tokenize(library.model(), &batch))
    return library.lastError("tokenizing", status);
  batch.seq = std::max<int64_t>(batch.longest, 1);
  std::map<std::string, HostTensor> byName;
  for (StringRef name : {"input_ids", "attention_mask", "token_type_ids"})
    byName[name.str()].resize({batch.count, batch.seq}, /*integer=*/true);
  batch.input_ids = byName["input_ids"].integers.data();
  batch.attention_mask = byName["attention_mask"].integers.data();
  batch.token_type_ids = byName["token_type_ids"].integers.data();
  if (attn_status status =
          library.functions().tokenize(library.model(), &batch))
    return library.lastError("tokenizing", status);
  for (int64_t row = 0; row < batch.count; ++row) {
    std::vector<int32_t> &ids = call.ids.emplace_back();
    for (int64_t i = row * batch.seq, e = i + batch.seq; i < e; ++i)
      if (batch.attention_mask[i])
        ids.push_back(batch.input_ids[i]);
  }
  call.sizes = {{"batch", batch.count}, {"seq", batch.seq}};
  for (const LibraryArgument &input : call.entry->inputs) {
    if (!byName.count(input.name))
      return runError("error[A0722]: the entry '" + call.entry->name +
                      "' has the input '" + input.name +
                      "', which text does not give; use --input");
    call.inputs.push_back(byName[input.name]);
  }
  return Error::success();
}

/// Learns named sizes from the shape of an input.
Error matchShape(const LibraryArgument &input, HostTensor &tensor, Call &call) {
  auto shapeText = [](const auto &dims, auto print) {
    std::string text;
    for (const auto &dim : dims)
      text += "[" + print(dim) + "]";
    return text;
  };
  std::string expected =
      shapeText(input.dims, [](const SizeExpr &dim) { return dim.str(); });
  std::string came =
      shapeText(tensor.shape, [](int64_t dim) { return std::to_string(dim); });
  if (tensor.isInteger != input.isInteger)
    return runError("error[A0723]: input '" + input.name + "' takes " +
                    input.dtype + ", the file holds " +
                    (tensor.isInteger ? "integers" : "floating-point numbers"));
  bool fits = tensor.shape.size() == input.dims.size();
  for (size_t i = 0; fits && i < input.dims.size(); ++i) {
    if (StringRef size = input.dims[i].asName(); !size.empty())
      fits =
          call.sizes.try_emplace(size.str(), tensor.shape[i]).first->second ==
          tensor.shape[i];
    else
      fits = input.dims[i].number() == tensor.shape[i];
  }
  if (!fits)
    return runError("error[A0724]: input '" + input.name + "' has the shape " +
                    expected + ", the file holds " + came);
  return Error::success();
}

Error prepareFiles(const Library &library, Call &call) {
  std::map<std::string, HostTensor> files;
  for (const std::string &argument : inputFiles) {
    auto [name, file] = StringRef(argument).split('=');
    if (file.empty())
      return runError("error[A0725]: --input " + argument +
                      ": expected NAME=FILE.npy");
    Expected<HostTensor> tensor = readNpy(file);
    if (!tensor)
      return tensor.takeError();
    if (!files.try_emplace(name.str(), std::move(*tensor)).second)
      return runError("error[A0725]: --input gives '" + name +
                      "' twice; give one file for each input");
  }
  StringRef preferred = library.entries().front().name;
  for (const LibraryEntry &entry : reverse(library.entries()))
    if (all_of(files, [&](auto &file) {
          return any_of(entry.inputs, [&](const LibraryArgument &input) {
            return input.name == file.first;
          });
        }))
      preferred = entry.name;
  Expected<const LibraryEntry *> entry = chooseEntry(library, preferred);
  if (!entry)
    return entry.takeError();
  call.entry = *entry;
  for (const LibraryArgument &input : call.entry->inputs) {
    auto file = files.find(input.name);
    if (file == files.end()) {
      if (!input.defaultValue)
        return runError("error[A0726]: the entry '" + call.entry->name +
                        "' needs the input '" + input.name +
                        "'; give --input " + input.name + "=FILE.npy");
      call.inputs.emplace_back();
      continue;
    }
    if (Error error = matchShape(input, file->second, call))
      return error;
    call.inputs.push_back(std::move(file->second));
    files.erase(file);
  }
  if (!files.empty())
    return runError("error[A0727]: the entry '" + call.entry->name +
                    "' has no input '" + files.begin()->first + "'");
  for (const std::string &size : call.entry->sizes)
    if (!call.sizes.count(size))
      return runError("error[A0728]: no input tells the size '" + size + "'");
  return Error::success();
}

/// Nested lists, as NumPy's tolist() gives them.
json::Value nested(const HostTensor &tensor, size_t dim, int64_t &at) {
  if (dim == tensor.shape.size()) {
    int64_t index = at++;
    return tensor.isInteger ? json::Value(int64_t(tensor.integers[index]))
           : std::isfinite(tensor.numbers[index])
               ? json::Value(double(tensor.numbers[index]))
               : json::Value(nullptr); // JSON has no NaN and no infinity
  }
  json::Array list;
  for (int64_t i = 0; i < tensor.shape[dim]; ++i)
    list.push_back(nested(tensor, dim + 1, at));
  return list;
}

void printOutputs(const Call &call) {
  if (json) {
    json::Object outputs;
    for (auto [argument, tensor] : zip(call.entry->outputs, call.outputs)) {
      int64_t at = 0;
      outputs[argument.name] = nested(tensor, 0, at);
    }
    json::Object result{{"entry", call.entry->name},
                        {"outputs", std::move(outputs)}};
    if (!texts.empty()) {
      result["text"] = json::Array(texts);
      json::Array ids;
      for (const std::vector<int32_t> &row : call.ids)
        ids.push_back(json::Array(row));
      result["ids"] = std::move(ids);
    }
    printJson(std::move(result));
    return;
  }
  constexpr int64_t kShown = 8;
  for (auto [argument, tensor] : zip(call.entry->outputs, call.outputs)) {
    outs() << argument.name;
    for (int64_t dim : tensor.shape)
      outs() << "[" << dim << "]";
    outs() << "\n";
    int64_t width = tensor.shape.empty() ? 1 : tensor.shape.back();
    for (int64_t row = 0; width && row < tensor.count() / width; ++row) {
      outs() << " ";
      for (int64_t i = 0; i < std::min(width, kShown); ++i)
        if (tensor.isInteger)
          outs() << " " << tensor.integers[row * width + i];
        else
          outs() << format(" %.6f", tensor.numbers[row * width + i]);
      outs() << (width > kShown ? " ...\n" : "\n");
    }
  }
}

Error open(Library &library) {
  if (Error error = library.open(threads, weightsPath))
    return error;
  return adapter.empty() ? Error::success() : library.chooseAdapter(adapter);
}

Error runLibrary() {
  Expected<std::unique_ptr<Library>> library = Library::load(path);
  if (!library)
    return library.takeError();
  if (Error error = open(**library))
    return error;
  Call call;
  if (Error error = texts.empty() ? prepareFiles(**library, call)
                                  : prepareText(**library, call))
    return error;
  if (Error error =
          (*library)->call(*call.entry, call.sizes, call.inputs, call.outputs))
    return error;
  if (!outputDirectory.empty()) {
    if (std::error_code code = sys::fs::create_directories(outputDirectory))
      return runError("error[A0729]: '" + outputDirectory +
                      "' cannot be created: " + code.message());
    for (auto [argument, tensor] : zip(call.entry->outputs, call.outputs)) {
      SmallString<128> file(outputDirectory);
      sys::path::append(file, argument.name + ".npy");
      if (Error error = writeNpy(file, tensor))
        return error;
    }
  }
  if (outputDirectory.empty() || json)
    printOutputs(call);
  return Error::success();
}

/// What the model's authors recommend, and over it what the command line says.
attn_generate_options chooseOptions(const Library &library) {
  attn_generate_options options = ATTN_GENERATE_INIT;
  if (library.functions().generation) {
    const attn_generate_options &given =
        *library.functions().generation()->defaults;
    std::memcpy(&options, &given, std::min(given.struct_size, sizeof(options)));
    options.struct_size = sizeof(options);
  }
  if (temperature.getNumOccurrences() || options.temperature == 0)
    options.temperature = temperature;
  if (greedy)
    options.temperature = 0;
  auto override = [](const auto &flag, auto &field) {
    if (flag.getNumOccurrences())
      field = flag.getValue();
  };
  override(maxTokens, options.max_tokens);
  override(topK, options.top_k);
  override(topP, options.top_p);
  override(minP, options.min_p);
  override(repetitionPenalty, options.repetition_penalty);
  override(seed, options.seed);
  return options;
}

Error continuePrompt() {
  Expected<std::unique_ptr<Library>> library = Library::load(path);
  if (!library)
    return library.takeError();
  if (Error error = open(**library))
    return error;
  attn_generate_options options = chooseOptions(**library);
  std::unique_ptr<Library> drafting; // closed before the library
  if (!draft.empty()) {
    Expected<std::unique_ptr<Library>> loaded = Library::load(draft);
    if (!loaded)
      return loaded.takeError();
    drafting = std::move(*loaded);
    if (Error error = drafting->open(threads))
      return error;
    options.draft = &drafting->functions();
    options.draft_session = drafting->session();
    options.draft_tokens = draftTokens;
  }
  std::vector<std::string> stopTexts(stops.begin(), stops.end());
  if (chat)
    return runChat(**library, {{messages.begin(), messages.end()},
                               systemMessage,
                               json,
                               std::move(stopTexts),
                               options});
  PromptRequest request = {prompt, {}, json, std::move(stopTexts), options};
  request.ids.assign(promptIds.begin(), promptIds.end());
  return runPrompt(**library, request);
}

int run() {
  bool hasPrompt = prompt.getNumOccurrences() || !promptIds.empty() || chat;
  if (chat && (prompt.getNumOccurrences() || !promptIds.empty()))
    return usage("give --message instead of --prompt with --chat", "run");
  if (prompt.getNumOccurrences() && !promptIds.empty())
    return usage("give either --prompt or --prompt-ids, not both", "run");
  if (!chat && (!messages.empty() || systemMessage.getNumOccurrences()))
    return usage("--message and --system need --chat", "run");
  if (chat && json && messages.empty())
    return usage("--chat with --json needs --message", "run");
  if (draft.empty() && draftTokens.getNumOccurrences())
    return usage("--draft-tokens needs --draft", "run");
  if (!hasPrompt && !draft.empty())
    return usage("--draft needs --prompt or --chat", "run");
  if (hasPrompt && (!texts.empty() || !inputFiles.empty()))
    return usage("give one of --prompt, --text and --input", "run");
  // What would be read by nobody is a misunderstanding.
  const cl::Option *choices[] = {&maxTokens,
                                 &greedy,
                                 &temperature,
                                 &topK,
                                 &topP,
                                 &minP,
                                 &seed,
                                 &repetitionPenalty,
                                 std::addressof(stops)};
  const cl::Option *calls[] = {&entryName, &outputDirectory};
  for (const cl::Option *option : choices)
    if (!hasPrompt && option->getNumOccurrences())
      return usage("--" + option->ArgStr + " needs --prompt or --chat", "run");
  for (const cl::Option *option : calls)
    if (hasPrompt && option->getNumOccurrences())
      return usage("--" + option->ArgStr +
                       " does not go with --prompt and --chat",
                   "run");
  if (hasPrompt) {
    if (Error error = continuePrompt())
      return report(std::move(error));
    return kSuccess;
  }
  if (!texts.empty() && !inputFiles.empty())
    return usage("give either --text or --input, not both", "run");
  if (Error error = runLibrary())
    return report(std::move(error));
  return kSuccess;
}

} // namespace

Command runCommand() {
  return {
      command,
      "  attnc run out/libminilm.so --text \"a cat\" --text \"a dog\" --json\n"
      "  attnc run out/libminilm.so --entry encode --input "
      "input_ids=ids.npy --output results\n"
      "  attnc run out/libgpt2.so --prompt \"Once upon a time\" --max-tokens "
      "100 --temperature 0.8 --top-p 0.9\n"
      "  attnc run out/libsmol.so --chat --message \"Hello!\"\n",
      run};
}

} // namespace attnc::tools
