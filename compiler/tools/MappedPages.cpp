//===- MappedPages.cpp - in which pages weights are mapped ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/MappedPages.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace attnc::tools {

/// A line "Rss:     1024 kB" in bytes.
static uint64_t parseBytes(StringRef value) {
  uint64_t kilobytes = 0;
  value.trim().consumeInteger(10, kilobytes);
  return kilobytes << 10;
}

std::optional<MappedPages> findMappedPages(StringRef smaps,
                                           StringRef fileName) {
  const std::string ending = "/" + fileName.str();
  MappedPages pages;
  bool isFile = false;
  for (StringRef rest = smaps, line; !rest.empty();) {
    std::tie(line, rest) = rest.split('\n');
    auto [key, value] = line.split(':');
    // A mapping begins with its addresses, in lower case: "7f00-7f10 r--p ...".
    if (!line.empty() && !isUpper(line.front()))
      isFile = line.ends_with(ending);
    else if (isFile && key == "Rss")
      pages.resident += parseBytes(value);
    else if (isFile && key == "FilePmdMapped")
      pages.huge += parseBytes(value);
  }
  if (pages.resident == 0)
    return std::nullopt;
  return pages;
}

std::optional<MappedPages> findMappedPages(StringRef fileName) {
  // A file of /proc has no size to be read by.
  ErrorOr<std::unique_ptr<MemoryBuffer>> smaps =
      MemoryBuffer::getFileAsStream("/proc/self/smaps");
  if (!smaps)
    return std::nullopt;
  return findMappedPages((*smaps)->getBuffer(), fileName);
}

} // namespace attnc::tools
