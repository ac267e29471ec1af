//===- Generator.h - a call of generate -------------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One call continues some sequences of a session, each a job. Jobs that still
// read their prompts and jobs that make tokens share the library's calls.
// Nothing is changed before all jobs are checked.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_GENERATOR_H
#define ATTN_RUNTIME_GENERATOR_H

#include "Session.h"

namespace attnrt {

/// Who hears of tokens: one of the two, or nobody.
struct Listener {
  attn_token_callback ofToken;
  attn_sequence_callback ofSequence;
  void *context;
};

class Generator {
public:
  Generator(attn_session &session, const Listener &listener)
      : session(session), model(*session.model), shared(session.generation),
        feeder(session, shared.buffers), listener(listener) {}

  attn_status open();
  /// Begins a job whose prompt is still to be put into job.state->ids.
  attn_status begin(const attn_generate_options *given, Job &job);
  /// The job's prompt is the whole of its sequence.
  void replaceSequence(Job &job) const;
  attn_status run(Job *jobs, size_t count);

private:
  attn_status check(const Job &job) const;
  attn_status start(Job &job, const Detokenizer *detokenizer);
  attn_status step(Job *jobs, size_t count);
  attn_status makeToken(Job &job);
  attn_status take(Job &job, int32_t token, int64_t past);
  attn_status finish(Job &job);
  bool isStop(const Job &job, int32_t token) const;
  bool tell(const Job &job, int32_t token);
  void hold(Job &job, const int32_t *ids, int64_t count);

  // Speculate.cpp
  int64_t countGuesses(const Job &job) const;
  attn_status speculate(Job &job, int64_t most);
  attn_status judge(Job &job, float *logits, int64_t past, int64_t &made);

  attn_session &session;
  attn_model &model;
  Generation &shared;
  Feeder feeder;
  Listener listener;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_GENERATOR_H
