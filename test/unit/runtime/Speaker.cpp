//===- Speaker.cpp - a hand-written language model ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables and phases in the form of attn/abi.h. Masked rows get NaN, so that one
// who reads them notices.
//
//===----------------------------------------------------------------------===//
#include "Speaker.h"

#include <algorithm>
#include <cmath>

using namespace speaker;

std::atomic<void (*)()> speaker::hook{nullptr};
std::atomic<int64_t> speaker::rows{0};

namespace {

enum Size { Batch, Seq, SizeCount };
constexpr int64_t kBlock = 16, kHidden = 20;

/// In [0, 1).
double noise(uint64_t seed) {
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ull;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111ebull;
  return static_cast<double>((seed ^ (seed >> 31)) >> 11) * 0x1p-53;
}

/// Logits behind `count` tokens; a draft's are a little off.
void computeLogits(const int32_t *last, int64_t count, bool isDraft,
                   float *logits) {
  uint64_t seed = static_cast<uint64_t>(count) + 1;
  for (int64_t i = 1; i <= 3; ++i)
    seed = seed * 1000003 + (i <= count ? last[-i] + 1 : 0);
  for (int64_t v = 0; v < kVocabulary; ++v) {
    double logit = 6 * noise(seed * kVocabulary + v);
    if (isDraft)
      logit += 2 * noise((seed * kVocabulary + v) ^ 0x5555555555555555ull);
    logits[v] = static_cast<float>(logit);
  }
}

int64_t plan(int64_t *, int32_t, int64_t *, int64_t *scratchOffset,
             int64_t *scratchStride) {
  *scratchOffset = *scratchStride = 0;
  return 64;
}

int32_t *place(const attn_frame *frame, int64_t sequence, int64_t position) {
  const attn_frame_state &state = frame->states[0];
  unsigned char *block = state.tables[sequence][position / kBlock];
  return reinterpret_cast<int32_t *>(block + state.offset) + position % kBlock;
}

template <bool All, bool IsDraft, bool Reversed = false>
void speak(const attn_frame *frame, int32_t, int32_t) {
  if (void (*call)() = hook)
    call();
  auto ids = static_cast<const int32_t *>(frame->arguments[Reversed]);
  auto mask = static_cast<const int32_t *>(frame->arguments[!Reversed]);
  auto logits = static_cast<float *>(frame->arguments[2]);
  int64_t batch = frame->sizes[Batch], seq = frame->sizes[Seq];
  rows = batch;
  std::fill(logits, logits + batch * (All ? seq : 1) * kVocabulary, NAN);
  for (int64_t b = 0; b < batch; ++b) {
    int64_t position = frame->past[b];
    for (int64_t s = 0; s < seq; ++s) {
      if (!mask[b * seq + s])
        continue;
      *place(frame, b, position++) = ids[b * seq + s];
      int32_t last[3];
      for (int64_t i = 0; i < 3; ++i)
        last[2 - i] = i < position ? *place(frame, b, position - 1 - i) : 0;
      computeLogits(last + 3, position, IsDraft,
                    logits + (All ? b * seq + s : b) * kVocabulary);
    }
  }
}

const attn_abi_phase decodePhases[] = {
    {speak<false, false>, "decode", ATTN_PHASE_SERIAL, {}, {}}};
const attn_abi_phase scorePhases[] = {
    {speak<true, false>, "score", ATTN_PHASE_SERIAL, {}, {}}};
const attn_abi_phase draftPhases[] = {
    {speak<false, true>, "decode", ATTN_PHASE_SERIAL, {}, {}}};
const int32_t noSlots[] = {-1, -1, -1};
const attn_abi_schedule schedules[] = {{decodePhases, 1, 0, plan, noSlots},
                                       {scorePhases, 1, 0, plan, noSlots}};
const attn_abi_schedule draftSchedules[] = {{draftPhases, 1, 0, plan, noSlots},
                                            {scorePhases, 1, 0, plan, noSlots}};
const attn_abi_phase reversedDecodePhases[] = {
    {speak<false, false, true>, "decode", ATTN_PHASE_SERIAL, {}, {}}};
const attn_abi_phase reversedScorePhases[] = {
    {speak<true, false, true>, "score", ATTN_PHASE_SERIAL, {}, {}}};
const attn_abi_schedule reversedSchedules[] = {
    {reversedDecodePhases, 1, 0, plan, noSlots},
    {reversedScorePhases, 1, 0, plan, noSlots}};
const attn_abi_variant reversedVariants[] = {
    {"x86-64", 0, reversedSchedules, nullptr}};
const attn_abi_variant variants[] = {{"x86-64", 0, schedules, nullptr}};
const attn_abi_variant draftVariants[] = {
    {"x86-64", 0, draftSchedules, nullptr}};

const attn_abi_size sizes[] = {{"batch", 1, kSequences}, {"seq", 1, 24}};
const int64_t byToken[] = {-1, -2}, byRow[] = {-1, kVocabulary},
              byAll[] = {-1, -2, kVocabulary};
const attn_abi_argument ids = {"input_ids", ATTN_I32, ATTN_ARGUMENT_RANGE, 2,
                               byToken,     0,        kVocabulary - 1,     0};
const attn_abi_argument mask = {
    "attention_mask", ATTN_I32, ATTN_ARGUMENT_RANGE, 2, byToken, 0, 1, 0};
const attn_abi_argument decodeArguments[] = {
    ids, mask, {"logits", ATTN_F32, ATTN_ARGUMENT_OUTPUT, 2, byRow, 0, 0, 0}};
const attn_abi_argument scoreArguments[] = {
    ids, mask, {"logits", ATTN_F32, ATTN_ARGUMENT_OUTPUT, 3, byAll, 0, 0, 0}};
const int32_t callerSizes[] = {Batch, Seq};
const attn_abi_entry entries[] = {
    {"decode", callerSizes, 2, decodeArguments, 2, 3, 2, 0},
    {"score", callerSizes, 2, scoreArguments, 2, 3, 2, 0}};
const attn_abi_argument reversedDecode[] = {mask, ids, decodeArguments[2]};
const attn_abi_argument reversedScore[] = {mask, ids, scoreArguments[2]};
const int32_t reversedSizes[] = {Seq, Batch};
const attn_abi_entry reversedEntries[] = {
    {"decode", reversedSizes, 2, reversedDecode, 2, 3, 1, 0},
    {"score", reversedSizes, 2, reversedScore, 2, 3, 1, 0}};
const attn_abi_weight weightTable[] = {{"table", ATTN_F32, toy::kTable * 4}};

const attn_abi_state_group groups[] = {{0, 64}};
const attn_abi_state_group windowGroups[] = {{kHidden, 64}};
const attn_abi_state stateTable[] = {{"tokens", 0, 0, 1, 1, 4, 0}};
const attn_abi_states states = {kPositions, kBlock,     kSequences, groups,
                                1,          stateTable, 1,          "speaker"};
const attn_abi_states windowStates = {
    kPositions, kBlock, kSequences, windowGroups, 1, stateTable, 1, "window"};

const attn_abi_text textTable = {-1, 1000};
const char kTemplate[] =
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] "
    "}}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>"
    "assistant\n{% endif %}";
