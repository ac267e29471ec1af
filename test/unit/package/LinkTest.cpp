//===- LinkTest.cpp - libraries that cannot be linked ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What attnc itself never gives the linker: objects that are absent, or no
// objects. The linker's message comes back as an error, and nothing stays.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <fstream>
#include <gtest/gtest.h>

using namespace attnc;

namespace {

class LinkTest : public ::testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> path;
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("attnc-link", path));
    folder = std::string(path);
    inputs.name = "none";
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  /// Both libraries are refused, with `message`, and leave no file.
  void expectRefused(const std::string &message) {
    using Linker = llvm::Error (*)(const LinkInputs &, llvm::StringRef);
    for (Linker link : {Linker(linkShared), Linker(linkStatic)}) {
      std::string said = llvm::toString(link(inputs, folder + "/libnone"));
      EXPECT_EQ(said.find("error[A0605]: "), 0u) << said;
      EXPECT_NE(said.find(message), std::string::npos) << said;
      std::error_code code;
      for (llvm::sys::fs::directory_iterator file(folder, code), end;
           file != end && !code; file.increment(code))
        EXPECT_EQ(llvm::StringRef(file->path()).find("libnone"),
                  llvm::StringRef::npos)
            << file->path();
    }
  }

  std::string folder;
  LinkInputs inputs;
};

TEST_F(LinkTest, AnObjectThatIsAbsent) {
  inputs.objects = {folder + "/absent.o"};
  expectRefused("cannot open " + folder + "/absent.o");
}

TEST_F(LinkTest, AnObjectThatIsNone) {
  inputs.objects = {folder + "/text.o"};
  std::ofstream(folder + "/text.o") << "no object at all\n";
  expectRefused("text.o:");
}

} // namespace
