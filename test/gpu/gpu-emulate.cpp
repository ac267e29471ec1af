//===- gpu-emulate.cpp - one launch of a kernel, on the CPU ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   gpu-emulate kernels.ll --kernel=scale --grid=4 --block=128 in:x.bin
//       out:1024:y.bin i32:256 f32:0.5
//
// Runs a kernel of an LLVM IR file for NVPTX. Parameters in order:
//   i32:N i64:N f32:X          numbers
//   in:FILE                    a buffer with the bytes of FILE
//   out:BYTES:FILE             a buffer of NaN, written to FILE afterwards
//   inout:FILE:RESULT          both
//   map:P:BYTES:SWIZZLE:EXTENTS:BOX:STRIDES
//                              a tensor map of the buffer of parameter P;
//                              EXTENTS, BOX, STRIDES as 64x32x2
//
//===----------------------------------------------------------------------===//
#include "test/gpu/emulator/Emulator.h"
#include "test/gpu/emulator/TensorMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include <deque>

using namespace llvm;
using namespace attnc::emulator;

static cl::OptionCategory category("gpu-emulate");
static cl::opt<std::string> input(cl::Positional, cl::Required,
                                  cl::desc("kernels.ll"), cl::cat(category));
static cl::list<std::string>
    parameters(cl::Positional, cl::desc("PARAMETER..."), cl::cat(category));
static cl::opt<std::string> kernel("kernel", cl::Required,
                                   cl::desc("entry point"), cl::cat(category));
static cl::opt<std::string> grid("grid", cl::init("1"),
                                 cl::desc("blocks: X[xY[xZ]]"),
                                 cl::cat(category));
static cl::opt<unsigned> threads("block", cl::init(32), cl::desc("of a block"),
                                 cl::cat(category));
static cl::opt<unsigned> sharedBytes("shared", cl::init(0),
                                     cl::desc("dynamic shared memory, bytes"),
                                     cl::cat(category));
static cl::opt<uint64_t> seed("seed", cl::init(0),
                              cl::desc("of the order of threads; 0: in order"),
                              cl::cat(category));
static cl::opt<Timing>
    timing("timing", cl::init(Timing::Late), cl::desc("of asynchronous work"),
           cl::values(clEnumValN(Timing::Late, "late", "at the waits"),
                      clEnumValN(Timing::Early, "early", "at once"),
                      clEnumValN(Timing::Random, "random", "anything between")),
           cl::cat(category));