const attn_abi_chat chatTable = {
    kTemplate, sizeof(kTemplate) - 1, "<s>", "</s>", nullptr, nullptr};
const attn_generate_options defaults = ATTN_GENERATE_INIT;
const int32_t stops[] = {kEnd};
const attn_generation facts = {sizeof(attn_generation),
                               kVocabulary,
                               kPositions,
                               kSequences,
                               stops,
                               1,
                               &defaults,
                               "letters"};
const attn_abi_generation generation = {0, 1, &facts, nullptr};
const attn_abi_generation chatGeneration = {0, 1, &facts, &chatTable};

attn_abi_library makeLibrary(const char *name, const attn_abi_text *text,
                             const attn_abi_generation *generation,
                             const attn_abi_states *states,
                             const attn_abi_variant *variants,
                             const attn_abi_entry *entries = ::entries) {
  attn_abi_library library = {};
  library.abi_version = ATTN_ABI_VERSION;
  library.name = name;
  library.description = "{}";
  library.sizes = sizes;
  library.size_count = SizeCount;
  library.entries = entries;
  library.entry_count = 2;
  library.variants = variants;
  library.variant_count = 1;
  library.weights = weightTable;
  library.weight_count = 1;
  library.layout_fingerprint = "layout01";
  library.content_digest = "content01";
  library.text = text;
  library.states = states;
  library.generation = generation;
  return library;
}

} // namespace

const attn_abi_library speaker::mute =
    makeLibrary("mute", nullptr, &generation, &states, variants);
const attn_abi_library speaker::talking =
    makeLibrary("talking", &textTable, &generation, &states, variants);
const attn_abi_library speaker::chatting =
    makeLibrary("chatting", &textTable, &chatGeneration, &states, variants);
const attn_abi_library speaker::drafting =
    makeLibrary("drafting", nullptr, &generation, &states, draftVariants);
const attn_abi_library speaker::forgetful = makeLibrary(
    "forgetful", &textTable, &chatGeneration, &windowStates, variants);

