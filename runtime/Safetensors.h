//===- Safetensors.h - the header of a weights file -------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads the header of a safetensors file strictly: 8 bytes of length, a JSON
// object of tensors, then their data without gaps or overlaps to the last byte.
// Everything is checked against the bytes at hand before it is believed.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_SAFETENSORS_H
#define ATTN_RUNTIME_SAFETENSORS_H

#include "Json.h"
#include "Slice.h"

#include "attn/attn.h"

namespace attnrt {

class Memory;

struct Tensor {
  Slice name;
  Slice dtype;        ///< "F32", as the file spells it
  uint64_t begin = 0; ///< from the start of the file
  uint64_t bytes = 0;
};

/// A file's header. Slices point into the file and into `decoded`.
class TensorTable {
public:
  /// Reads `size` bytes at `file`; `source` names it in messages. On failure
  /// (ATTN_ERROR_WEIGHTS, or no memory) the table must still be cleared.
  attn_status read(const unsigned char *file, uint64_t size, const char *source,
                   Memory &memory);
  void clear(Memory &memory);

  /// NULL if there is none of this name.
  const Tensor *find(const Slice &name) const;

  size_t size() const { return count; }
  /// In the order of names.
  const Tensor &operator[](size_t index) const { return tensors[index]; }

  // "attn.*" of __metadata__; NULL text where absent.
  Slice abi, layout, content;

private:
  struct File;
  struct Members;
  attn_status allocate(const File &file, Memory &memory);
  attn_status readTensors(const File &file);
  attn_status readTensor(const File &file, JsonReader &reader, Tensor &tensor);
  void readMembers(JsonReader &reader, Tensor &tensor, Members &members);
  attn_status checkTensor(const File &file, const Members &members,
                          Tensor &tensor);
  void readMetadata(JsonReader &reader);
  Slice keep(const JsonString &string);
  attn_status checkOffsets(const File &file);
  attn_status checkNames(const File &file);

  Tensor *tensors = nullptr; ///< [count], allocated for `capacity`
  size_t count = 0, capacity = 0;
  char *decoded = nullptr; ///< strings with escapes, written out
  size_t decodedSize = 0, decodedCapacity = 0;
};

} // namespace attnrt

#endif // ATTN_RUNTIME_SAFETENSORS_H
