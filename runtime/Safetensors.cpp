//===- Safetensors.cpp - the header of a weights file ---------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two passes over the JSON text: the first counts, so that the table is one
// allocation, the second fills it. Then the tensors are sorted by offset to
// find overlaps and gaps, and by name to find duplicates and to serve find().
//
//===----------------------------------------------------------------------===//
#include "Safetensors.h"

#include "Errors.h"
#include "Memory.h"

#include <inttypes.h>
#include <new>
#include <string.h>

namespace attnrt {

int Slice::compare(const Slice &left, const Slice &right) {
  size_t shared = left.size < right.size ? left.size : right.size;
  int order = shared ? memcmp(left.text, right.text, shared) : 0;
  if (order != 0 || left.size == right.size)
    return order;
  return left.size < right.size ? -1 : 1;
}

/// For "%.*s": names are cut to what a message can hold.
#define SLICE(slice)                                                           \
  static_cast<int>((slice).size < 200 ? (slice).size : 200), (slice).text

/// What is read, and what the messages call it.
struct TensorTable::File {
  const char *header;
  size_t headerSize;
  uint64_t dataOffset, dataSize;
  const char *source;
};

namespace {

/// Sorts in place, without memory and without a quadratic case.
template <typename Less> void heapSort(Tensor *all, size_t count, Less less) {
  auto sift = [&](size_t root, size_t end) {
    while (2 * root + 1 < end) {
      size_t child = 2 * root + 1;
      if (child + 1 < end && less(all[child], all[child + 1]))
        ++child;
      if (!less(all[root], all[child]))
        return;
      Tensor held = all[root];
      all[root] = all[child];
      all[child] = held;
      root = child;
    }
  };
  for (size_t root = count / 2; root-- > 0;)
    sift(root, count);
  for (size_t end = count; end-- > 1;) {
    Tensor held = all[0];
    all[0] = all[end];
    all[end] = held;
    sift(0, end);
  }
}

/// Bits of an element; 0 for a type that the format does not have.
uint32_t elementBits(const Slice &dtype) {
  static const struct {
    const char *name;
    uint32_t bits;
  } types[] = {{"F32", 32}, {"BF16", 16},   {"F16", 16},   {"I8", 8},
               {"U8", 8},   {"I32", 32},    {"I64", 64},   {"BOOL", 8},
               {"F64", 64}, {"I16", 16},    {"U16", 16},   {"U32", 32},
               {"U64", 64}, {"F8_E4M3", 8}, {"F8_E5M2", 8}};
  for (const auto &type : types)
    if (dtype.equals(type.name))
      return type.bits;
  return 0;
}

} // namespace

Slice TensorTable::keep(const JsonString &string) {
  Slice slice;
  if (!string.escaped) {
    slice.text = string.text;
    slice.size = string.size;
    return slice;
  }
  slice.text = decoded + decodedSize;
  slice.size = string.decode(decoded + decodedSize);
  decodedSize += slice.size;
  return slice;
}

attn_status TensorTable::allocate(const File &file, Memory &memory) {
  // Any string with an escape may be kept, so each member's key and the few
  // values of its object are bounded by the header's own size.
  JsonReader reader(file.header, file.headerSize);
  JsonString key;
  size_t members = 0;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key != "__metadata__")
        ++members;
      reader.skip();
    }
  if (!reader.finish())
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: the header is not valid JSON at its byte %zu: %s",
                file.source, reader.offset(), reader.error());
  if (memchr(file.header, '\\', file.headerSize)) {
    decoded = static_cast<char *>(
        memory.allocate(file.headerSize, "the weights' names"));
    if (!decoded)
      return ATTN_ERROR_OUT_OF_MEMORY;
    decodedCapacity = file.headerSize;
  }
  if (members) {
    void *block =
        memory.allocate(sizeof(Tensor) * members, "the weights' table");
    if (!block)
      return ATTN_ERROR_OUT_OF_MEMORY;
    tensors = static_cast<Tensor *>(block);
    capacity = members;
  }
  return ATTN_OK;
}

