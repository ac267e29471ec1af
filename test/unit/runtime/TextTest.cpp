//===- TextTest.cpp - text through a library ------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The toy with a vocabulary of single letters: "a" to "z" are tokens 5 to 30,
// so that its `embed` says exactly what became of a text.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include "attn/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>

using namespace toy;
using testing::HasSubstr;

namespace {

constexpr int64_t kLimit = 60; // below kSeq: the folder's own limit binds
const attn_abi_text textTable = {Embed, kLimit};

attn_abi_library withText(const attn_abi_text *text = &textTable) {
  attn_abi_library result = library;
  result.text = text;
  return result;
}

const attn_abi_library textLibrary = withText();

WeightsWriter lettersWriter(const std::string &name = "vocab.txt") {
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (char letter = 'a'; letter <= 'z'; ++letter)
    vocabulary += std::string(1, letter) + "\n";
  WeightsWriter writer;
  WeightsWriter::Item &file = writer.item("tokenizer/" + name);
  file.data.assign(vocabulary.begin(), vocabulary.end());
  file.shape = "[" + std::to_string(vocabulary.size()) + "]";
  WeightsWriter::Item &license = writer.item("tokenizer/LICENSE");
  license.data = {'M', 'I', 'T'};
  license.shape = "[3]";
  return writer;
}

const AlignedBytes &letters() {
  static const AlignedBytes bytes(lettersWriter().bytes());
  return bytes;
}

attn_options textOptions() {
  attn_options options = rightOptions();
  options.weights_data = letters().data();
  options.weights_size = letters().size();
  options.threads = 2;
  return options;
}

/// Texts of 0 to `longest` letters, and what `embed` makes of them.
struct Texts {
  Texts(int64_t count, int64_t longest) {
    for (int64_t i = 0; i < count; ++i) {
      int64_t length = (i * 29 + longest) % (longest + 1);
      std::string text;
      float sum = 2 + 3; // [CLS] and [SEP]
      int64_t kept = std::min(length, kLimit - 2);
      for (int64_t at = 0; at < length; ++at) {
        int32_t letter = static_cast<int32_t>((i + at * 7) % 26);
        text += std::string(at ? " " : "") + static_cast<char>('a' + letter);
        sum += at < kept ? static_cast<float>(5 + letter) : 0.0f;
      }
      owned.push_back(text);
      expected.insert(expected.end(),
                      {static_cast<float>(kept + 2), sum, 0, 2});
    }
    for (const std::string &text : owned) {
      pointers.push_back(text.c_str());
      lengths.push_back(text.size());
    }
    got.assign(expected.size(), -1);
  }

  attn_status encode(attn_session *session, bool useLengths = true) {
    return attnrt_encode_text(
        session, static_cast<int64_t>(owned.size()), pointers.data(),
        useLengths ? lengths.data() : nullptr, got.data());
  }

