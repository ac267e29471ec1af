//===- ImportFixture.h - folders and messages for tests -------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scratch folder that tests fill with good and bad files, and a context that
// collects what import says.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_UNIT_IMPORT_IMPORTFIXTURE_H
#define ATTNC_TEST_UNIT_IMPORT_IMPORTFIXTURE_H

#include "compiler/import/Import.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include <fstream>
#include <gtest/gtest.h>

namespace attnc {

/// The bytes of a safetensors file: header length, header, data.
inline std::string makeSafetensors(llvm::StringRef header,
                                   llvm::StringRef data = "") {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i)
    bytes += static_cast<char>(uint64_t(header.size()) >> (8 * i));
  return bytes + header.str() + data.str();
}

/// "error: text" of a diagnostic, with its notes on lines of their own.
class ImportFixture : public ::testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> path;
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("attnc-import", path));
    scratch = std::string(path);
    context.getDiagEngine().registerHandler([&](mlir::Diagnostic &diagnostic) {
      messages += diagnostic.str() + "\n";
      for (const mlir::Diagnostic &note : diagnostic.getNotes())
        messages += "note: " + note.str() + "\n";
      return mlir::success();
    });
  }
  void TearDown() override { llvm::sys::fs::remove_directories(scratch); }

  std::string path(llvm::StringRef name) const {
    return scratch + "/" + name.str();
  }

  void write(llvm::StringRef name, llvm::StringRef text) const {
    std::string file = path(name);
    llvm::sys::fs::create_directories(llvm::sys::path::parent_path(file));
    std::ofstream(file, std::ios::binary) << text.str();
  }

  std::string read(llvm::StringRef name) const {
    auto buffer = llvm::MemoryBuffer::getFile(path(name));
    return buffer ? (*buffer)->getBuffer().str() : "";
  }

  /// Copies a folder of test/data into the scratch folder.
  void copy(llvm::StringRef name, llvm::StringRef to = "") const {
    std::string from = std::string(ATTNC_TEST_DATA) + "/" + name.str();
    std::error_code code;
    for (llvm::sys::fs::recursive_directory_iterator file(from, code), end;
         file != end && !code; file.increment(code)) {
      if (!llvm::sys::fs::is_regular_file(file->path()))
        continue;
      llvm::StringRef relative =
          llvm::StringRef(file->path()).drop_front(from.size() + 1);
      std::string target = path(to.str() + "/" + relative.str());
      llvm::sys::fs::create_directories(llvm::sys::path::parent_path(target));
      ASSERT_FALSE(llvm::sys::fs::copy_file(file->path(), target));
    }
    ASSERT_FALSE(code) << code.message();
  }

  /// Sets a field of a JSON object file; an absent value removes it.
  void edit(llvm::StringRef file, llvm::StringRef key,
            std::optional<llvm::json::Value> value) const {
    llvm::json::Value root = llvm::cantFail(llvm::json::parse(read(file)));
    llvm::json::Object &object = *root.getAsObject();
    object.erase(key);
    if (value)
      object[key] = std::move(*value);
    std::string text;
    llvm::raw_string_ostream(text) << root;
    write(file, text);
  }

  /// Adds to a safetensors file "name", a tensor of one zero, or "name =
  /// other", a copy of another. False if there is one of the name already.
  bool addTensor(llvm::StringRef file, llvm::StringRef what) const {
    auto [name, source] = what.split(" = ");
    std::string bytes = read(file);
    uint64_t length = 0;
    memcpy(&length, bytes.data(), 8);
    llvm::json::Value header =
        llvm::cantFail(llvm::json::parse(bytes.substr(8, length)));
    std::string data = bytes.substr(8 + length), added(4, '\0');
    llvm::json::Object &tensors = *header.getAsObject();
    llvm::json::Object entry{{"dtype", "F32"}, {"shape", llvm::json::Array{1}}};
    if (llvm::json::Object *from = tensors.getObject(source)) {
      entry = *from;
      const llvm::json::Array &place = *from->getArray("data_offsets");
      const int64_t begin = *place[0].getAsInteger();
      added = data.substr(begin, *place[1].getAsInteger() - begin);
    }
    const auto begin = static_cast<int64_t>(data.size());
    entry["data_offsets"] =
        llvm::json::Array{begin, begin + static_cast<int64_t>(added.size())};
    if (!tensors.try_emplace(name.str(), std::move(entry)).second)
      return false;
    std::string text;
    llvm::raw_string_ostream(text) << header;
    write(file, makeSafetensors(text, data + added));
    return true;
  }

  std::unique_ptr<ImportedModel> import(const ImportOptions &options = {}) {
    messages.clear();
    return importModel(context, scratch, options);
  }

  /// Import fails with this code and says all of `parts`.
  void expectRefused(llvm::StringRef code, std::vector<std::string> parts,
                     const ImportOptions &options = {}) {
    EXPECT_EQ(import(options), nullptr);
    expectSaid(code, parts);
  }

  void expectSaid(llvm::StringRef code,
                  const std::vector<std::string> &parts) const {
    EXPECT_NE(messages.find("error[" + code.str() + "]: "), std::string::npos)
        << "expected " << code.str() << " in:\n"
        << messages;
    for (const std::string &part : parts)
      EXPECT_NE(messages.find(part), std::string::npos)
          << "expected \"" << part << "\" in:\n"
          << messages;
    EXPECT_NE(messages.find("\nnote: "), std::string::npos) << "no note in:\n"
                                                            << messages;
  }

  static std::string print(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    module.print(stream);
    return text;
  }

  mlir::MLIRContext context;
  std::string scratch;
  std::string messages;
};

} // namespace attnc

#endif // ATTNC_TEST_UNIT_IMPORT_IMPORTFIXTURE_H