void TensorTable::readMetadata(JsonReader &reader) {
  JsonString key, value;
  if (!reader.enterObject())
    return;
  while (reader.nextMember(key)) {
    if (!reader.readString(value))
      continue; // the reader keeps the error: values must be strings
    if (key == "attn.abi")
      abi = keep(value);
    else if (key == "attn.layout")
      layout = keep(value);
    else if (key == "attn.content")
      content = keep(value);
  }
}

/// What a tensor's object says, before anything is believed.
struct TensorTable::Members {
  uint64_t elements = 1, offsets[2] = {0, 0};
  int offsetCount = 0;
  bool overflows = false, hasShape = false;
};

void TensorTable::readMembers(JsonReader &reader, Tensor &tensor,
                              Members &members) {
  JsonString key, value;
  uint64_t number = 0;
  if (!reader.enterObject())
    return;
  while (reader.nextMember(key)) {
    if (key == "dtype") {
      if (reader.readString(value))
        tensor.dtype = keep(value);
    } else if (key == "shape") {
      members.hasShape = true;
      if (reader.enterArray())
        while (reader.nextElement())
          if (reader.readUnsigned(number))
            members.overflows |= __builtin_mul_overflow(
                members.elements, number, &members.elements);
    } else if (key == "data_offsets") {
      if (reader.enterArray())
        while (reader.nextElement())
          if (reader.readUnsigned(number)) {
            if (members.offsetCount < 2)
              members.offsets[members.offsetCount] = number;
            ++members.offsetCount;
          }
    } else {
      reader.skip();
    }
  }
}

attn_status TensorTable::checkTensor(const File &file, const Members &members,
                                     Tensor &tensor) {
  if (!tensor.dtype.text || !members.hasShape || members.offsetCount != 2)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: tensor %.*s must have a dtype, a shape and two "
                "data_offsets",
                file.source, SLICE(tensor.name));
  uint32_t bits = elementBits(tensor.dtype);
  if (!bits)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: tensor %.*s has dtype %.*s, which safetensors "
                "does not know",
                file.source, SLICE(tensor.name), SLICE(tensor.dtype));
  uint64_t begin = members.offsets[0], end = members.offsets[1];
  if (begin > end || end > file.dataSize)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: tensor %.*s lies at %" PRIu64 " to %" PRIu64
                " of %" PRIu64 " bytes of data; is the file truncated?",
                file.source, SLICE(tensor.name), begin, end, file.dataSize);
  tensor.begin = file.dataOffset + begin;
  tensor.bytes = end - begin;
  uint64_t expected = 0;
  bool overflows =
      __builtin_mul_overflow(members.elements, uint64_t(bits / 8), &expected) ||
      members.overflows;
  if (overflows || expected != tensor.bytes)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: tensor %.*s has %" PRIu64
                " bytes, but its shape and dtype %.*s ask for %s%" PRIu64,
                file.source, SLICE(tensor.name), tensor.bytes,
                SLICE(tensor.dtype), overflows ? "more than " : "",
                overflows ? UINT64_MAX : expected);
  return ATTN_OK;
}

attn_status TensorTable::readTensor(const File &file, JsonReader &reader,
                                    Tensor &tensor) {
  Members members;
  readMembers(reader, tensor, members);
  if (reader.failed())
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: tensor %.*s is ill-formed at byte %zu of the "
                "header: %s",
                file.source, SLICE(tensor.name), reader.offset(),
                reader.error());
  return checkTensor(file, members, tensor);
}