  std::vector<std::string> owned;
  std::vector<const char *> pointers;
  std::vector<size_t> lengths;
  std::vector<float> expected, got;
};

std::atomic<int64_t> calls{0}, mostTokens{0}, fewestRows{0};

void observe(const attn_frame *frame, int32_t worker, int32_t) {
  if (worker != 0)
    return;
  ++calls;
  mostTokens = std::max(mostTokens.load(), frame->sizes[0] * frame->sizes[1]);
  fewestRows = std::min(fewestRows.load(), frame->sizes[0]);
}

TEST(Text, EncodesAnyNumberOfTexts) {
  Opened opened(textOptions(), textLibrary);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  for (int64_t count : {1, 2, 63, 64, 65, 200})
    for (int64_t longest : {0, 1, 17, 57, 58, 59, 90}) {
      Texts texts(count, longest);
      ASSERT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
      EXPECT_EQ(texts.got, texts.expected) << count << " of " << longest;
    }
  Texts texts(3, 9);
  ASSERT_EQ(texts.encode(opened.session, false), ATTN_OK);
  EXPECT_EQ(texts.got, texts.expected);
}

TEST(Text, GroupsAreBounded) {
  Opened opened(textOptions(), textLibrary);
  calls = mostTokens = 0;
  hook = observe;
  Texts texts(200, 58);
  EXPECT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
  hook = nullptr;
  EXPECT_EQ(texts.got, texts.expected);
  EXPECT_LE(mostTokens, 2048);
  EXPECT_GE(calls, 200 * 60 / 2048);
  EXPECT_LE(calls, 12);
}

TEST(Text, GroupsKeepToTheSmallestBatch) {
  std::vector<attn_abi_size> sizes(library.sizes, library.sizes + 3);
  sizes[0].minimum = 36;
  sizes[0].maximum = 50;
  sizes[1].minimum = 20;
  attn_abi_library demanding = textLibrary;
  demanding.sizes = sizes.data();
  Opened opened(textOptions(), demanding);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  fewestRows = INT64_MAX;
  hook = observe;
  for (int64_t count : {36, 37, 51, 85, 86, 100, 101}) {
    Texts texts(count, 58);
    EXPECT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
    EXPECT_EQ(texts.got, texts.expected) << count;
  }
  hook = nullptr;
  EXPECT_EQ(fewestRows, 36);
  Texts few(35, 3);
  EXPECT_EQ(few.encode(opened.session), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("count is 35; expected at least "
                                             "36"));
}

TEST(Text, NoAllocationInASecondCall) {
  Counter counter;
  attn_options options = textOptions();
  options.allocator = &counter.allocator;
  {
    Opened opened(options, textLibrary);
    Texts texts(70, 40);
    ASSERT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
    int64_t before = counter.calls;
    ASSERT_EQ(texts.encode(opened.session), ATTN_OK);
    EXPECT_EQ(counter.calls, before);
  }
  EXPECT_EQ(counter.live, 0);
  EXPECT_FALSE(counter.isBroken());
}

TEST(Text, EveryAllocationMayFail) {
  for (int64_t failAt = 0;; ++failAt) {
    ASSERT_LT(failAt, 1000);
    Counter counter;
    attn_options options = textOptions();
    options.allocator = &counter.allocator;
    bool sawAll = false;
    {
      Opened opened(options, textLibrary);
      if (opened.status == ATTN_OK) {
        counter.failAt = counter.calls + failAt;
        Texts texts(5, 20);
        attn_status status = texts.encode(opened.session);
        sawAll = counter.calls <= counter.failAt;
        if (status != ATTN_OK) {
          EXPECT_EQ(status, ATTN_ERROR_OUT_OF_MEMORY);
          EXPECT_FALSE(sawAll);
        }
        EXPECT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
        EXPECT_EQ(texts.got, texts.expected);
      }
    }
    EXPECT_EQ(counter.live, 0);
    EXPECT_FALSE(counter.isBroken());
    if (sawAll)
      break;
  }
}

TEST(Text, ThreadsOpenTheTokenizerAtOnce) {
  Counter counter;
  attn_options options = textOptions();
  options.allocator = &counter.allocator;
  for (int round = 0; round < 20; ++round) {
    Opened opened(options, textLibrary);
    std::vector<std::thread> users;
    std::atomic<int> wrong{0};
    for (int user = 0; user < 4; ++user)
      users.emplace_back([&, user] {
        attn_session *session = nullptr;
        attnrt_session_open(opened.model, &session);
        Texts texts(5 + user, 20);
        if (texts.encode(session) != ATTN_OK || texts.got != texts.expected)
          ++wrong;
        attnrt_session_close(session);
      });
    for (std::thread &user : users)
      user.join();
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_EQ(counter.live, 0);
}

TEST(Text, Tokenizes) {
  Opened opened(textOptions(), textLibrary);
  const char *texts[] = {"a b c", "z"};
  int32_t ids[10], mask[10];
  attn_text_batch batch = ATTN_TEXT_BATCH_INIT;
  batch.count = 2;
  batch.texts = texts;
  ASSERT_EQ(attnrt_tokenize(opened.model, &batch), ATTN_OK)
      << attnrt_last_error();
  EXPECT_EQ(batch.longest, 5);
  batch.seq = 5;
  batch.input_ids = ids;
  batch.attention_mask = mask;
  ASSERT_EQ(attnrt_tokenize(opened.model, &batch), ATTN_OK);
  EXPECT_THAT(ids, testing::ElementsAre(2, 5, 6, 7, 3, 2, 30, 3, 0, 0));
  EXPECT_THAT(mask, testing::ElementsAre(1, 1, 1, 1, 1, 1, 1, 1, 0, 0));
}

/// The toy with a tokenizer.json: tokens "a" to "e" are 0 to 4.
WeightsWriter jsonWriter() {
  const std::string text = R"({"pre_tokenizer": {"type": "WhitespaceSplit"},
    "decoder": {"type": "Fuse"}, "model": {"type": "BPE", "merges": [],
    "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4}}})";
  WeightsWriter writer;
  WeightsWriter::Item &file = writer.item("tokenizer/tokenizer.json");
  file.data.assign(text.begin(), text.end());
  file.shape = "[" + std::to_string(text.size()) + "]";
  return writer;
}

TEST(Text, Detokenizes) {
  AlignedBytes bytes(jsonWriter().bytes());
  Counter counter;
  attn_options options = textOptions();
  options.weights_data = bytes.data();
  options.weights_size = bytes.size();
  options.allocator = &counter.allocator;
  const int32_t ids[] = {0, 1, 4};
  char text[8];
  size_t needed = 0;
  {
    Opened opened(options, textLibrary);
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    // Whatever memory is refused, the next attempt works.
    attn_status status = ATTN_ERROR_OUT_OF_MEMORY;
    int failures = 0;
    for (; status != ATTN_OK; ++failures) {
      ASSERT_LT(failures, 50);
      Opened fresh(options, textLibrary);
      counter.failAt = counter.calls + failures;
      status = attnrt_detokenize(fresh.model, ids, 3, text, 8, &needed);
      counter.failAt = -1;
      EXPECT_EQ(attnrt_detokenize(fresh.model, ids, 3, text, 8, &needed),
                ATTN_OK);
      EXPECT_STREQ(text, "abe");
    }
    EXPECT_GT(failures, 3);
    for (size_t capacity : {size_t(0), size_t(1), size_t(3), size_t(4)}) {
      memset(text, '?', sizeof(text));
      EXPECT_EQ(attnrt_detokenize(opened.model, ids, 3,
                                  capacity ? text : nullptr, capacity, &needed),
                ATTN_OK);
      EXPECT_EQ(needed, 3u);
      if (capacity)
        EXPECT_EQ(std::string(text),
                  std::string("abe").substr(0, capacity - 1));
    }
    EXPECT_EQ(attnrt_detokenize(opened.model, nullptr, 0, nullptr, 0, nullptr),
              ATTN_OK);
    EXPECT_EQ(attnrt_detokenize(nullptr, ids, 3, text, 8, nullptr),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(attnrt_detokenize(opened.model, nullptr, 3, text, 8, nullptr),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("ids is NULL"));
    EXPECT_EQ(attnrt_detokenize(opened.model, ids, 3, nullptr, 8, nullptr),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("buffer is NULL"));
  }
  EXPECT_EQ(counter.live, 0);
  Opened letters(textOptions(), textLibrary);
  EXPECT_EQ(attnrt_detokenize(letters.model, ids, 3, text, 8, nullptr),
            ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("has no tokenizer.json"));
}

TEST(Text, ThreadsDetokenizeAtOnce) {
  AlignedBytes bytes(jsonWriter().bytes());
  attn_options options = textOptions();
  options.weights_data = bytes.data();
  options.weights_size = bytes.size();
  for (int round = 0; round < 20; ++round) {
    Opened opened(options, textLibrary);
    std::vector<std::thread> users;
    std::atomic<int> wrong{0};
    for (int32_t user = 0; user < 4; ++user)
      users.emplace_back([&, user] {
        char text[4] = "";
        attnrt_detokenize(opened.model, &user, 1, text, 4, nullptr);
        wrong += text[0] != 'a' + user;
      });
    for (std::thread &user : users)
      user.join();
    EXPECT_EQ(wrong, 0);
  }
}

/// Two that open the decoder at once, and room for one of them alone.
TEST(Text, TheDecoderThatAnotherThreadHasOpenedWillDo) {
  struct Late {
    static void *allocate(void *context, size_t bytes, size_t alignment) {
      Late &self = *static_cast<Late *>(context);
      if (!self.model)
        return self.counter.allocator.allocate(&self.counter, bytes, alignment);
      // Another thread is through when this one finds no memory.
      const attn_model *model = self.model;
      self.model = nullptr;
      char text[4] = "";
      int32_t id = 2;
      EXPECT_EQ(attnrt_detokenize(model, &id, 1, text, 4, nullptr), ATTN_OK);
      return nullptr;
    }
    static void release(void *context, void *pointer, size_t bytes) {
      Counter &counter = static_cast<Late *>(context)->counter;
      counter.allocator.release(&counter, pointer, bytes);
    }
    Counter counter;
    const attn_model *model = nullptr;
    attn_allocator allocator = {this, allocate, release};
  };
  AlignedBytes bytes(jsonWriter().bytes());
  Late late;
  attn_options options = textOptions();
  options.weights_data = bytes.data();
  options.weights_size = bytes.size();
  options.allocator = &late.allocator;
  {
    Opened opened(options, textLibrary);
    ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    late.model = opened.model;
    char text[4] = "";
    int32_t id = 1;
    EXPECT_EQ(attnrt_detokenize(opened.model, &id, 1, text, 4, nullptr),
              ATTN_OK)
        << attnrt_last_error();
    EXPECT_STREQ(text, "b");
  }
  EXPECT_EQ(late.counter.live, 0);
}

TEST(Text, Refuses) {
  Opened opened(textOptions(), textLibrary);
  Texts texts(3, 5);
  EXPECT_EQ(attnrt_encode_text(nullptr, 3, texts.pointers.data(), nullptr,
                               texts.got.data()),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(
      attnrt_encode_text(opened.session, 3, nullptr, nullptr, texts.got.data()),
      ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_encode_text(opened.session, 3, texts.pointers.data(),
                               nullptr, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  for (int64_t count : {int64_t(0), int64_t(-1), INT64_MIN}) {
    EXPECT_EQ(attnrt_encode_text(opened.session, count, texts.pointers.data(),
                                 nullptr, texts.got.data()),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(),
                HasSubstr("count is " + std::to_string(count)));
  }
  texts.pointers[1] = nullptr;
  EXPECT_EQ(texts.encode(opened.session), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("texts[1] is NULL"));
  EXPECT_EQ(attnrt_tokenize(nullptr, nullptr), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(attnrt_tokenize(opened.model, nullptr),
            ATTN_ERROR_INVALID_ARGUMENT);
  for (float value : texts.got)
    EXPECT_EQ(value, -1);
}

/// The toy with one thing changed in the entry that embeds.
struct OtherEmbed {
  OtherEmbed() : entry(library.entries[Embed]), other(textLibrary) {
    std::copy(entry.arguments, entry.arguments + 4, arguments);
    std::copy(library.sizes, library.sizes + 3, sizes);
    entry.arguments = arguments;
    other.sizes = sizes;
    other.entries = entries;
  }
  void expectRefused() {
    entries[Scale] = library.entries[Scale];
    entries[Embed] = entry;
    Opened opened(textOptions(), other);
    Texts texts(1, 5);
    EXPECT_EQ(texts.encode(opened.session), ATTN_ERROR_UNAVAILABLE);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("entry embed does not take"));
  }
  attn_abi_argument arguments[4];
  attn_abi_size sizes[3];
  attn_abi_entry entry, entries[2];
  attn_abi_library other;
};

TEST(Text, EntriesThatEmbedNoText) {
  void (*const changes[])(OtherEmbed &) = {
      [](OtherEmbed &o) { o.arguments[0].name = "ids"; },
      [](OtherEmbed &o) { o.arguments[1].name = "mask"; },
      [](OtherEmbed &o) { o.arguments[3].dtype = ATTN_I32; },
      [](OtherEmbed &o) { o.arguments[3].rank = 3; },
      [](OtherEmbed &o) { o.arguments[3].dims = o.arguments[0].dims; },
      [](OtherEmbed &o) { o.sizes[0].name = "rows"; },
      [](OtherEmbed &o) { o.sizes[1].name = "columns"; },
      [](OtherEmbed &o) { o.entry.size_count = 1; }};
  for (auto change : changes) {
    OtherEmbed embed;
    change(embed);
    embed.expectRefused();
  }
}

TEST(Text, TheModelsOwnLengthBinds) {
  const attn_abi_text longer = {Embed, kSeq + 100};
  attn_abi_library other = withText(&longer);
  Opened opened(textOptions(), other);
  Texts texts(2, 30);
  ASSERT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(texts.got, texts.expected);
}

TEST(Text, FilesThatAreNone) {
  WeightsWriter writer = lettersWriter();
  // Longer than any name, of another folder, without a name; and more of them
  // than a folder has.
  writer.item("tokenizer/" + std::string(80, 'x'));
  writer.item("tokenizer/");
  writer.item("tokenizers/vocab.txt");
  for (int i = 0; i < 20; ++i)
    writer.item("tokenizer/" + std::to_string(i));
  AlignedBytes bytes(writer.bytes());
  attn_options options = textOptions();
  options.weights_data = bytes.data();
  options.weights_size = bytes.size();
  Opened opened(options, textLibrary);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  Texts texts(2, 5);
  EXPECT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(texts.got, texts.expected);
}

TEST(Text, ACallThatIsCancelledOrBusy) {
  Opened opened(textOptions(), textLibrary);
  static attn_session *running;
  static attn_status second;
  running = opened.session;
  // The first group is cancelled; until then another call finds it busy.
  hook = [](const attn_frame *, int32_t worker, int32_t) {
    if (worker != 0)
      return;
    Texts other(1, 5);
    second = other.encode(running);
    attnrt_cancel(running);
  };
  Texts texts(200, 58);
  attn_status status = texts.encode(opened.session);
  hook = nullptr;
  EXPECT_EQ(status, ATTN_ERROR_CANCELLED) << attnrt_last_error();
  EXPECT_EQ(second, ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(texts.encode(opened.session), ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(texts.got, texts.expected);
}

TEST(Text, LibrariesWithoutEmbeddingsOrTokenizer) {
  const attn_abi_text noEmbed = {-1, kLimit}, wrongEntry = {Scale, kLimit};
  Texts texts(1, 5);
  {
    attn_abi_library other = withText(&noEmbed);
    Opened opened(textOptions(), other);
    EXPECT_EQ(texts.encode(opened.session), ATTN_ERROR_UNAVAILABLE);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("no text into embeddings"));
  }
  {
    attn_abi_library other = withText(&wrongEntry);
    Opened opened(textOptions(), other);
    EXPECT_EQ(texts.encode(opened.session), ATTN_ERROR_UNAVAILABLE);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("does not take input_ids"));
  }
  AlignedBytes nothing(lettersWriter("merges.bin").bytes());
  attn_options options = textOptions();
  options.weights_data = nothing.data();
  options.weights_size = nothing.size();
  Opened opened(options, textLibrary);
  ASSERT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(texts.encode(opened.session), ATTN_ERROR_UNAVAILABLE);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("no tokenizer"));
}

} // namespace
