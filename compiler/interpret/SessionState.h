//===- SessionState.h - what calls leave behind -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The states of a session in the reference semantics: for every `attn.state`
// and sequence a list of rows, in double precision, and the sequences' lengths.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_INTERPRET_SESSIONSTATE_H
#define ATTNC_COMPILER_INTERPRET_SESSIONSTATE_H

#include "llvm/ADT/StringMap.h"
#include <algorithm>
#include <cstdint>
#include <vector>

namespace attnc {

class SessionState {
public:
  /// Rows of a state, one list per sequence.
  using Rows = std::vector<std::vector<double>>;

  int64_t length(size_t sequence) const {
    return sequence < lengths.size() ? lengths[sequence] : 0;
  }
  Rows &rows(llvm::StringRef state) { return states[state]; }
  /// Sequence `sequence` has `count` rows more from the next call on.
  void advance(size_t sequence, int64_t count) {
    if (lengths.size() <= sequence)
      lengths.resize(sequence + 1);
    lengths[sequence] += count;
  }
  /// Only the first `length` rows of a sequence stay.
  void truncate(size_t sequence, int64_t length) {
    if (sequence < lengths.size())
      lengths[sequence] = std::min(lengths[sequence], length);
  }
  /// Sequence `to` becomes sequence `from`.
  void fork(size_t from, size_t to) {
    for (auto &[name, rows] : states) {
      if (rows.size() <= std::max(from, to))
        rows.resize(std::max(from, to) + 1);
      rows[to] = rows[from];
    }
    advance(to, length(from) - length(to));
  }
  /// Forgets everything.
  void reset() {
    lengths.clear();
    states.clear();
  }

private:
  std::vector<int64_t> lengths;
  llvm::StringMap<Rows> states;
};

} // namespace attnc

#endif // ATTNC_COMPILER_INTERPRET_SESSIONSTATE_H