attn_status TensorTable::readTensors(const File &file) {
  JsonReader reader(file.header, file.headerSize);
  JsonString key;
  bool hasMetadata = false;
  if (reader.enterObject())
    while (reader.nextMember(key)) {
      if (key == "__metadata__") {
        if (hasMetadata)
          return fail(ATTN_ERROR_WEIGHTS,
                      "weights %s: the header has __metadata__ twice",
                      file.source);
        hasMetadata = true;
        readMetadata(reader);
        continue;
      }
      Tensor &tensor = *new (&tensors[count]) Tensor;
      tensor.name = keep(key);
      ++count;
      attn_status status = readTensor(file, reader, tensor);
      if (status != ATTN_OK)
        return status;
    }
  if (!reader.finish())
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: the header is ill-formed at its byte %zu: %s",
                file.source, reader.offset(), reader.error());
  return ATTN_OK;
}

attn_status TensorTable::checkOffsets(const File &file) {
  // Empty tensors lie between others: they come before one that begins there.
  heapSort(tensors, count, [](const Tensor &left, const Tensor &right) {
    return left.begin != right.begin ? left.begin < right.begin
                                     : left.bytes < right.bytes;
  });
  uint64_t end = file.dataOffset;
  for (size_t index = 0; index < count; ++index) {
    const Tensor &tensor = tensors[index];
    if (tensor.begin < end)
      return fail(ATTN_ERROR_WEIGHTS,
                  "weights %s: tensors %.*s and %.*s overlap by %" PRIu64
                  " bytes",
                  file.source, SLICE(tensors[index - 1].name),
                  SLICE(tensor.name), end - tensor.begin);
    if (tensor.begin > end)
      return fail(ATTN_ERROR_WEIGHTS,
                  "weights %s: %" PRIu64
                  " bytes before tensor %.*s belong to none",
                  file.source, tensor.begin - end, SLICE(tensor.name));
    end = tensor.begin + tensor.bytes;
  }
  uint64_t fileEnd = file.dataOffset + file.dataSize;
  if (end != fileEnd)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: %" PRIu64 " bytes after the last tensor belong to "
                "none",
                file.source, fileEnd - end);
  return ATTN_OK;
}

attn_status TensorTable::checkNames(const File &file) {
  heapSort(tensors, count, [](const Tensor &left, const Tensor &right) {
    return Slice::compare(left.name, right.name) < 0;
  });
  for (size_t index = 1; index < count; ++index)
    if (Slice::compare(tensors[index - 1].name, tensors[index].name) == 0)
      return fail(ATTN_ERROR_WEIGHTS, "weights %s: tensor %.*s stands twice",
                  file.source, SLICE(tensors[index].name));
  return ATTN_OK;
}

attn_status TensorTable::read(const unsigned char *bytes, uint64_t size,
                              const char *source, Memory &memory) {
  if (size < 8)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: %" PRIu64 " bytes are no safetensors file, which "
                "begins with 8 bytes of header length",
                source, size);
  uint64_t length = 0;
  memcpy(&length, bytes, 8); // little-endian, as this processor
  if (length > size - 8)
    return fail(ATTN_ERROR_WEIGHTS,
                "weights %s: the header should have %" PRIu64
                " bytes, but %" PRIu64
                " follow its length; is the file truncated?",
                source, length, size - 8);
  File file;
  file.header = reinterpret_cast<const char *>(bytes) + 8;
  file.headerSize = static_cast<size_t>(length);
  file.dataOffset = 8 + length;
  file.dataSize = size - file.dataOffset;
  file.source = source;
  attn_status status = allocate(file, memory);
  if (status == ATTN_OK)
    status = readTensors(file);
  if (status == ATTN_OK)
    status = checkOffsets(file);
  return status == ATTN_OK ? checkNames(file) : status;
}

void TensorTable::clear(Memory &memory) {
  memory.release(tensors, sizeof(Tensor) * capacity);
  memory.release(decoded, decodedCapacity);
  tensors = nullptr;
  decoded = nullptr;
  count = capacity = decodedSize = decodedCapacity = 0;
}

const Tensor *TensorTable::find(const Slice &name) const {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = Slice::compare(tensors[middle].name, name);
    if (order == 0)
      return &tensors[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return nullptr;
}

} // namespace attnrt
