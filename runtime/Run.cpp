//===- Run.cpp - running the phases of a call -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One fork and join per phase, or per chain of phases that go on row by row: on
// the model's pool, on the caller's executor, or on this thread alone where the
// pool is taken. A phase gets as many workers as it is worth; with one, this
// thread goes on by itself. A worker takes its rows through a chain block by
// block, so that what one phase leaves for the next is still in its cache.
// Every part runs under the same floating-point environment: round to nearest,
// denormals kept, all exceptions masked. Keeping denormals costs time only
// where there are any and keeps results equal to IEEE arithmetic; the caller's
// own setting, with its sticky flags, is put back after each part.
//
//===----------------------------------------------------------------------===//
#include "Errors.h"
#include "Session.h"
#include "ThreadCount.h"

#include <x86intrin.h>

using namespace attnrt;

namespace {

// MXCSR as the processor starts with it.
constexpr uint32_t kFloatingPoint = 0x1f80;

// More rows than that times a block's are none that fit memory.
constexpr int64_t kMostBlocks = 1 << 20;

/// A phase, or a chain of them.
struct PhaseRun {
  const attn_abi_phase *phases;
  int32_t count;
  int32_t blocks; // of each worker's rows
  const attn_frame *frame;
  int32_t workers;
  bool usesTiles;
  Span *spans; // [count][stride], or NULL
  int32_t stride;
  const std::atomic<int32_t> *state; // of the session
  // A part of a chain saw there that the call is cancelled.
  std::atomic<bool> isCut{false};
  // What an executor did; it is the caller's code and not trusted.
  std::atomic<int32_t> calls{0};
  std::atomic<int32_t> done{0};
  std::atomic<uint64_t> begun[kMaximumThreads / 64] = {};
};

/// Runs a phase for block `block` of a part's rows. Blocks are parts of more
/// workers, which use their own worker's scratch.
void runBlock(const PhaseRun &run, const attn_abi_phase &phase, int32_t part,
              int32_t block) {
  if (run.blocks == 1)
    return phase.run(run.frame, part, run.workers);
  const int32_t worker = part * run.blocks + block;
  attn_frame frame = *run.frame;
  frame.scratch = reinterpret_cast<unsigned char *>(
      reinterpret_cast<uintptr_t>(frame.scratch) +
      static_cast<uintptr_t>(frame.scratch_stride * (part - worker)));
  phase.run(&frame, worker, run.workers * run.blocks);
}

/// As runBlock. A phase's span is as long as all its blocks took; phases of a
/// chain stand one behind the other, as they would without blocks.
void traceBlock(const PhaseRun &run, int32_t phase, int32_t part,
                int32_t block) {
  Span &span = run.spans[int64_t(phase) * run.stride + part];
  const int64_t begin = profileClock();
  runBlock(run, run.phases[phase], part, block);
  const int64_t end = profileClock();
  if (block == 0)
    span = {begin, end};
  else
    span.end += end - begin;
  if (phase == 0)
    return;
  const int64_t before = run.spans[int64_t(phase - 1) * run.stride + part].end;
  span = {before, before + (span.end - span.begin)};
}

bool isCancelled(const std::atomic<int32_t> &state) {
  return state.load(std::memory_order_relaxed) == attn_session::Cancelled;
}

/// A part's rows, block by block, through all phases. A chain may be most of a
/// call, so it is cancelled as single phases are: before the next one.
void runBlocks(PhaseRun &run, int32_t part) {
  for (int32_t block = 0; block < run.blocks; ++block)
    for (int32_t phase = 0; phase < run.count; ++phase) {
      if ((block > 0 || phase > 0) && isCancelled(*run.state)) {
        run.isCut.store(true, std::memory_order_relaxed);
        return;
      }
      if (run.spans)
        traceBlock(run, phase, part, block);
      else
        runBlock(run, run.phases[phase], part, block);
    }
}

void runPart(PhaseRun &run, int32_t part) {
  uint32_t before = _mm_getcsr();
  _mm_setcsr(kFloatingPoint);
  runBlocks(run, part);
  if (run.usesTiles)
    __asm__ volatile("tilerelease");
  _mm_setcsr(before);
}

void runPoolPart(void *context, int32_t part) {
  runPart(*static_cast<PhaseRun *>(context), part);
}

void runExecutorPart(void *context, int32_t part) {
  PhaseRun &run = *static_cast<PhaseRun *>(context);
  // A part that is run twice would count as two workers where kernels count
  // them (attn_frame.arrived), and write beside itself.
  if (part >= 0 && part < run.workers) {
    const uint64_t bit = uint64_t(1) << part % 64;
    if (!(run.begun[part / 64].fetch_or(bit, std::memory_order_relaxed) &
          bit)) {
      runPart(run, part);
      run.done.fetch_add(1, std::memory_order_acq_rel);
    }
  }
  run.calls.fetch_add(1, std::memory_order_acq_rel);
}

attn_status runOnExecutor(const attn_model &model, PhaseRun &run) {
  const attn_executor &executor = model.executor;
  executor.parallel_for(executor.context, run.workers, runExecutorPart, &run);
  int32_t done = run.done.load(std::memory_order_acquire);
  int32_t calls = run.calls.load(std::memory_order_acquire);
  if (done == run.workers && calls == run.workers)
    return ATTN_OK;
  return fail(ATTN_ERROR_SYSTEM,
              "%s: options.executor's parallel_for ran %d of %d tasks",
              model.library.name, calls == run.workers ? done : calls,
              run.workers);
}

/// Makes the run one of the whole chain that begins with its phase, if there
/// are rows enough.
void takeChain(PhaseRun &run) {
  const attn_abi_chain &chain = run.phases[0].chain;
  if (chain.phases == 0)
    return;
  int64_t rows = 1;
  for (int32_t size : chain.row_sizes)
    rows *= size < 0 ? 1 : run.frame->sizes[size];
  const int64_t each = rows / run.workers;
  if (run.workers > 1 && each < chain.fewest_rows)
    return;
  run.count = chain.phases;
  int64_t blocks = (each + chain.block_rows / 2) / chain.block_rows;
  // Blocks are rounded to the next number of them and may come out smaller.
  const int64_t most = each / chain.fewest_rows;
  blocks = blocks < most ? blocks : most;
  if (blocks > 1)
    run.blocks =
        static_cast<int32_t>(blocks < kMostBlocks ? blocks : kMostBlocks);
}

/// Of `most` workers those that are worth waking for a phase.
int32_t countWorkers(const attn_abi_phase &phase, const int64_t *sizes,
                     int32_t most) {
  if (phase.flags & ATTN_PHASE_SERIAL)
    return 1;
  const attn_abi_work &work = phase.work;
  if (work.term_count == 0)
    return most;
  int64_t cycles = 0;
  const int64_t enough = int64_t(work.fewest_cycles) * most;
  for (int32_t i = 0; i < work.term_count && cycles < enough; ++i) {
    int64_t term = work.terms[i].cycles;
    for (int32_t size : work.terms[i].sizes)
      if (__builtin_mul_overflow(term, size < 0 ? 1 : sizes[size], &term))
        return most;
    if (__builtin_add_overflow(cycles, term, &cycles))
      return most;
  }
  if (cycles >= enough)
    return most;
  const int64_t count = cycles / work.fewest_cycles;
  return count > 1 ? static_cast<int32_t>(count) : 1;
}

} // namespace

