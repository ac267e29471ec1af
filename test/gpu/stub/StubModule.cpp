//===- StubModule.cpp - the stub driver: modules, launches, graphs, maps --===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels run in the emulator; what it finds wrong is an illegal address to the
// runtime and a complaint to the test.
//
//===----------------------------------------------------------------------===//
#include "StubDriver.h"
#include "StubState.h"
#include "test/gpu/emulator/TensorMap.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IRReader/IRReader.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include <chrono>

using namespace attnc;
using namespace attnc::stub;
using llvm::StringRef;

namespace attnc::stub {

Result makeLaunch(FunctionState *function, const unsigned *grid,
                  unsigned threads, unsigned sharedBytes, void **parameters,
                  LaunchState &launch) {
  State &state = State::get();
  if (!state.modules.count(function->module)) {
    state.complain("a kernel of a module that is unloaded");
    return cuda::kInvalidValue;
  }
  if (int(sharedBytes) > function->dynamicLimit) {
    state.complain("%s: %u bytes of shared memory, %d are allowed",
                   function->name.c_str(), sharedBytes, function->dynamicLimit);
    return cuda::kInvalidValue;
  }
  launch.function = function;
  launch.launch.kernel = function->name;
  std::copy_n(grid, 3, launch.launch.grid);
  launch.launch.threads = threads;
  launch.launch.sharedBytes = sharedBytes;
  for (size_t i = 0; i < function->parameterBytes.size(); ++i) {
    auto *from = static_cast<unsigned char *>(parameters[i]);
    launch.parameters.emplace_back(from, from + function->parameterBytes[i]);
  }
  return 0;
}

Result runLaunch(const LaunchState &launch) {
  State &state = State::get();
  emulator::Launch copy = launch.launch;
  std::vector<emulator::TensorMap> maps(launch.parameters.size());
  for (size_t i = 0; i < launch.parameters.size(); ++i) {
    const std::vector<unsigned char> &bytes = launch.parameters[i];
    void *place = const_cast<unsigned char *>(bytes.data());
    if (bytes.size() == sizeof(emulator::TensorMap)) { // wants its alignment
      memcpy(static_cast<void *>(&maps[i]), bytes.data(), bytes.size());
      place = &maps[i];
    }
    copy.parameters.push_back(place);
  }
  emulator::Options options;
  options.seed = state.seed;
  Unlocked unlocked;
  auto begin = std::chrono::steady_clock::now();
  if (llvm::Error error =
          launch.function->module->program->run(copy, options)) {
    state.complain("%s", llvm::toString(std::move(error)).c_str());
    return 700; // CUDA_ERROR_ILLEGAL_ADDRESS
  }
  std::chrono::duration<double, std::micro> taken =
      std::chrono::steady_clock::now() - begin;
  state.kernelTimes.push_back({launch.function->name, taken.count()});
  return 0;
}

void State::dropModules() {
  for (void *module : modules)
    delete static_cast<ModuleState *>(module);
  for (auto *set : {&graphs, &execs})
    for (void *graph : *set)
      delete static_cast<GraphState *>(graph);
  modules.clear();
  graphs.clear();
  execs.clear();
}

static std::string textOf(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  return file ? (*file)->getBuffer().str() : "";
}

/// The files under the folder of kernels that end with `ending`.
static std::vector<std::string> findFiles(StringRef ending) {
  const char *folder = getenv("ATTNC_STUB_KERNELS");
  std::vector<std::string> found;
  std::error_code code;
  for (llvm::sys::fs::recursive_directory_iterator
           at(folder ? folder : ".", code),
       end;
       at != end && !code; at.increment(code))
    if (StringRef(at->path()).ends_with(ending))
      found.push_back(at->path());
  return found;
}

/// The LLVM IR that stands for an image, or "". Of several files with kernels
/// of its names it is the one beside the same PTX.
static std::string findIr(StringRef image) {
  if (!image.contains(".visible .entry"))
    return image.str();
  StringRef name = image.split(".visible .entry ").second.split('(').first;
  std::string folder;
  for (const std::string &path : findFiles(".ptx"))
    if (textOf(path) == image)
      folder = llvm::sys::path::parent_path(path).str();
  for (const std::string &path : findFiles(".ll")) {
    if (!folder.empty() && llvm::sys::path::parent_path(path) != folder)
      continue;
    std::string text = textOf(path);
    if (StringRef(text).contains(("@" + name + "(").str()))
      return text;
  }
  return "";
}

/// A module as the emulator runs it. Kept: the same image is often loaded
/// again.
struct Image {
  std::shared_ptr<emulator::Program> program;
  std::map<std::string, std::vector<size_t>> parameterBytes; ///< of kernels
};

/// Sets `problem` if there is no program for the IR.
static const Image &compile(const std::string &ir, std::string &problem) {
  static std::map<std::string, Image> known;
  Image &image = known[ir];
  if (image.program)
    return image;
  auto context = std::make_unique<llvm::LLVMContext>();
  llvm::SMDiagnostic diagnostic;
  auto parsed =
      llvm::parseIR(llvm::MemoryBufferRef(ir, "image"), diagnostic, *context);
  if (!parsed) {
    problem = ir.empty() ? "no LLVM IR for these kernels"
                         : diagnostic.getMessage().str();
    return image;
  }
  for (const llvm::Function &function : *parsed) {
    if (function.getCallingConv() != llvm::CallingConv::PTX_Kernel)
      continue;
    std::vector<size_t> &bytes = image.parameterBytes[function.getName().str()];
    for (const llvm::Argument &argument : function.args())
      bytes.push_back(parsed->getDataLayout().getTypeAllocSize(
          argument.hasByValAttr() ? argument.getParamByValType()
                                  : argument.getType()));
  }
  auto program =
      emulator::Program::create(std::move(parsed), std::move(context));
  if (program)
    image.program = std::move(*program);
  else
    problem = llvm::toString(program.takeError());
  return image;
}

} // namespace attnc::stub

