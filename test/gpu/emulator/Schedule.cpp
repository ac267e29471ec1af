//===- Schedule.cpp - which thread of a block runs ------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One fiber per thread. A thread runs until it has to wait; then the next one
// in order does. With a seed, the order of warps is random and warps stall for
// a while after instructions that they execute together. When every thread has
// asked in vain, pending copies are completed one by one, and when there are
// none the block is stuck: an error that names who waits for what.
//
//===----------------------------------------------------------------------===//
#include "Block.h"
#include "Wgmma.h"
#include <cstdarg>
#include <sys/mman.h>

// Saves the registers that calls preserve, and changes stacks.
extern "C" void attnc_emulator_switch(void **save, void *to);
asm(R"(
.text
.globl attnc_emulator_switch
.type attnc_emulator_switch, @function
attnc_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size attnc_emulator_switch, .-attnc_emulator_switch
)");

namespace attnc::emulator {

static constexpr size_t kStack = 256 * 1024, kGuard = 4096;
static Block *current = nullptr;

/// Stacks are kept: a launch of many blocks would else map and unmap them.
static std::vector<unsigned char *> &freeStacks() {
  static std::vector<unsigned char *> stacks;
  return stacks;
}

static unsigned char *takeStack() {
  std::vector<unsigned char *> &stacks = freeStacks();
  if (!stacks.empty()) {
    unsigned char *stack = stacks.back();
    stacks.pop_back();
    return stack;
  }
  void *stack = mmap(nullptr, kStack + kGuard, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED)
    return nullptr;
  mprotect(stack, kGuard, PROT_NONE);
  return static_cast<unsigned char *>(stack) + kGuard;
}

Block &Block::running() { return *current; }

Block::Block(const Launch &launch, const Options &options, Counts &counts,
             size_t staticShared)
    : launch(launch), counts(counts), options(options), fibers(launch.threads),
      sharedBytes(staticShared + launch.sharedBytes), seeded(options.seed != 0),
      generator(options.seed) {
  for (Fiber &fiber : fibers)
    fiber.stack = takeStack();
}

Block::~Block() {
  for (Fiber &fiber : fibers)
    if (fiber.stack)
      freeStacks().push_back(fiber.stack);
}

std::string Block::run(void (*function)(void **),
                       const std::array<uint32_t, 3> &blockIndex) {
  index = blockIndex;
  entry = function;
  uint32_t warps = (launch.threads + 31) / 32;
  states.assign(launch.threads, {});
  meetings.assign(warps, {});
  stalls.assign(warps, 0);
  barriers = {};
  mbarriers.clear();
  jobs.clear();
  warpGroups.clear();
  for (uint32_t i = 0; i < (launch.threads + 127) / 128; ++i)
    warpGroups.push_back(std::make_unique<WarpGroup>());
  dirtyBy.assign(kSharedWindow, 0);
  memset(sharedWindow(), options.fill, kSharedWindow);
  alive = launch.threads;
  idle = 0;
  for (Fiber &fiber : fibers) {
    if (!fiber.stack)
      return "no memory for the threads' stacks";
    fiber.done = false;
    fiber.waitsFor = nullptr;
    void **top = reinterpret_cast<void **>(fiber.stack + kStack - 64);
    *--top = nullptr; // keeps the stack aligned as after a call
    *--top = reinterpret_cast<void *>(fiberMain);
    for (int saved = 0; saved < 6; ++saved)
      *--top = nullptr;
    fiber.stackPointer = top;
  }
  for (uint32_t warp = 0; warp < warps; ++warp)
    stalls[warp] = seeded ? random(4 * warps) : 0;
  current = this;
  thread = seeded ? 32 * random(warps) : 0;
  attnc_emulator_switch(&mainStack, fibers[thread].stackPointer);
  current = nullptr;
  return error;
}

void Block::fiberMain() { current->threadMain(); }

void Block::threadMain() {
  entry(const_cast<void **>(launch.parameters.data()));
  ThreadState &state = states[thread];
  copyCommit(); // what was never waited for lands now
  completeCopies(state, 0);
  if (state.bulkGroup != 0 ||
      std::any_of(jobs.begin(), jobs.end(), [&](auto &job) {
        return !job.isLoad && job.owner == thread;
      }))
    bulkWait(0); // stores land; only their sources must not vanish early
  fibers[thread].done = true;
  idle = 0;
  if (--alive == 0) {
    if (!jobs.empty())
      fail("the block ends while a bulk copy is still under way");
    for (size_t id = 0; id < barriers.size(); ++id)
      if (barriers[id].arrived)
        fail("the block ends while %u threads have arrived at barrier %zu and "
             "nobody waits for them",
             barriers[id].arrived, id);
    void *gone;
    attnc_emulator_switch(&gone, mainStack);
  }
  for (Barrier &barrier : barriers) // an ended thread no longer holds others up
    if (barrier.arrived && barrier.expected == 0 && barrier.arrived == alive) {
      barrier.arrived = 0;
      ++barrier.generation;
    }
  stalls[thread / 32] = 0;
  yield("nothing");
  __builtin_unreachable();
}

void Block::switchTo(uint32_t next) {
  uint32_t before = thread;
  thread = next;
  ++counts.switches;
  if (before != next)
    attnc_emulator_switch(&fibers[before].stackPointer,
                          fibers[next].stackPointer);
}

void Block::maybeStall() {
  if (chance(16))
    stalls[thread / 32] = random(400);
}

void Block::preempt(uint64_t among) {
  if (!chance(among))
    return;
  stalls[thread / 32] = random(200);
  idle = 0; // whoever gets here came on
  yield("its turn");
}

void Block::yield(const char *what) {
  fibers[thread].waitsFor = what;
  // Everybody has asked twice at least.
  if (++idle > 2 * alive + 2) {
    bool stalled = false;
    for (int &stall : stalls) {
      stalled |= stall > 0;
      stall = 0;
    }
    if (!stalled && idle > 4 * alive + 4) {
      if (!completeJob())
        fail("the block is stuck: %s", describeWaiting().c_str());
      idle = 0;
    }
  } else if (!jobs.empty() && options.timing != Timing::Late && chance(64)) {
    completeJob();
  }
  uint32_t next = thread;
  for (;;) {
    next = next + 1 == fibers.size() ? 0 : next + 1;
    if (next % 32 == 0 && stalls[next / 32] > 0)
      --stalls[next / 32];
    if (!fibers[next].done && stalls[next / 32] == 0)
      break;
  }
  switchTo(next);
}

std::string Block::describeWaiting() const {
  std::map<std::string, std::pair<uint32_t, uint32_t>> reasons; // first, count
  for (uint32_t i = 0; i < fibers.size(); ++i)
    if (!fibers[i].done)
      ++reasons
            .try_emplace(fibers[i].waitsFor ? fibers[i].waitsFor : "nothing", i,
                         0)
            .first->second.second;
  std::string text;
  for (auto &[what, where] : reasons)
    text += (text.empty() ? "" : "; ") + std::to_string(where.second) +
            " threads, the first of them " + std::to_string(where.first) +
            ", wait for " + what;
  return text;
}

void Block::fail(const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  char where[128];
  snprintf(where, sizeof(where),
           "%s: block (%u, %u, %u), thread %u: ", launch.kernel.c_str(),
           index[0], index[1], index[2], thread);
  error = std::string(where) + line;
  void *gone; // the other fibers are never resumed
  attnc_emulator_switch(&gone, mainStack);
  __builtin_unreachable();
}

} // namespace attnc::emulator
