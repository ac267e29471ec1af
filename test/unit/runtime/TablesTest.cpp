//===- TablesTest.cpp - what a library's tables may say -------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The toy with tables of other programs: element types, bounds, arenas and
// numbers of things that the toy itself does not have.
//
//===----------------------------------------------------------------------===//
#include "Toybox.h"

#include "ElementType.h"
#include "Memory.h"
#include "Processor.h"
#include "Variant.h"
#include "Writer.h"

#include <atomic>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace toy;
using testing::HasSubstr;

namespace {

int64_t arena = 0; // what `plan` asks for

int64_t plan(int64_t *, int32_t, int64_t *offsets, int64_t *scratchOffset,
             int64_t *scratchStride) {
  offsets[0] = *scratchOffset = *scratchStride = 0;
  return arena;
}

void idle(const attn_frame *, int32_t, int32_t) {}

/// One entry `f` over the size n with one input `x`.
struct Tables {
  explicit Tables(int32_t argumentCount = 1, int32_t sizeCount = 1)
      : argument{"x", ATTN_I32, 0, 1, &dimension, 0, 0, 0},
        library(toy::library) {
    schedule.phases = &phase;
    schedule.phase_count = schedule.slot_count = 1;
    schedule.plan = plan;
    schedule.argument_slots = slots;
    entry.name = "f";
    entry.sizes = &first;
    entry.size_count = sizeCount;
    entry.arguments = &argument;
    entry.input_count = entry.argument_count = argumentCount;
    variant = library.variants[1];
    variant.schedules = &schedule;
    library.entries = &entry;
    library.entry_count = 1;
    library.sizes = &size;
    library.size_count = 1;
    library.variants = &variant;
    library.variant_count = 1;
  }

  attn_status call(int64_t n, void *data) {
    Opened opened(rightOptions(), library);
    EXPECT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
    return attnrt_call(opened.session, 0, &n, &data);
  }

  attn_status callByName(int64_t n, void *data, size_t bytes) {
    Opened opened(rightOptions(), library);
    attn_buffer input = {data, bytes};
    return attnrt_call_by_name(opened.session, "f", &n, entry.size_count,
                               &input, entry.input_count, nullptr, 0);
  }

  int64_t dimension = -1;
  int32_t first = 0, slots[1] = {-1};
  attn_abi_size size{"n", 0, INT64_MAX};
  attn_abi_argument argument;
  attn_abi_phase phase{idle, "idle", 0, {}, {}};
  attn_abi_schedule schedule = {};
  attn_abi_entry entry = {};
  attn_abi_variant variant;
  attn_abi_library library;
};

TEST(Tables, ElementTypes) {
  alignas(8) unsigned char data[8] = {};
  const struct {
    attn_dtype dtype;
    const char *spelling;
    size_t bytes;
  } types[] = {{ATTN_F32, "F32", 4},   {ATTN_F16, "F16", 2},
               {ATTN_BF16, "BF16", 2}, {ATTN_I8, "I8", 1},
               {ATTN_U8, "U8", 1},     {ATTN_I32, "I32", 4},
               {ATTN_I64, "I64", 8},   {ATTN_BOOL, "BOOL", 1}};
  for (const auto &type : types) {
    Tables tables;
    tables.argument.dtype = type.dtype;
    EXPECT_STREQ(attnrt::elementType(type.dtype).spelling, type.spelling);
    EXPECT_EQ(tables.callByName(1, data, type.bytes), ATTN_OK)
        << attnrt_last_error();
    EXPECT_EQ(tables.callByName(1, data, type.bytes + 1),
              ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(tables.call(1, data + 1),
              type.bytes == 1 ? ATTN_OK : ATTN_ERROR_INVALID_ARGUMENT);
  }
}

TEST(Tables, BoundsBeyondTheType) {
  int32_t data[] = {INT32_MIN, INT32_MAX};
  Tables tables;
  tables.argument.flags = ATTN_ARGUMENT_RANGE;
  tables.argument.minimum = INT64_MIN;
  tables.argument.maximum = INT64_MAX;
  EXPECT_EQ(tables.call(2, data), ATTN_OK) << attnrt_last_error();
  // No number is right: the first one is named, and nothing is right too.
  tables.argument.minimum = int64_t(INT32_MAX) + 1;
  EXPECT_EQ(tables.call(2, data), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("x[0] is -2147483648; expected"));
  EXPECT_EQ(tables.call(0, data), ATTN_OK) << attnrt_last_error();
}

TEST(Tables, BytesBeyondAllMeasure) {
  int32_t data = 0;
  Tables tables;
  EXPECT_EQ(tables.call(INT64_MAX / 2, &data), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("x would have more than 2^63"));
  EXPECT_EQ(tables.callByName(INT64_MAX / 2, &data, 4),
            ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("x would have more than 2^63"));
}

TEST(Tables, OptionalArgumentWithoutASlot) {
  Tables tables;
  tables.argument.flags = ATTN_ARGUMENT_OPTIONAL;
  EXPECT_EQ(tables.call(3, nullptr), ATTN_ERROR_INVALID_ARGUMENT);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("x is NULL; expected 12 bytes"));
}

TEST(Tables, EntriesOfNothing) {
  Tables tables(/*argumentCount=*/0, /*sizeCount=*/0);
  Opened opened(rightOptions(), tables.library);
  EXPECT_EQ(attnrt_call(opened.session, 0, nullptr, nullptr), ATTN_OK)
      << attnrt_last_error();
  EXPECT_EQ(attnrt_call_by_name(opened.session, "f", nullptr, 0, nullptr, 0,
                                nullptr, 0),
            ATTN_OK)
      << attnrt_last_error();
}

TEST(Tables, Arenas) {
  int32_t data = 0;
  Tables tables;
  uint64_t bytes = 0;
  const int64_t n = 1;
  for (int64_t asked : {int64_t(0), int64_t(1), int64_t(64), int64_t(65)}) {
    arena = asked;
    EXPECT_EQ(tables.call(1, &data), ATTN_OK) << attnrt_last_error();
    Opened opened(rightOptions(), tables.library);
    EXPECT_EQ(attnrt_session_bytes(opened.model, 0, &n, &bytes), ATTN_OK);
    EXPECT_EQ(bytes, asked <= 64 ? 64u : 128u);
  }
  for (int64_t asked : {int64_t(-1), INT64_MAX, INT64_MAX - 63}) {
    arena = asked;
    EXPECT_EQ(tables.call(1, &data), ATTN_ERROR_INVALID_ARGUMENT);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("more than 2^63 bytes"));
  }
  arena = INT64_MAX - 64;
  EXPECT_EQ(tables.call(1, &data), ATTN_ERROR_OUT_OF_MEMORY);
  arena = 0;
}