extern "C" {

Result cuModuleLoadDataEx(cuda::ModuleHandle *module, const void *image,
                          unsigned count, int *options, void **values) {
  STUB_FUNCTION(cuModuleLoadDataEx, true);
  std::string problem;
  const Image &compiled =
      compile(findIr(static_cast<const char *>(image)), problem);
  auto made = std::make_unique<ModuleState>();
  made->program = compiled.program;
  for (const auto &[name, bytes] : compiled.parameterBytes) {
    auto kernel = std::make_unique<FunctionState>();
    kernel->module = made.get();
    kernel->name = name;
    kernel->parameterBytes = bytes;
    made->functions[name] = std::move(kernel);
  }
  if (!made->program) {
    for (unsigned i = 0; i + 1 < count; ++i)
      if (options[i] == cuda::kErrorLog)
        snprintf(static_cast<char *>(values[i]),
                 reinterpret_cast<size_t>(values[i + 1]), "%s",
                 problem.c_str());
    return cuda::kInvalidPtx;
  }
  state.modules.insert(made.get());
  *module = reinterpret_cast<cuda::ModuleHandle>(made.release());
  return 0;
}

Result cuModuleUnload(cuda::ModuleHandle handle) {
  STUB_RELEASE(cuModuleUnload, true);
  if (!state.modules.erase(handle)) {
    state.complain("a module is unloaded that is none");
    return cuda::kInvalidValue;
  }
  delete reinterpret_cast<ModuleState *>(handle);
  return error;
}

Result cuModuleGetFunction(cuda::Function *function, cuda::ModuleHandle handle,
                           const char *name) {
  STUB_FUNCTION(cuModuleGetFunction, true);
  auto &functions = reinterpret_cast<ModuleState *>(handle)->functions;
  auto found = functions.find(name);
  if (found == functions.end())
    return 500; // CUDA_ERROR_NOT_FOUND
  *function = reinterpret_cast<cuda::Function>(found->second.get());
  return 0;
}

Result cuFuncSetAttribute(cuda::Function function, int attribute, int value) {
  STUB_FUNCTION(cuFuncSetAttribute, true);
  if (attribute != cuda::kMaxDynamicShared || value > state.sharedLimit())
    return cuda::kInvalidValue;
  reinterpret_cast<FunctionState *>(function)->dynamicLimit = value;
  return 0;
}

Result cuGraphCreate(cuda::Graph *graph, unsigned) {
  STUB_FUNCTION(cuGraphCreate, true);
  auto *made = new GraphState();
  state.graphs.insert(made);
  *graph = reinterpret_cast<cuda::Graph>(made);
  return 0;
}

Result cuGraphDestroy(cuda::Graph graph) {
  STUB_RELEASE(cuGraphDestroy, true);
  if (!state.graphs.erase(graph))
    state.complain("a graph is destroyed that is none");
  else
    delete reinterpret_cast<GraphState *>(graph);
  return error;
}

Result cuGraphAddKernelNode(cuda::GraphNode *node, cuda::Graph handle,
                            const cuda::GraphNode *before, size_t count,
                            const cuda::KernelNode *kernel) {
  STUB_FUNCTION(cuGraphAddKernelNode, true);
  if (!state.graphs.count(handle)) {
    state.complain("a kernel for a graph that does not exist");
    return cuda::kInvalidValue;
  }
  auto &graph = *reinterpret_cast<GraphState *>(handle);
  unsigned grid[] = {kernel->gridX, kernel->gridY, kernel->gridZ};
  LaunchState launch;
  if (Result error = makeLaunch(
          reinterpret_cast<FunctionState *>(kernel->function), grid,
          kernel->blockX, kernel->sharedBytes, kernel->parameters, launch))
    return error;
  std::vector<size_t> waits;
  for (size_t i = 0; i < count; ++i)
    waits.push_back(reinterpret_cast<size_t>(before[i]) - 1);
  graph.launches.push_back(std::move(launch));
  graph.before.push_back(waits);
  *node = reinterpret_cast<cuda::GraphNode>(graph.launches.size());
  return 0;
}

Result cuGraphInstantiateWithFlags(cuda::GraphExec *exec, cuda::Graph graph,
                                   unsigned long long) {
  STUB_FUNCTION(cuGraphInstantiateWithFlags, true);
  auto *made = new GraphState(*reinterpret_cast<GraphState *>(graph));
  state.execs.insert(made);
  *exec = reinterpret_cast<cuda::GraphExec>(made);
  return 0;
}

Result cuGraphExecDestroy(cuda::GraphExec exec) {
  STUB_RELEASE(cuGraphExecDestroy, true);
  if (!state.execs.erase(exec))
    state.complain("an executable graph is destroyed that is none");
  else
    delete reinterpret_cast<GraphState *>(exec);
  return error;
}

Result cuTensorMapEncodeTiled(cuda::TensorMap *result, int type, unsigned rank,
                              void *base, const unsigned long long *extents,
                              const unsigned long long *strides,
                              const unsigned *box, const unsigned *ones,
                              int interleave, int swizzle, int, int fill) {
  STUB_FUNCTION(cuTensorMapEncodeTiled, true);
  static const int bytesOf[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2};
  if (rank < 1 || rank > 5 || type < 0 || type > 9 || swizzle < 0 ||
      swizzle > 3 || interleave || fill ||
      reinterpret_cast<uintptr_t>(base) % 16) {
    state.complain("a tensor map that the driver refuses");
    return cuda::kInvalidValue;
  }
  emulator::TensorMap map;
  map.rank = rank;
  map.elementBytes = bytesOf[type];
  map.swizzle = swizzle ? 16 << swizzle : 0;
  map.base = static_cast<unsigned char *>(base);
  bool isRight =
      State::find(state.device, reinterpret_cast<uintptr_t>(base), 1);
  for (unsigned axis = 0; axis < rank; ++axis) {
    map.extents[axis] = extents[axis];
    map.box[axis] = box[axis];
    isRight &= extents[axis] > 0 && extents[axis] <= 1ull << 32 &&
               box[axis] > 0 && box[axis] <= 256 && ones[axis] == 1;
    if (axis == 0)
      continue;
    map.strides[axis - 1] = strides[axis - 1];
    isRight &= strides[axis - 1] % 16 == 0;
  }
  size_t inner = size_t(box[0]) * map.elementBytes;
  isRight &= inner % 16 == 0 && (!map.swizzle || inner <= map.swizzle);
  if (!isRight) {
    state.complain("a tensor map that the driver refuses");
    return cuda::kInvalidValue;
  }
  memcpy(result, &map, sizeof(map));
  return 0;
}
}
