//===- ProgramRunner.cpp - compiles attn text and runs it -----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes of schedule and cpu, LLVM's optimizer, ORC's LLJIT.
//
//===----------------------------------------------------------------------===//
#include "ProgramRunner.h"
#include "attn/abi.h"
#include "compiler/Passes.h"
#include "compiler/cpu/Codegen.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/TargetSelect.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;

namespace attnc::test {

struct ProgramRunner::Jit {
  std::unique_ptr<llvm::orc::LLJIT> lljit;

  template <typename Function> Function find(const std::string &symbol) {
    return llvm::cantFail(lljit->lookup(symbol)).toPtr<Function>();
  }
};

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registry
      .insert<attn::AttnDialect, kernel::KernelDialect, func::FuncDialect>();
  registerAllExtensions(registry);
  registerCodegenInterfaces(registry);
  return registry;
}

ProgramRunner::ProgramRunner(const std::string &text)
    : context(makeRegistry()), jit(std::make_unique<Jit>()) {
  context.loadAllAvailableDialects();
  source = parseSourceString<ModuleOp>(text, &context);
}

ProgramRunner::~ProgramRunner() {
  if (!directory.empty())
    llvm::sys::fs::remove_directories(directory);
}

void *ProgramRunner::allocate(size_t bytes) {
  void *block =
      aligned_alloc(64, llvm::alignTo(std::max<size_t>(bytes, 1), 64));
  memory.emplace_back(block, free);
  return block;
}

/// A safetensors file with random elements for every source of every weight.
bool ProgramRunner::addWeights() {
  std::string header, bytes;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> distribution(-0.5f, 0.5f);
  for (auto weight : source->getOps<attn::WeightOp>()) {
    auto type = cast<RankedTensorType>(weight.getType());
    int64_t count = weight.getSources().size();
    for (auto name : weight.getSources().getAsValueRange<StringAttr>()) {
      std::string shape;
      int64_t elements = 1;
      for (auto [index, dim] : llvm::enumerate(type.getShape())) {
        bool isCut = weight.getConcat() && *weight.getConcat() == index;
        int64_t length = isCut ? dim / count : dim;
        shape += (shape.empty() ? "" : ",") + std::to_string(length);
        elements *= length;
      }
      size_t begin = bytes.size();
      for (int64_t i = 0; i < elements; ++i) {
        float value = distribution(random);
        bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
      }
      header += (header.empty() ? "" : ",") + ("\"" + name.str() + "\"") +
                ":{\"dtype\":\"F32\",\"shape\":[" + shape +
                "],\"data_offsets\":[" + std::to_string(begin) + "," +
                std::to_string(bytes.size()) + "]}";
    }
  }
  llvm::SmallString<128> path;
  if (llvm::sys::fs::createUniqueDirectory("attnc-schedule", path))
    return false;
  directory = std::string(path);
  header = "{" + header + "}";
  header.resize(llvm::alignTo(header.size(), 8), ' ');
  uint64_t length = header.size();
  std::ofstream file(directory + "/weights.safetensors", std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), sizeof(length));
  file << header << bytes;
  file.close();
  if (llvm::Error error = table.addFile(directory + "/weights.safetensors")) {
    llvm::errs() << llvm::toString(std::move(error)) << "\n";
    return false;
  }
  return true;
}

/// Lays every weight out as its kernels read it.
void ProgramRunner::packWeights(ModuleOp scheduled) {
  for (WeightUse &use : getWeightUses(scheduled)) {
    std::vector<float> plain = llvm::cantFail(table.materialize(use.weight));
    auto *laid = static_cast<float *>(allocate(use.bytes));
    std::memset(laid, 0, use.bytes);
    if (use.layout) {
      int64_t width = use.layout.getWidth();
      int64_t depth = use.getTensorType().getDimSize(1);
      for (size_t i = 0; i < plain.size(); ++i) {
        int64_t n = i / depth, k = i % depth;
        laid[((n / width) * depth + k) * width + n % width] = plain[i];
      }
    } else {
      std::copy(plain.begin(), plain.end(), laid);
    }
    weights.push_back(reinterpret_cast<const unsigned char *>(laid));
  }
}

bool ProgramRunner::lower(const Target &target, llvm::StringRef gemm) {
  OwningOpRef<ModuleOp> module(cast<ModuleOp>((*source)->clone()));
  PassManager scheduling(&context);
  SelectKernelsOptions options;
  options.target = target.name.str();
  options.gemm = gemm.str();
  scheduling.addPass(createSelectKernels(options));
  scheduling.addPass(createChooseTiles());
  scheduling.addPass(createCutPhases());
  scheduling.addPass(createPlanArena());
  if (failed(scheduling.run(*module)))
    return false;
  auto variant = *module->getOps<kernel::VariantOp>().begin();
  schedule =
      getSchedule(*variant.getBody().getOps<kernel::ProgramOp>().begin());
  packWeights(*module);

  PassManager lowering(&context);
  lowering.addPass(createLowerKernels());
  lowering.addPass(createLowerPrograms());
  lowering.addPass(createExpandMath());
  populateLowerToLLVM(lowering);
  return succeeded(lowering.run(*module)) && link(*module, target);
}