TEST(Tables, ManySlots) {
  Tables tables;
  tables.schedule.slot_count = 600; // more than planning keeps on the stack
  Counter counter;
  attn_options options = rightOptions();
  options.allocator = &counter.allocator;
  uint64_t bytes = 0;
  const int64_t n = 1;
  {
    Opened opened(options, tables.library);
    EXPECT_EQ(attnrt_session_bytes(opened.model, 0, &n, &bytes), ATTN_OK);
    EXPECT_EQ(bytes, 64u);
    counter.failAt = counter.calls.load();
    EXPECT_EQ(attnrt_session_bytes(opened.model, 0, &n, &bytes),
              ATTN_ERROR_OUT_OF_MEMORY);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("planning: "));
  }
  EXPECT_EQ(counter.live, 0);
}

TEST(Tables, ALibraryWithoutWeights) {
  attn_abi_library without = library;
  without.weight_count = 0;
  EXPECT_EQ(Opened(rightOptions(), without).status, ATTN_OK)
      << attnrt_last_error();
}

TEST(Tables, VariantsThatNeedTiles) {
  attn_abi_variant tiles = library.variants[1];
  tiles.name = "amx";
  tiles.cpu_features = ATTN_CPU_AMX_BF16;
  attn_abi_library one = library;
  one.variants = &tiles;
  one.variant_count = 1;
  attnrt::VariantChoice choice;
  for (const char *wanted : {static_cast<const char *>(nullptr), "amx"}) {
    // Not every kernel has them to give.
    attn_status status =
        attnrt::chooseVariant(one, wanted, ATTN_CPU_AMX_BF16, choice);
    if (status == ATTN_OK)
      EXPECT_TRUE(choice.usesTiles);
    else
      EXPECT_THAT(attnrt_last_error(),
                  HasSubstr("amx needs AMX, which the kernel refused: "));
  }
  EXPECT_EQ(attnrt::chooseVariant(one, nullptr, 0, choice),
            ATTN_ERROR_UNSUPPORTED_CPU);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("amx needs AMX_BF16; compile"));
}

constexpr uint32_t bit(int index) { return uint32_t(1) << index; }