namespace {

struct Parameter {
  std::string bytes; ///< of a buffer
  void *pointer = nullptr;
  uint64_t value = 0;
  std::string result; ///< file to write
  TensorMap map;
  void *address = nullptr;
};

Error problem(const Twine &what) { return createStringError("error: " + what); }

Error readNumbers(StringRef text, SmallVectorImpl<uint64_t> &numbers) {
  SmallVector<StringRef> parts;
  text.split(parts, 'x', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts)
    if (part.getAsInteger(0, numbers.emplace_back()))
      return problem("'" + part + "' is no number");
  return Error::success();
}

Error readMap(StringRef text, std::deque<Parameter> &read, TensorMap &map) {
  SmallVector<StringRef> parts;
  text.split(parts, ':');
  SmallVector<uint64_t> first, swizzle, bytes, extents, box, strides;
  if (parts.size() < 5)
    return problem("map:" + text +
                   "; expected map:P:BYTES:SWIZZLE:EXTENTS:BOX:STRIDES");
  SmallVectorImpl<uint64_t> *lists[] = {&first,   &bytes, &swizzle,
                                        &extents, &box,   &strides};
  for (auto [part, list] : zip(parts, lists))
    if (Error error = readNumbers(part, *list))
      return error;
  if (first[0] >= read.size() || extents.size() > 5 ||
      box.size() != extents.size() || strides.size() + 1 < extents.size())
    return problem("map:" + text +
                   " names no earlier parameter, or its "
                   "extents, box and strides do not fit");
  map.rank = extents.size();
  map.elementBytes = bytes[0];
  map.swizzle = swizzle[0];
  map.base = static_cast<unsigned char *>(read[first[0]].pointer);
  copy(extents, map.extents);
  copy(box, map.box);
  for (size_t axis = 0; axis + 1 < extents.size(); ++axis)
    map.strides[axis] = strides[axis];
  return Error::success();
}

Error readParameter(StringRef text, std::deque<Parameter> &read) {
  Parameter result;
  auto [kind, rest] = text.split(':');
  int64_t number = 0;
  double real = 0;
  if (kind == "i32" || kind == "i64") {
    if (rest.getAsInteger(0, number))
      return problem("'" + rest + "' is no number");
    result.value = number;
  } else if (kind == "f32") {
    if (rest.getAsDouble(real))
      return problem("'" + rest + "' is no number");
    float single = real;
    memcpy(&result.value, &single, 4);
  } else if (kind == "in" || kind == "inout") {
    auto [path, output] = rest.split(':');
    auto file = MemoryBuffer::getFile(path);
    if (!file)
      return problem(path + ": " + file.getError().message());
    result.bytes = (*file)->getBuffer().str();
    result.result = output.str();
  } else if (kind == "out") {
    auto [size, output] = rest.split(':');
    if (size.getAsInteger(0, number) || number <= 0)
      return problem("'" + size + "' is no number of bytes");
    result.bytes.assign(number, '\xff');
    result.result = output.str();
  } else if (kind == "map") {
    if (Error error = readMap(rest, read, result.map))
      return error;
  } else {
    return problem("'" + text +
                   "'; expected i32:, i64:, f32:, in:, out:, inout: or map:");
  }
  Parameter &kept = read.emplace_back(std::move(result));
  if (!kept.bytes.empty()) {
    kept.pointer = kept.bytes.data();
    addMemory(kept.pointer, kept.bytes.size());
    kept.address = &kept.pointer;
  } else {
    kept.address = kind == "map" ? static_cast<void *>(&kept.map) : &kept.value;
  }
  return Error::success();
}

Error run() {
  auto file = MemoryBuffer::getFile(input);
  if (!file)
    return problem(input + ": " + file.getError().message());
  auto program = Program::parse((*file)->getBuffer());
  if (!program)
    return program.takeError();
  Launch launch;
  launch.kernel = kernel;
  launch.threads = threads;
  launch.sharedBytes = sharedBytes;
  SmallVector<uint64_t> blocks;
  if (Error error = readNumbers(grid, blocks))
    return error;
  for (size_t axis = 0; axis < blocks.size() && axis < 3; ++axis)
    launch.grid[axis] = blocks[axis];
  std::deque<Parameter> read; // addresses stay
  for (const std::string &text : parameters) {
    if (Error error = readParameter(text, read))
      return error;
    launch.parameters.push_back(read.back().address);
  }
  Options options;
  options.seed = seed;
  options.timing = timing;
  Counts counts;
  if (Error error = (*program)->run(launch, options, &counts))
    return error;
  for (const Parameter &parameter : read) {
    if (parameter.result.empty())
      continue;
    std::error_code code;
    raw_fd_ostream os(parameter.result, code);
    if (code)
      return problem(parameter.result + ": " + code.message());
    os << parameter.bytes;
  }
  outs() << formatv("accesses {0}, mma {1}, wgmma {2}, cp.async {3}, bulk "
                    "copies {4}, barriers {5}\n",
                    counts.accesses, counts.warpMatrix, counts.groupMatrix,
                    counts.asyncCopies, counts.tensorCopies, counts.barriers);
  return Error::success();
}

} // namespace

int main(int argc, char **argv) {
  InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv,
                              "runs a kernel for NVIDIA GPUs on the CPU\n");
  if (Error error = run()) {
    errs() << toString(std::move(error)) << "\n";
    return 1;
  }
  return 0;
}