bool ProgramRunner::link(ModuleOp lowered, const Target &target) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto llvmContext = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> code = translateToLLVM(lowered, *llvmContext);
  if (!code)
    return false;
  // Hidden symbols are not found by name.
  llvm::cantFail(optimizeLLVM(*code, target));
  for (llvm::Function &function : *code)
    if (!function.hasLocalLinkage())
      function.setVisibility(llvm::GlobalValue::DefaultVisibility);
  auto machine =
      llvm::cantFail(llvm::orc::JITTargetMachineBuilder::detectHost());
  jit->lljit = llvm::cantFail(
      llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(machine).create());
  llvm::cantFail(
      jit->lljit->addIRModule({std::move(code), std::move(llvmContext)}));
  return true;
}

std::unique_ptr<ProgramRunner> ProgramRunner::compile(const std::string &text,
                                                      const Target &target,
                                                      llvm::StringRef gemm) {
  std::unique_ptr<ProgramRunner> runner(new ProgramRunner(text));
  if (!runner->source || !runner->addWeights() || !runner->lower(target, gemm))
    return nullptr;
  runner->entry = *runner->source->getOps<attn::EntryOp>().begin();
  runner->interpreter =
      std::make_unique<Interpreter>(*runner->source, &runner->table, 2);
  return runner;
}

std::vector<TensorValue>
ProgramRunner::expect(const Sizes &sizes,
                      const std::vector<TensorValue> &inputs) {
  return llvm::cantFail(interpreter->run(schedule.entry, sizes, inputs));
}

/// Elements as generated code reads them.
static void write(const TensorValue &value, void *place) {
  for (int64_t i = 0; i < value.numElements(); ++i)
    if (value.isInteger)
      static_cast<int32_t *>(place)[i] = value.integers[i];
    else
      static_cast<float *>(place)[i] = value.numbers[i];
}

static TensorValue read(const void *place, llvm::ArrayRef<int64_t> shape,
                        bool isInteger) {
  TensorValue value;
  value.shape.assign(shape.begin(), shape.end());
  value.isInteger = isInteger;
  for (int64_t i = 0; i < value.numElements(); ++i)
    if (isInteger)
      value.integers.push_back(static_cast<const int32_t *>(place)[i]);
    else
      value.numbers.push_back(static_cast<const float *>(place)[i]);
  return value;
}

// Written by nobody, behind the arena and the outputs.
static constexpr size_t kGuard = 4096;
static constexpr unsigned char kGuardByte = 0xa5;

/// One call of the program.
struct ProgramRunner::Call {
  int workers;
  std::map<std::string, int64_t> sizes; ///< the caller's
  std::vector<int64_t> values;          ///< all, by index
  std::vector<int64_t> offsets;         ///< of slots
  int64_t scratchOffset = -1, scratchStride = -1;
  unsigned char *arena = nullptr;
  std::vector<unsigned char *> guards;

  SmallVector<int64_t> shapeOf(Type type) const {
    SmallVector<int64_t> shape;
    for (const SizeExpr &dim : attn::getNamedShape(type))
      shape.push_back(
          dim.evaluate([&](StringRef name) { return sizes.at(name.str()); }));
    return shape;
  }
};

/// Memory full of NaNs (indices far out of range), with a guard behind it.
unsigned char *ProgramRunner::allocateGuarded(Call &call, size_t bytes) {
  auto *place = static_cast<unsigned char *>(allocate(bytes + kGuard));
  std::memset(place, 0xff, bytes);
  std::memset(place + bytes, kGuardByte, kGuard);
  call.guards.push_back(place + bytes);
  return place;
}

void ProgramRunner::plan(Call &call, const Sizes &sizes) {
  call.sizes = sizes;
  for (attn::SizeOp size : getSizes(*source)) {
    auto given = sizes.find(size.getSymName().str());
    call.values.push_back(given == sizes.end() ? -1 : given->second);
  }
  call.offsets.assign(schedule.slotCount, -1);
  arenaBytes = jit->find<attn_plan_function>(schedule.planSymbol)(
      call.values.data(), call.workers, call.offsets.data(),
      &call.scratchOffset, &call.scratchStride);
  EXPECT_EQ(arenaBytes, call.scratchOffset + call.workers * call.scratchStride);
  EXPECT_EQ(arenaBytes % 64, 0);
  call.arena = allocateGuarded(call, arenaBytes);
}