/// A processor of AMD with everything that a variant may need.
attnrt::ProcessorFacts everything() {
  attnrt::ProcessorFacts facts;
  facts.vendor = {0, 0x68747541, 0x444d4163, 0x69746e65};
  facts.basic.ecx = bit(12) | bit(22) | bit(27) | bit(28) | bit(29);
  facts.extended.ebx = bit(3) | bit(5) | bit(8) | bit(16) | bit(17) | bit(28) |
                       bit(30) | bit(31);
  facts.extended.ecx = bit(11);
  facts.extended.edx = bit(22) | bit(24) | bit(25);
  facts.more.eax = bit(4) | bit(5);
  facts.amd.ecx = bit(5);
  facts.state = 0x600e6;
  return facts;
}

TEST(Tables, WhatProcessorsCan) {
  using attnrt::featuresOf;
  using attnrt::ProcessorFacts;
  constexpr uint64_t avx2 = ATTN_CPU_AVX2 | ATTN_CPU_AVX_VNNI;
  constexpr uint64_t tiles = ATTN_CPU_AMX_BF16 | ATTN_CPU_AMX_INT8;
  constexpr uint64_t bf16 = ATTN_CPU_AVX512_BF16 | ATTN_CPU_FULL_RATE_BF16;
  const uint64_t all =
      avx2 | tiles | bf16 | ATTN_CPU_AVX512 | ATTN_CPU_AVX512_VNNI;
  EXPECT_EQ(featuresOf(everything()), all);
  EXPECT_EQ(featuresOf(ProcessorFacts()), 0u);
  const struct {
    void (*change)(ProcessorFacts &);
    uint64_t without;
  } cases[] = {
      // Each of what AVX2 is counted by, and the state of its registers.
      {[](ProcessorFacts &f) { f.basic.ecx &= ~bit(12); }, all},
      {[](ProcessorFacts &f) { f.basic.ecx &= ~bit(28); }, all},
      {[](ProcessorFacts &f) { f.extended.ebx &= ~bit(5); }, all},
      {[](ProcessorFacts &f) { f.amd.ecx = 0; }, all},
      {[](ProcessorFacts &f) { f.state = 0x2; }, all},
      {[](ProcessorFacts &f) { f.state = 0x6; }, all & ~avx2},
      {[](ProcessorFacts &f) { f.state = 0x60006; }, all & ~avx2 & ~tiles},
      {[](ProcessorFacts &f) { f.state = 0xe6; }, tiles},
      {[](ProcessorFacts &f) { f.extended.ebx &= ~bit(30); },
       all & ~avx2 & ~tiles},
      {[](ProcessorFacts &f) { f.extended.ecx = 0; }, ATTN_CPU_AVX512_VNNI},
      {[](ProcessorFacts &f) { f.more.eax = bit(4); }, bf16},
      {[](ProcessorFacts &f) { f.more.eax = bit(5); }, ATTN_CPU_AVX_VNNI},
      {[](ProcessorFacts &f) { f.extended.edx &= ~bit(24); }, tiles},
      {[](ProcessorFacts &f) { f.extended.edx &= ~bit(22); },
       ATTN_CPU_AMX_BF16},
      {[](ProcessorFacts &f) { f.extended.edx &= ~bit(25); },
       ATTN_CPU_AMX_INT8},
      {[](ProcessorFacts &f) { f.vendor.ebx = 0; }, ATTN_CPU_FULL_RATE_BF16},
      {[](ProcessorFacts &f) { f.vendor.ecx = 0; }, ATTN_CPU_FULL_RATE_BF16},
      {[](ProcessorFacts &f) { f.vendor.edx = 0; }, ATTN_CPU_FULL_RATE_BF16}};
  for (const auto &one : cases) {
    ProcessorFacts facts = everything();
    one.change(facts);
    EXPECT_EQ(featuresOf(facts), all & ~one.without) << &one - cases;
  }
}

TEST(Tables, MemoryThatNoSystemHas) {
  attnrt::Memory memory(nullptr, 0);
  EXPECT_EQ(memory.allocate(SIZE_MAX / 4, "much"), nullptr);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("much: 4611686018427387903 bytes "
                                             "are needed, and the allocator"));
  void *held = memory.allocate(64, "little");
  EXPECT_EQ(memory.allocate(SIZE_MAX - 1, "too much"), nullptr);
  EXPECT_THAT(attnrt_last_error(), HasSubstr("too much: "));
  memory.release(held, 64);
  // Blocks of a huge page and more, and one that wants more than those.
  const size_t hugePage = size_t(2) << 20;
  for (auto [bytes, alignment] :
       {std::pair(hugePage, size_t(64)), std::pair(3 * hugePage, size_t(64)),
        std::pair(3 * hugePage, 2 * hugePage)}) {
    void *large = memory.allocate(bytes, "large", alignment);
    ASSERT_NE(large, nullptr);
    EXPECT_EQ(
        reinterpret_cast<uintptr_t>(large) % std::max(hugePage, alignment), 0u);
    memory.release(large, bytes);
  }
  EXPECT_EQ(memory.used(), 0u);
}

