//===- Block.h - one thread block while it runs -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Threads, warps, barriers, shared memory and pending asynchronous work. The
// instructions are methods, called by a thread on its own fiber; those that
// wait let other threads run. A mistake ends the launch through fail().
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_EMULATOR_BLOCK_H
#define ATTNC_TEST_GPU_EMULATOR_BLOCK_H

#include "Emulator.h"
#include "TensorMap.h"
#include <array>
#include <deque>
#include <map>
#include <random>
#include <unordered_map>

namespace attnc::emulator {

/// The one window of shared memory: below 2 GiB, so that an address fits the 32
/// bits of PTX, and at a multiple of 256 KiB, so that the 18 bits in a matrix
/// descriptor are the offset.
constexpr size_t kSharedWindow = 256 * 1024;
/// What a block may have on sm_90; no chip of our targets has more.
constexpr size_t kSharedLimit = 227 * 1024;
unsigned char *sharedWindow();

enum class Shuffle { Index, Up, Down, Xor };
enum class Vote { Any, All, Uniform, Ballot };
enum class Element { F16, BF16, TF32, S8, U8 };

/// mma.sync: D = A B + C of one warp.
struct WarpMatrix {
  int m = 16, n = 8, k = 16;
  Element element = Element::F16;
  bool halfAccumulator = false;
};

/// One wgmma.mma_async of a thread's group of four warps.
struct GroupMatrix {
  int n = 0, k = 16;
  Element element = Element::F16;
  bool registersA = false;
  bool accumulates = true; ///< scale-d
  int signA = 1, signB = 1;
  bool transposesA = false, transposesB = false;
  uint64_t a = 0, b = 0; ///< descriptors
  std::array<uint32_t, 4> fragment{};
};

class Block {
public:
  Block(const Launch &launch, const Options &options, Counts &counts,
        size_t staticShared);
  ~Block();

  /// Runs every thread of block `index`; an empty text if all went well.
  std::string run(void (*entry)(void **), const std::array<uint32_t, 3> &index);

  /// The block whose thread runs on this fiber.
  static Block &running();

  [[noreturn]] void fail(const char *format, ...)
      __attribute__((format(printf, 2, 3)));

  const Launch &launch;
  std::array<uint32_t, 3> index{};
  uint32_t thread = 0; ///< that runs now
  uint32_t lane() const { return thread % 32; }

  //===-- Warp.cpp: within a warp. `site` tells instructions apart -----------//
  void syncWarp(const void *site, uint32_t mask);
  uint32_t shuffle(const void *site, Shuffle mode, uint32_t mask,
                   uint32_t value, uint32_t by, uint32_t clamp, bool &inside);
  uint32_t vote(const void *site, Vote mode, uint32_t mask, bool predicate);
  /// `combine` of all lanes' values.
  uint32_t reduce(const void *site, uint32_t mask, uint32_t value,
                  uint32_t (*combine)(uint32_t, uint32_t));
  uint32_t elect(const void *site, uint32_t mask, bool &elected);
  //===-- Matrix.cpp ---------------------------------------------------------//
  void loadMatrix(const void *site, int count, bool transposes,
                  uint64_t address, uint32_t *registers);
  void storeMatrix(const void *site, int count, bool transposes,
                   uint64_t address, const uint32_t *registers);
  void multiply(const void *site, const WarpMatrix &shape, const uint32_t *a,
                const uint32_t *b, const uint32_t *c, uint32_t *d);
  //===-- Wgmma.cpp: accumulators are 32-bit registers -----------------------//
  void groupFence();
  void groupMultiply(const GroupMatrix &operation, uint32_t *accumulators);
  void groupCommit();
  /// Waits until at most `pending` groups are under way, and gives those of
  /// `registers` that are done their values.
  void groupWait(int pending, uint32_t **registers, size_t count);

  //===-- Barriers.cpp -------------------------------------------------------//
  void barrierSync(uint32_t id, uint32_t count); ///< count 0: all threads
  void barrierArrive(uint32_t id, uint32_t count);
  void mbarrierInit(uint64_t address, uint32_t count);
  void mbarrierInvalidate(uint64_t address);
  void mbarrierExpect(uint64_t address, uint32_t bytes);
  uint64_t mbarrierArrive(uint64_t address, uint32_t count);
  bool mbarrierTest(uint64_t address, uint32_t parity);
  /// As long as the hardware may suspend: until the phase is over.
  void mbarrierWait(uint64_t address, uint32_t parity);

  //===-- Copies.cpp ---------------------------------------------------------//
  void copyAsync(uint64_t shared, uint64_t global, int bytes, int sourceBytes);
  void copyCommit();
  void copyWait(size_t pending);
  void copyArrive(uint64_t mbarrier, bool counted);
  void bulkLoad(uint64_t shared, uint64_t global, uint32_t bytes,
                uint64_t mbarrier);
  void bulkStore(uint64_t global, uint64_t shared, uint32_t bytes);
  void tensorLoad(uint64_t shared, uint64_t map, const int32_t *at, int rank,
                  uint64_t mbarrier);
  void tensorStore(uint64_t map, const int32_t *at, int rank, uint64_t shared);
  void bulkCommit();
  void bulkWait(size_t pending);
  void fenceProxy(); ///< generic writes become visible to the async proxy

  //===-- Memory.cpp ---------------------------------------------------------//
  enum Access { Read = 0, Write = 1 };
  /// Checks an access of this thread and notes writes of shared memory.
  void access(uint64_t address, uint64_t bytes, int kind, uint64_t alignment);
  bool inShared(uint64_t address, uint64_t bytes) const;
  /// Before the async proxy reads shared memory.
  void checkProxy(uint64_t address, uint64_t bytes, const char *reader);
  void written(uint64_t address, uint64_t bytes); ///< by the generic proxy
  void writtenByProxy(uint64_t address, uint64_t bytes);