void *ProgramRunner::makeInput(Call &call, unsigned index,
                               const std::optional<TensorValue> &given) {
  if (given) {
    void *place = allocate(given->numElements() * 4);
    write(*given, place);
    return place;
  }
  int64_t slot = schedule.argumentSlots[index];
  EXPECT_GE(slot, 0) << "input " << index << " is not optional";
  auto value = entry.getArgAttrOfType<IntegerAttr>(
      index, attn::AttnDialect::kDefaultAttr);
  TensorValue stand;
  stand.shape = call.shapeOf(entry.getArgumentTypes()[index]);
  stand.isInteger = true;
  stand.integers.assign(stand.numElements(), value.getInt());
  void *place = call.arena + call.offsets[slot];
  write(stand, place);
  return place;
}

void *ProgramRunner::makeOutput(Call &call, unsigned index) {
  size_t bytes = 4;
  for (int64_t dim : call.shapeOf(entry.getResultTypes()[index]))
    bytes *= dim;
  return allocateGuarded(call, bytes);
}

std::vector<TensorValue>
ProgramRunner::run(const Sizes &sizes,
                   const std::vector<std::optional<TensorValue>> &inputs,
                   int workers) {
  Call call{workers};
  plan(call, sizes);
  std::vector<void *> arguments;
  for (auto [index, input] : llvm::enumerate(inputs))
    arguments.push_back(makeInput(call, index, input));
  for (unsigned index : llvm::seq(entry.getNumResults()))
    arguments.push_back(makeOutput(call, index));

  attn_frame frame{call.values.data(),  call.arena,
                   call.offsets.data(), arguments.data(),
                   weights.data(),      call.arena + call.scratchOffset,
                   call.scratchStride};
  uint32_t arrived = 0;
  frame.arrived = &arrived;
  for (size_t first = 0, length; first < schedule.phases.size();
       first += length) {
    length = 1;
    int count = schedule.phases[first].serial ? 1 : workers, blocks = 1;
    const RowChain &chain = schedule.phases[first].chain;
    int64_t rows = 1;
    for (const std::string &size : chain.rows)
      rows *= call.values[getSizeIndex(*source, size)];
    const int64_t each = rows / workers;
    if (chain.phases && (workers == 1 || each >= chain.fewestRows)) {
      length = chain.phases;
      // As runtime/Run.cpp.
      const int64_t wanted = (each + chain.blockRows / 2) / chain.blockRows;
      blocks = std::clamp<int64_t>(
          wanted, 1, std::max<int64_t>(each / chain.fewestRows, 1));
    }
    // Backwards: workers of one phase do not depend on each other.
    for (int worker = count * blocks; worker-- > 0;) {
      attn_frame own = frame;
      own.scratch += call.scratchStride * (worker / blocks - worker);
      for (size_t phase = first; phase < first + length; ++phase)
        jit->find<attn_phase_function>(schedule.phases[phase].symbol)(
            &own, worker, count * blocks);
    }
  }

  for (const unsigned char *guard : call.guards)
    EXPECT_EQ(std::count(guard, guard + kGuard, kGuardByte),
              static_cast<std::ptrdiff_t>(kGuard))
        << "something was written behind a buffer";
  std::vector<TensorValue> results;
  for (auto [index, type] : llvm::enumerate(entry.getResultTypes()))
    results.push_back(
        read(arguments[inputs.size() + index], call.shapeOf(type),
             cast<RankedTensorType>(type).getElementType().isInteger(32)));
  return results;
}

TensorValue randomNumbers(llvm::ArrayRef<int64_t> shape, unsigned seed) {
  TensorValue value;
  value.shape.assign(shape.begin(), shape.end());
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> distribution(-1.0f, 1.0f);
  for (int64_t i = 0, end = value.numElements(); i < end; ++i)
    value.numbers.push_back(distribution(random));
  return value;
}

TensorValue randomIntegers(llvm::ArrayRef<int64_t> shape, int64_t most,
                           unsigned seed) {
  TensorValue value;
  value.shape.assign(shape.begin(), shape.end());
  value.isInteger = true;
  std::mt19937 random(seed);
  std::uniform_int_distribution<int64_t> distribution(0, most);
  for (int64_t i = 0, end = value.numElements(); i < end; ++i)
    value.integers.push_back(distribution(random));
  return value;
}

void expectNear(const std::vector<TensorValue> &results,
                const std::vector<TensorValue> &expected) {
  ASSERT_EQ(results.size(), expected.size());
  for (auto [index, pair] : llvm::enumerate(llvm::zip(results, expected))) {
    const auto &[result, right] = pair;
    ASSERT_EQ(result.shape, right.shape);
    ASSERT_EQ(result.isInteger, right.isInteger);
    EXPECT_EQ(result.integers, right.integers) << "result " << index;
    for (size_t i = 0; i < right.numbers.size(); ++i)
      // A few hundred f32 roundings (2^-24 each) of numbers of this size.
      ASSERT_NEAR(result.numbers[i], right.numbers[i],
                  2e-5 * (1 + std::abs(right.numbers[i])))
          << "result " << index << ", element " << i;
  }
}

} // namespace attnc::test