TEST(Tables, TextInJson) {
  char text[64];
  attnrt::Writer writer(text, sizeof(text));
  writer.print("%s", "");
  EXPECT_EQ(writer.length(), 0u);
  writer.quote("a\"b\\c\n\x7f");
  EXPECT_STREQ(text, R"("a\"b\\c\u000a\u007f")");
  // What does not fit is counted all the same.
  attnrt::Writer small(text, 4);
  small.quote("abcdef");
  EXPECT_STREQ(text, "\"ab");
  EXPECT_EQ(small.length(), 8u);
}

// A chain of two phases over n rows. `made` says how far every row has come.
constexpr int64_t kRows = 70;
std::atomic<int> made[kRows];
std::atomic<int> wrong, mostWorkers;
int64_t fewestRows, poolWorkers;
attn_session *cancelled; // by the first link, where not NULL

int64_t planChain(int64_t *, int32_t workers, int64_t *offsets,
                  int64_t *scratchOffset, int64_t *scratchStride) {
  offsets[0] = *scratchOffset = 0;
  *scratchStride = 64;
  return 64 * workers;
}

/// Brings each of the worker's rows from `from` to the next number.
void advance(const attn_frame *frame, int32_t worker, int32_t workers,
             int from) {
  const int64_t rows = frame->sizes[0];
  for (int64_t row = rows * worker / workers;
       row < rows * (worker + 1) / workers; ++row)
    wrong += made[row].exchange(from + 1) != from;
  int seen = mostWorkers;
  while (seen < workers && !mostWorkers.compare_exchange_weak(seen, workers))
    ;
  // With fewer, phases would share out something else than rows.
  wrong += workers > poolWorkers && rows / workers < fewestRows;
  // Scratch is that of the thread's own worker, and no further.
  const unsigned char *scratch =
      frame->scratch + worker * frame->scratch_stride;
  wrong += scratch < frame->arena || scratch >= frame->arena + 64 * 2;
}
void firstLink(const attn_frame *frame, int32_t worker, int32_t workers) {
  advance(frame, worker, workers, 0);
  if (cancelled)
    attnrt_cancel(cancelled);
}
void secondLink(const attn_frame *frame, int32_t worker, int32_t workers) {
  advance(frame, worker, workers, 1);
}

/// Calls the chain for so many rows.
attn_status callChain(const attn_abi_chain &chain, int32_t threads,
                      int64_t rows, bool cancels) {
  Tables tables;
  attn_abi_phase links[] = {{firstLink, "first", 0, chain, {}},
                            {secondLink, "second", 0, {}, {}}};
  tables.schedule.phases = links;
  tables.schedule.phase_count = 2;
  tables.schedule.plan = planChain;
  attn_options options = rightOptions();
  options.threads = threads;
  for (std::atomic<int> &row : made)
    row = 0;
  wrong = mostWorkers = 0;
  fewestRows = chain.fewest_rows;
  poolWorkers = threads;
  int32_t data[kRows] = {};
  void *arguments[] = {data};
  Opened opened(options, tables.library);
  EXPECT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  cancelled = cancels ? opened.session : nullptr;
  const attn_status status = attnrt_call(opened.session, 0, &rows, arguments);
  cancelled = nullptr;
  return status;
}

TEST(Tables, ChainsGoOnInBlocksOfRows) {
  // Rows, and into how many parts a chain cuts them on two threads, on one.
  const struct {
    int64_t rows;
    int parts, partsAlone;
  } cases[] = {{1, 2, 1}, {7, 2, 1}, {8, 2, 1}, {40, 4, 4}, {kRows, 8, 7}};
  for (const auto &expected : cases)
    for (int threads : {1, 2}) {
      EXPECT_EQ(callChain({2, {0, -1}, 4, 10}, threads, expected.rows, false),
                ATTN_OK);
      EXPECT_EQ(wrong, 0);
      EXPECT_EQ(mostWorkers,
                threads == 1 ? expected.partsAlone : expected.parts)
          << expected.rows << " rows, " << threads << " threads";
      for (int64_t row = 0; row < expected.rows; ++row)
        EXPECT_EQ(made[row], 2);
    }
}

