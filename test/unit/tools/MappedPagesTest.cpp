//===- MappedPagesTest.cpp - in which pages weights are mapped ------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/MappedPages.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

using namespace llvm;

namespace attnc::tools {
namespace {

const char kSmaps[] =
    "55d0a000-55d0b000 r--p 00000000 fe:00 77   /usr/bin/attnc\n"
    "Size:                 4 kB\n"
    "Rss:                  4 kB\n"
    "FilePmdMapped:        0 kB\n"
    "VmFlags: rd mr mw me sd\n"
    "a1234000-a5634000 r--p 00000000 fe:00 99   /models/a b/tiny.weights\n"
    "Size:             69632 kB\n"
    "Rss:              65536 kB\n"
    "AnonHugePages:        0 kB\n"
    "FilePmdMapped:    49152 kB\n"
    "VmFlags: rd mr mw me hg\n"
    "f1234000-f5634000 r--p 04400000 fe:00 99   /models/a b/tiny.weights\n"
    "Rss:                 32 kB\n"
    "FilePmdMapped:        0 kB\n"
    "7ffe0000-7fff0000 rw-p 00000000 00:00 0    [stack]\n"
    "Rss:                 48 kB\n"
    "FilePmdMapped:        0 kB\n";

TEST(MappedPages, AreThoseOfTheFile) {
  auto pages = findMappedPages(kSmaps, "tiny.weights");
  ASSERT_TRUE(pages);
  EXPECT_EQ(pages->resident, uint64_t(65568) << 10);
  EXPECT_EQ(pages->huge, uint64_t(49152) << 10);
  EXPECT_NEAR(pages->hugeShare(), 0.7496, 1e-4);
  EXPECT_FALSE(findMappedPages(kSmaps, "iny.weights")) << "a whole name";
  EXPECT_FALSE(findMappedPages("", "tiny.weights"));
  EXPECT_FALSE(findMappedPages(
      "a0-b0 r--p 0 fe:00 9 /tiny.weights\nRss: 0 kB\n", "tiny.weights"))
      << "nothing of it is in memory";
}

TEST(MappedPages, OfThisProcess) {
  SmallString<128> path;
  int file;
  ASSERT_FALSE(sys::fs::createTemporaryFile("mapped", "weights", file, path));
  FileRemover remover(path);
  const std::string text(1 << 16, 'x');
  raw_fd_ostream(file, /*shouldClose=*/true) << text;
  const StringRef name = sys::path::filename(path);
  EXPECT_FALSE(findMappedPages(name));
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  ASSERT_TRUE(buffer);
  EXPECT_EQ((*buffer)->getBuffer(), text); // every page is touched
  auto pages = findMappedPages(name);
  ASSERT_TRUE(pages);
  EXPECT_EQ(pages->resident, text.size());
  EXPECT_LE(pages->huge, pages->resident);
}

} // namespace
} // namespace attnc::tools
