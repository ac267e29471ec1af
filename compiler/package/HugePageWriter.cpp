//===- HugePageWriter.cpp - a file in whole huge pages --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "compiler/package/HugePageWriter.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace attnc {

void HugePageWriter::write(uint64_t offset, ArrayRef<uint8_t> bytes) {
  assert(offset <= byteCount && bytes.size() <= byteCount - offset &&
         "bytes lie within the file");
  std::lock_guard<std::mutex> lock(mutex);
  arrived += bytes.size();
  // A page in part, pages as they are, a page in part.
  const uint64_t head =
      std::min<uint64_t>(alignTo(offset, kPage) - offset, bytes.size());
  writePart(offset, bytes.take_front(head));
  offset += head;
  bytes = bytes.drop_front(head);
  const uint64_t whole = alignDown(bytes.size(), kPage);
  emit(offset, bytes.take_front(whole));
  writePart(offset + whole, bytes.drop_front(whole));
}

void HugePageWriter::writePart(uint64_t offset, ArrayRef<uint8_t> bytes) {
  if (bytes.empty())
    return;
  const uint64_t begin = alignDown(offset, kPage);
  auto [entry, isNew] = pages.try_emplace(begin);
  Page &page = entry->second;
  if (isNew) {
    page.missing = std::min(kPage, byteCount - begin);
    page.bytes.resize(page.missing);
  }
  assert(bytes.size() <= page.missing && "bytes arrive once");
  llvm::copy(bytes, page.bytes.begin() + (offset - begin));
  page.missing -= bytes.size();
  if (page.missing != 0)
    return;
  emit(begin, page.bytes);
  pages.erase(entry);
}

void HugePageWriter::emit(uint64_t offset, ArrayRef<uint8_t> bytes) {
  if (!bytes.empty())
    os.pwrite(reinterpret_cast<const char *>(bytes.data()), bytes.size(),
              offset);
}

} // namespace attnc
