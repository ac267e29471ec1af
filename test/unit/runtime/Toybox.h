//===- Toybox.h - weights, calls and allocators for the runtime's tests -*- C++
//-*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// WeightsWriter makes safetensors files, right ones and, with its fields bent,
// wrong ones. Counter is an allocator that counts and fails on demand. Call
// holds the buffers of one call of `scale` and knows its results.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_TEST_UNIT_RUNTIME_TOYBOX_H
#define ATTN_TEST_UNIT_RUNTIME_TOYBOX_H

#include "Toy.h"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace toy {

struct WeightsWriter {
  struct Item {
    std::string name, dtype, shape;
    std::vector<unsigned char> data;
  };
  std::vector<Item> items;
  std::map<std::string, std::string> metadata;

  /// The toy's own two tensors and metadata.
  WeightsWriter();
  Item &item(const std::string &name);
  /// The header as JSON, data after it, tensors one after the other.
  std::string header() const;
  std::vector<unsigned char> bytes() const { return bytes(header()); }
  /// The same data behind another header, padded with blanks to 64 bytes.
  std::vector<unsigned char> bytes(const std::string &header) const;
};

/// Bytes at a 64-byte aligned address, for options.weights_data.
class AlignedBytes {
public:
  explicit AlignedBytes(const std::vector<unsigned char> &bytes);
  void *data() const { return memory.get(); }
  size_t size() const { return count; }

private:
  struct Free {
    void operator()(void *pointer) const;
  };
  std::unique_ptr<void, Free> memory;
  size_t count;
};

/// The toy's right weights in memory.
const AlignedBytes &rightWeights();

/// Options with rightWeights() and one thread.
attn_options rightOptions();

/// Writes `bytes` to `path`.
void writeFile(const std::string &path,
               const std::vector<unsigned char> &bytes);

/// An empty folder that is removed in the end, with all that lies in it.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  std::string operator/(const std::string &name) const {
    return path + "/" + name;
  }
  std::string path;
};

/// Counts what it hands out and checks what it gets back.
class Counter {
public:
  Counter();
  ~Counter();
  attn_allocator allocator;
  std::atomic<int64_t> calls{0}, live{0}, bytes{0};
  std::atomic<int64_t> failAt{-1}; ///< index of the call that finds no memory
  std::atomic<int64_t> largest{0};
  bool isBroken() const { return broken; }

private:
  static void *allocate(void *context, size_t bytes, size_t alignment);
  static void release(void *context, void *pointer, size_t bytes);
  std::mutex mutex;
  std::map<void *, size_t> blocks;
  std::atomic<bool> broken{false};
};

struct Call {
  Call(int64_t batch, int64_t seq, unsigned seed = 1);
  attn_status run(attn_session *session);
  /// True if the outputs are those of the inputs, to the bit.
  bool isRight() const;

  int64_t sizes[2];
  std::vector<int32_t> ids, mask;
  std::vector<float> out, total;
  void *arguments[4];
};

/// A model with a session, closed in the end.
class Opened {
public:
  explicit Opened(const attn_options &options,
                  const attn_abi_library &library = toy::library);
  ~Opened();
  attn_status status;
  attn_model *model = nullptr;
  attn_session *session = nullptr;
};

/// Holds phases back until it is opened.
class Gate {
public:
  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    ++arrived;
    changed.notify_all();
    changed.wait(lock, [&] { return isOpen; });
  }
  void awaitArrival() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [&] { return arrived > 0; });
  }
  void open() {
    std::lock_guard<std::mutex> lock(mutex);
    isOpen = true;
    changed.notify_all();
  }

private:
  std::mutex mutex;
  std::condition_variable changed;
  int arrived = 0;
  bool isOpen = false;
};

/// Ends a forked child, in which nothing may run that runs at exit.
[[noreturn]] void leave(int code);

/// attnrt_info's text.
std::string info(const attn_model *model);

} // namespace toy

#endif // ATTN_TEST_UNIT_RUNTIME_TOYBOX_H
