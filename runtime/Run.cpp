//===- Run.cpp - running the phases of a call -----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One fork and join per phase: on the model's pool, on the caller's executor,
// or on this thread alone where the pool is taken. Every part runs under the
// same floating-point environment: round to nearest, denormals kept, all
// exceptions masked. Keeping denormals costs time only where there are any and
// keeps results equal to IEEE arithmetic; the caller's own setting, with its
// sticky flags, is put back after each part.
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

struct PhaseRun {
  attn_phase_function function;
  const attn_frame *frame;
  int32_t workers;
  bool usesTiles;
  Span *spans; // [workers], or NULL
  // What an executor did; it is the caller's code and not trusted.
  std::atomic<int32_t> calls{0};
  std::atomic<int32_t> done{0};
  std::atomic<uint64_t> begun[kMaximumThreads / 64] = {};
};

void runPart(PhaseRun &run, int32_t part) {
  uint32_t before = _mm_getcsr();
  _mm_setcsr(kFloatingPoint);
  int64_t begin = run.spans ? profileClock() : 0;
  run.function(run.frame, part, run.workers);
  if (run.spans)
    run.spans[part] = {begin, profileClock()};
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
  for (int32_t i = 0; i < schedule.phase_count && status == ATTN_OK; ++i) {
    if (session.state.load(std::memory_order_relaxed) ==
        attn_session::Cancelled) {
      status = fail(ATTN_ERROR_CANCELLED,
                    "%s: the call was cancelled before phase %d of %d",
                    model.library.name, i + 1, schedule.phase_count);
      break;
    }
    const attn_abi_phase &phase = schedule.phases[i];
    bool isSerial = (phase.flags & ATTN_PHASE_SERIAL) != 0;
    Span *spans = session.profile.spans;
    PhaseRun run = {phase.run, &frame, model.workers, model.choice.usesTiles,
                    spans ? spans + int64_t(i) * model.workers : nullptr};
    if (usesExecutor && !isSerial) {
      status = runOnExecutor(model, run);
    } else if (usesPool && !isSerial) {
      model.pool.run(runPoolPart, &run);
    } else {
      run.workers = 1;
      runPart(run, 0);
    }
  }
  if (usesPool)
    model.pool.release();
  return status;
}