const attn_abi_library speaker::reversed =
    makeLibrary("reversed", nullptr, &generation, &states, reversedVariants,
                reversedEntries);

static attn_status openDraft(const attn_options *options, attn_model **model) {
  return attnrt_open(&speaker::drafting, options, model);
}

const attn_library *speaker::draftTable() {
  static attn_library table;
  table.struct_size = sizeof(table);
  table.abi_version = ATTN_ABI_VERSION;
  table.name = "drafting";
  table.last_error = attnrt_last_error;
  table.open = openDraft;
  table.session_length = attnrt_session_length;
  table.session_truncate = attnrt_session_truncate;
  table.session_feed = attnrt_session_feed;
  table.generation = [] { return &facts; };
  return &table;
}

/// One token per character, and no merges.
static std::string makeTokenizer() {
  std::string vocabulary = R"("<unk>":0,"<s>":1,"</s>":2,"<|im_start|>":3,)"
                           R"("<|im_end|>":4,"\n":5," ":6)";
  int32_t id = kLetterA;
  for (char letter = 'a'; letter <= 'z'; ++letter)
    vocabulary += ",\"" + std::string(1, letter) + "\":" + std::to_string(id++);
  for (const char *sign : {"<", ">", "|", "_", ":", "/", "\uFFFD"})
    vocabulary += ",\"" + std::string(sign) + "\":" + std::to_string(id++);
  std::string added;
  const char *specials[] = {"<unk>", "<s>", "</s>", "<|im_start|>",
                            "<|im_end|>"};
  for (int32_t i = 0; i < 5; ++i)
    added += std::string(i ? "," : "") + "{\"id\":" + std::to_string(i) +
             ",\"content\":\"" + specials[i] +
             "\",\"special\":true,\"single_word\":false,\"lstrip\":false,"
             "\"rstrip\":false,\"normalized\":false}";
  return R"({"model":{"type":"BPE","unk_token":"<unk>","vocab":{)" +
         vocabulary + R"(},"merges":[]},"added_tokens":[)" + added +
         R"(],"decoder":{"type":"Sequence","decoders":[{"type":"Fuse"},)"
         R"({"type":"Strip","content":" ","start":1,"stop":0}]},)"
         R"("post_processor":{)"
         R"("type":"TemplateProcessing","single":[{"SpecialToken":)"
         R"({"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],)"
         R"("pair":[{"Sequence":{"id":"A","type_id":0}},)"
         R"({"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":)"
         R"({"id":"<s>","ids":[1],"tokens":["<s>"]}}}})";
}

const toy::AlignedBytes &speaker::weights() {
  static const toy::AlignedBytes bytes([] {
    toy::WeightsWriter writer;
    std::string text = makeTokenizer();
    toy::WeightsWriter::Item &file = writer.item("tokenizer/tokenizer.json");
    file.data.assign(text.begin(), text.end());
    file.shape = "[" + std::to_string(text.size()) + "]";
    return writer.bytes();
  }());
  return bytes;
}

attn_options speaker::options() {
  attn_options options = ATTN_OPTIONS_INIT;
  options.weights_data = weights().data();
  options.weights_size = weights().size();
  options.threads = 1;
  return options;
}

std::vector<float> speaker::logitsBehind(const std::vector<int32_t> &tokens) {
  std::vector<float> logits(kVocabulary);
  computeLogits(tokens.data() + tokens.size(),
                static_cast<int64_t>(tokens.size()), false, logits.data());
  return logits;
}

std::vector<int32_t> speaker::likeliest(std::vector<int32_t> tokens,
                                        size_t count) {
  size_t first = tokens.size();
  while (tokens.size() < first + count) {
    std::vector<float> logits = logitsBehind(tokens);
    tokens.push_back(static_cast<int32_t>(
        std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  return {tokens.begin() + static_cast<ptrdiff_t>(first), tokens.end()};
}

std::vector<int32_t> speaker::idsOf(const std::string &text) {
  static const std::string signs = "\n abcdefghijklmnopqrstuvwxyz<>|_:/";
  std::vector<int32_t> result;
  for (char c : text)
    result.push_back(static_cast<int32_t>(signs.find(c)) + 5);
  return result;
}

int32_t Heard::sequence(void *context, int64_t sequence, int32_t token,
                        const char *text, size_t length) {
  auto &heard = *static_cast<Heard *>(context);
  heard.order.push_back(sequence);
  if (token >= 0)
    heard.ids[sequence].push_back(token);
  if (length)
    heard.text[sequence].append(text, length);
  auto stop = heard.stopsAfter.find(sequence);
  return stop != heard.stopsAfter.end() &&
         heard.ids[sequence].size() == stop->second;
}