TEST(Tables, BlocksOfAChainHaveRowsEnough) {
  // The nearest number of blocks is too many for 12 and 13 rows of a worker.
  const attn_abi_chain chain = {2, {0, -1}, 7, 8};
  for (int32_t threads : {1, 2})
    for (int64_t rows = 1; rows <= kRows; ++rows) {
      EXPECT_EQ(callChain(chain, threads, rows, false), ATTN_OK);
      EXPECT_EQ(wrong, 0) << rows << " rows, " << threads << " threads";
    }
}

TEST(Tables, AChainIsCancelledWithinIt) {
  const attn_abi_chain chain = {2, {0, -1}, 4, 10};
  for (int32_t threads : {1, 2}) {
    EXPECT_EQ(callChain(chain, threads, kRows, true), ATTN_ERROR_CANCELLED);
    EXPECT_THAT(attnrt_last_error(), HasSubstr("in phases 1 to 2 of 2"));
    EXPECT_EQ(made[0] + made[kRows - 1] < 4, true);
  }
}

// A phase over n rows that says what it costs.
std::atomic<int> begunParts, ofWorkers;
void countParts(const attn_frame *, int32_t, int32_t workers) {
  ++begunParts;
  ofWorkers = workers;
}

/// How many workers run the phase; `tasks` are those of an executor, if not
/// NULL.
int countWorkers(const attn_abi_work &work, int64_t rows, int32_t threads,
                 int *tasks = nullptr) {
  Tables tables;
  attn_abi_phase phase = {countParts, "phase", 0, {}, work};
  tables.schedule.phases = &phase;
  tables.schedule.phase_count = 1;
  tables.schedule.plan = planChain;
  attn_options options = rightOptions();
  options.threads = threads;
  attn_executor executor = {tasks, threads,
                            [](void *context, int32_t count,
                               void (*task)(void *, int32_t),
                               void *taskContext) {
                              *static_cast<int *>(context) += count;
                              for (int32_t i = 0; i < count; ++i)
                                task(taskContext, i);
                            }};
  if (tasks) {
    *tasks = 0;
    options.threads = 0; // the executor has its own
    options.executor = &executor;
  }
  begunParts = ofWorkers = 0;
  int32_t data[kRows] = {};
  void *arguments[] = {data};
  Opened opened(options, tables.library);
  EXPECT_EQ(opened.status, ATTN_OK) << attnrt_last_error();
  EXPECT_EQ(attnrt_call(opened.session, 0, &rows, arguments), ATTN_OK);
  EXPECT_EQ(begunParts, ofWorkers);
  return ofWorkers;
}

TEST(Tables, PhasesGetAsManyWorkersAsTheyAreWorth) {
  const attn_abi_term terms[] = {{10, {0, -1, -1, -1}}, {5, {-1, -1, -1, -1}}};
  const attn_abi_work work = {terms, 2, 100};
  for (int32_t threads : {1, 2, 3}) {
    auto least = [&](int wanted) {
      return wanted < threads ? wanted : threads;
    };
    EXPECT_EQ(countWorkers(work, 1, threads), 1);
    EXPECT_EQ(countWorkers(work, 19, threads), 1);
    EXPECT_EQ(countWorkers(work, 20, threads), least(2));
    EXPECT_EQ(countWorkers(work, 29, threads), least(2));
    EXPECT_EQ(countWorkers(work, kRows, threads), threads);
    // Not known, or more than can be counted.
    EXPECT_EQ(countWorkers({nullptr, 0, 100}, 1, threads), threads);
    const attn_abi_term many = {INT64_MAX / 2, {0, 0, -1, -1}};
    EXPECT_EQ(countWorkers({&many, 1, 100}, kRows, threads), threads);
    const attn_abi_term both[] = {terms[0], {INT64_MAX, {-1, -1, -1, -1}}};
    EXPECT_EQ(countWorkers({both, 2, 100}, 1, threads), threads);
  }
}

TEST(Tables, ExecutorsGetNoPhaseOfOneWorker) {
  const attn_abi_term term = {10, {0, -1, -1, -1}};
  const attn_abi_work work = {&term, 1, 100};
  int tasks = 0;
  EXPECT_EQ(countWorkers(work, 1, 3, &tasks), 1);
  EXPECT_EQ(tasks, 0);
  EXPECT_EQ(countWorkers(work, 20, 3, &tasks), 2);
  EXPECT_EQ(tasks, 2);
  // One of width 1 is there to run them elsewhere.
  EXPECT_EQ(countWorkers(work, 1, 1, &tasks), 1);
  EXPECT_EQ(tasks, 1);
}

} // namespace
