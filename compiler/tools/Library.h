//===- Library.h - a compiled library, opened -----------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Drives libNAME.so through attn_library, without its header: loads it, reads
// its description, opens model and session, calls entries by name.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_COMPILER_TOOLS_LIBRARY_H
#define ATTNC_COMPILER_TOOLS_LIBRARY_H

#include "attn/attn.h"
#include "attn/text.h"
#include "dialects/attn/SizeExpr.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace attnc::tools {

struct LibraryArgument {
  std::string name;
  std::string dtype; ///< i32, f32, bf16 or f16
  bool isInteger;    ///< i32
  std::vector<SizeExpr> dims;
  std::optional<std::pair<int64_t, int64_t>> range;
  std::optional<int64_t> defaultValue;

  std::vector<int64_t> shape(const std::map<std::string, int64_t> &sizes) const;
};

struct LibraryEntry {
  std::string name;
  std::vector<std::string> sizes;
  std::vector<LibraryArgument> inputs, outputs;
};

struct LibrarySize {
  int64_t minimum, maximum;
};

/// A tensor at the host: 4-byte elements, row-major. What a library takes as
/// bf16 or f16 is rounded when it is called.
struct HostTensor {
  std::vector<int64_t> shape;
  bool isInteger = false;
  std::vector<float> numbers;
  std::vector<int32_t> integers;

  void resize(std::vector<int64_t> newShape, bool integer);
  int64_t count() const;
  void *data();
  size_t bytes() const { return 4 * static_cast<size_t>(count()); }
};

class Library {
public:
  /// Loads `path` and reads its description; opens nothing yet.
  static llvm::Expected<std::unique_ptr<Library>> load(llvm::StringRef path);
  ~Library();

  /// Opens the model and one session. threads 0: the library's default.
  llvm::Error open(int32_t threads, llvm::StringRef weights = "");

  /// Lets the session compute with an adapter of the library.
  llvm::Error chooseAdapter(llvm::StringRef adapter);
  /// Whether it does.
  bool hasAdapter() const { return adapted; }

  llvm::StringRef name() const { return table->name; }
  const llvm::json::Object &description() const { return json; }
  const std::vector<LibraryEntry> &entries() const { return entryList; }
  const LibraryEntry *findEntry(llvm::StringRef name) const;
  const std::map<std::string, LibrarySize> &sizes() const { return sizeTable; }
  bool hasText() const { return table->tokenize != nullptr; }
  bool hasTextEntry() const { return table->encode_text != nullptr; }
  const attn_library &functions() const { return *table; }
  attn_model *model() const { return modelHandle; }
  attn_session *session() const { return sessionHandle; }

  /// Refuses sizes out of the entry's bounds, before memory is asked for them.
  llvm::Error checkSizes(const LibraryEntry &entry,
                         const std::map<std::string, int64_t> &sizes) const;

  /// Calls an entry; inputs in its order (an empty tensor stands for NULL);
  /// outputs are resized and filled.
  llvm::Error call(const LibraryEntry &entry,
                   const std::map<std::string, int64_t> &sizes,
                   std::vector<HostTensor> &inputs,
                   std::vector<HostTensor> &outputs);
  /// JSON about the open model.
  llvm::Expected<llvm::json::Value> info() const;
  /// An error from the library's last message.
  llvm::Error lastError(llvm::StringRef what, attn_status status) const;

private:
  Library() = default;
  llvm::Error readDescription();

  void *handle = nullptr;
  const attn_library *table = nullptr;
  attn_library copied = {};
  llvm::json::Object json;
  std::vector<LibraryEntry> entryList;
  std::map<std::string, LibrarySize> sizeTable;
  attn_model *modelHandle = nullptr;
  attn_session *sessionHandle = nullptr;
  bool adapted = false;
};

/// NumPy's .npy format, version 1.0: little-endian f32, f64, i32 or i64 in C
/// order are read (f64 and i64 narrowed, refused where a value does not fit);
/// f32 and i32 are written.
llvm::Expected<HostTensor> readNpy(llvm::StringRef path);
llvm::Error writeNpy(llvm::StringRef path, const HostTensor &tensor);

} // namespace attnc::tools

#endif // ATTNC_COMPILER_TOOLS_LIBRARY_H
