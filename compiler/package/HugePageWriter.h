//===- HugePageWriter.h - a file in whole huge pages ------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Linux keeps what is written to a file in memory, in pages as large as the
// single writes are and as their offsets allow, and maps them as they are. A
// mapping of small pages is read at 0.8 of a huge page's bandwidth, and a new
// weights file is run before it is ever read from a disk.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_PACKAGE_HUGEPAGEWRITER_H
#define ATTNC_COMPILER_PACKAGE_HUGEPAGEWRITER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>
#include <vector>

namespace attnc {

/// Writes `byteCount` bytes, each of which arrives once, in any order and from
/// any thread. Holds the pages of which a part has arrived.
class HugePageWriter {
public:
  static constexpr uint64_t kPage = uint64_t(2) << 20;

  /// Writes to `os` from its begin on. Errors are those of `os`.
  HugePageWriter(llvm::raw_pwrite_stream &os, uint64_t byteCount)
      : os(os), byteCount(byteCount) {}

  /// Bytes at `offset`. They need not live on.
  void write(uint64_t offset, llvm::ArrayRef<uint8_t> bytes);

  /// Whether all bytes arrived, and so were written.
  bool isComplete() const { return arrived == byteCount; }

private:
  struct Page {
    std::vector<uint8_t> bytes;
    uint64_t missing;
  };

  void emit(uint64_t offset, llvm::ArrayRef<uint8_t> bytes);
  void writePart(uint64_t offset, llvm::ArrayRef<uint8_t> bytes);

  llvm::raw_pwrite_stream &os;
  const uint64_t byteCount;
  std::mutex mutex;
  uint64_t arrived = 0;
  llvm::DenseMap<uint64_t, Page> pages; ///< in part, by offset
};

} // namespace attnc

#endif // ATTNC_COMPILER_PACKAGE_HUGEPAGEWRITER_H