  //===-- Schedule.cpp -------------------------------------------------------//
  /// Lets others run until `ready`; `what` names what is waited for.
  template <typename Ready> void waitUntil(Ready ready, const char *what) {
    while (!ready())
      yield(what);
    idle = 0;
  }
  uint64_t random(uint64_t below) { return generator() % below; }
  bool chance(uint64_t among) { return seeded && random(among) == 0; }
  void maybeStall();
  /// Perhaps lets others run first, though nothing has to be waited for.
  void preempt(uint64_t among);

  Counts &counts;
  const Options &options;

private:
  struct Fiber {
    void *stackPointer = nullptr;
    unsigned char *stack = nullptr;
    bool done = false;
    const char *waitsFor = nullptr;
  };
  struct Meeting { ///< lanes of a warp at one instruction
    const void *site;
    uint32_t mask, arrived = 0;
    std::array<void *, 32> data{};
    bool over = false;
    int leaving = 0;
  };
  struct Barrier {
    uint32_t arrived = 0, expected = 0, generation = 0;
  };
  struct Mbarrier {
    uint32_t count = 0, pending = 0, phase = 0;
    int64_t bytes = 0;
  };
  struct Copy {
    uint64_t shared, global;
    int bytes, sourceBytes;
  };
  struct Job { ///< a bulk or tensor copy under way
    TensorMap map;
    bool isTensor, isLoad;
    std::array<int32_t, 5> at;
    uint64_t shared, global, mbarrier;
    uint32_t bytes;
    uint32_t owner;
    uint64_t group; ///< of stores: number of the owner's group
  };
  struct GroupOperation;
  struct WarpGroup;
  struct ThreadState {
    std::vector<Copy> copies;                         ///< not committed
    std::deque<std::vector<Copy>> groups;             ///< committed
    std::vector<std::pair<uint32_t, uint32_t>> dirty; ///< shared: offset, bytes
    uint64_t bulkGroup = 0; ///< number of the open group of bulk stores
    // wgmma
    uint64_t issued = 0;             ///< operations
    std::vector<uint64_t> committed; ///< operations at each commit
    bool fenced = false;
  };

  /// The last of `mask`'s lanes to come runs `act` with everybody's data.
  template <typename Act>
  void meet(const void *site, uint32_t mask, void *mine, Act act);
  void yield(const char *what);
  void switchTo(uint32_t next);
  void threadMain();
  static void fiberMain();
  std::string describeWaiting() const;

  Mbarrier &mbarrier(uint64_t address);
  void advance(Mbarrier &barrier);
  void completeCopies(ThreadState &state, size_t keep);
  void perform(const Copy &copy);
  void start(Job job);
  bool completeJob();
  void perform(const Job &job);
  void performTensor(const Job &job);
  uint64_t jobBytes(const Job &job) const;

  GroupOperation &groupOperation(uint64_t number);
  void execute(WarpGroup &group, GroupOperation &operation);
  void executeUpTo(WarpGroup &group, uint64_t number);
  float readElement(uint64_t address, Element element);
  uint32_t resolve(uint32_t token);

  std::vector<Fiber> fibers;
  std::vector<ThreadState> states;
  std::vector<std::vector<Meeting *>> meetings; ///< per warp
  std::vector<int> stalls;                      ///< per warp
  std::array<Barrier, 16> barriers{};
  std::unordered_map<uint64_t, Mbarrier> mbarriers;
  std::vector<Job> jobs;
  std::vector<std::unique_ptr<WarpGroup>> warpGroups;
  std::vector<uint16_t> dirtyBy; ///< per byte of shared memory: thread + 1
  size_t sharedBytes;
  uint32_t alive = 0;
  uint64_t idle = 0; ///< polls since anything went on
  void *mainStack = nullptr;
  void (*entry)(void **) = nullptr;
  std::string error;
  bool seeded;
  std::mt19937_64 generator;
};

/// Conversions as the hardware does them.
float fromHalf(uint16_t bits);
float fromBfloat(uint16_t bits);
uint16_t toHalf(float value);
uint16_t toBfloat(float value);
float roundToTf32(float value);

template <typename Act>
void Block::meet(const void *site, uint32_t mask, void *mine, Act act) {
  uint32_t warp = thread / 32, me = 1u << lane();
  if (!(mask & me))
    fail("a thread takes part in an instruction whose mask 0x%08x leaves it "
         "out",
         mask);
  std::vector<Meeting *> &open = meetings[warp];
  Meeting *meeting = nullptr;
  for (Meeting *candidate : open) {
    if (candidate->over || !(candidate->mask & mask))
      continue;
    if (candidate->site != site || candidate->mask != mask)
      fail("lanes of one warp wait for each other at different instructions");
    meeting = candidate;
  }
  if (!meeting) {
    meeting = new Meeting{site, mask};
    open.push_back(meeting);
  }
  meeting->data[lane()] = mine;
  meeting->arrived |= me;
  if (meeting->arrived == mask) {
    act(*meeting);
    meeting->over = true;
    idle = 0;
  } else {
    waitUntil([&] { return meeting->over; }, "other lanes of its warp");
  }
  if (++meeting->leaving == __builtin_popcount(mask)) {
    for (size_t i = 0; i < open.size(); ++i)
      if (open[i] == meeting)
        open.erase(open.begin() + i--);
    delete meeting;
    maybeStall();
  }
}

} // namespace attnc::emulator

#endif // ATTNC_TEST_GPU_EMULATOR_BLOCK_H