attn_status attnrt::runPhases(attn_session &session,
                              const attn_abi_schedule &schedule,
                              const Layout &layout) {
  attn_model &model = *session.model;
  attn_frame frame = {};
  frame.sizes = session.sizes;
  frame.arena = session.arena;
  frame.slot_offsets = session.slotOffsets;
  frame.arguments = session.arguments;
  frame.weights = session.weights;
  frame.scratch = session.arena + layout.scratchOffset;
  frame.scratch_stride = layout.scratchStride;
  frame.past = session.states.past();
  frame.states = session.states.views();
  alignas(64) uint32_t arrived = 0;
  frame.arrived = &arrived;

  bool usesExecutor = model.executor.parallel_for != nullptr;
  bool usesPool = !usesExecutor && model.workers > 1 && model.pool.acquire();
  attn_status status = ATTN_OK;
  for (int32_t i = 0; i < schedule.phase_count && status == ATTN_OK;) {
    if (isCancelled(session.state)) {
      status = fail(ATTN_ERROR_CANCELLED,
                    "%s: the call was cancelled before phase %d of %d",
                    model.library.name, i + 1, schedule.phase_count);
      break;
    }
    const attn_abi_phase &phase = schedule.phases[i];
    Span *spans = session.profile.spans;
    const int32_t most = usesExecutor || usesPool ? model.workers : 1;
    PhaseRun run = {&phase,
                    1,
                    1,
                    &frame,
                    most,
                    model.choice.usesTiles,
                    spans ? spans + int64_t(i) * model.workers : nullptr,
                    model.workers,
                    &session.state};
    takeChain(run);
    if (run.count == 1)
      run.workers = countWorkers(phase, session.sizes, most);
    i += run.count;
    // An executor of width 1 is there to run phases elsewhere.
    const bool isElsewhere =
        usesExecutor && most == 1 && !(phase.flags & ATTN_PHASE_SERIAL);
    if (run.workers == 1 && !isElsewhere)
      runPart(run, 0);
    else if (usesExecutor)
      status = runOnExecutor(model, run);
    else
      model.pool.run(runPoolPart, &run, run.workers);
    if (status == ATTN_OK && run.isCut.load(std::memory_order_relaxed))
      status =
          fail(ATTN_ERROR_CANCELLED,
               "%s: the call was cancelled in phases %d to %d of %d",
               model.library.name, i - run.count + 1, i, schedule.phase_count);
  }
  if (usesPool)
    model.pool.release();
  return status;
}
