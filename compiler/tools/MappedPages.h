//===- MappedPages.h - in which pages weights are mapped --------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What Linux says of a mapped file (proc_pid_smaps(5)): how much of it is
// resident, and how much of that as huge pages. It depends on how the file came
// into memory, not on this process.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_MAPPEDPAGES_H
#define ATTNC_COMPILER_TOOLS_MAPPEDPAGES_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>

namespace attnc::tools {

/// Bytes of a file that this process has mapped.
struct MappedPages {
  uint64_t resident = 0, huge = 0;

  double hugeShare() const { return double(huge) / double(resident); }
};

/// Of the mappings of files named `fileName`, in whichever folder. `smaps` is
/// the text of /proc/PID/smaps. Nothing where none of it is resident.
std::optional<MappedPages> findMappedPages(llvm::StringRef smaps,
                                           llvm::StringRef fileName);

/// The same of this process; nothing where its /proc cannot be read.
std::optional<MappedPages> findMappedPages(llvm::StringRef fileName);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_MAPPEDPAGES_H
