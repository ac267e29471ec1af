//===- Describe.cpp - what packaging gets of a GPU variant ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels and launches from functions' attributes and from dispatches. A kernel
// of several programs is launched in as many phases: each needs the whole
// device to be done with the one before.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/GpuProgram.h"
#include "compiler/gpu/ProgramBuilder.h"
#include "compiler/schedule/ProgramInfo.h"
#include "compiler/schedule/StateLayout.h"

using namespace mlir;

namespace attnc::gpu {

namespace {

class Describer {
public:
  Describer(ModuleOp module, kernel::VariantOp variant)
      : module(module), variant(variant), uses(getWeightUses(module)),
        states(getStateLayout(module)) {}

  GpuProgram run();

private:
  /// A kernel's functions, first to last.
  struct Entry {
    int64_t index;
    LLVM::LLVMFuncOp function;
  };
  void addKernels();
  Schedule describeProgram(kernel::ProgramOp program);
  std::vector<Launch> describeDispatch(kernel::DispatchOp dispatch);
  Address addressOf(Value value, Type storage);
  int64_t addWeight(kernel::WeightOp op, Type storage);

  ModuleOp module;
  kernel::VariantOp variant;
  std::vector<WeightUse> uses;
  StateLayout states;
  GpuProgram result;
  llvm::StringMap<std::vector<Entry>> entries; ///< by kernel.func
};

void Describer::addKernels() {
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    auto kernel = function->getAttrOfType<StringAttr>(kKernelAttr);
    auto target =
        function->getAttrOfType<StringAttr>(kernel::KernelDialect::kTargetAttr);
    if (!kernel || !target || target.getValue() != variant.getTarget())
      continue;
    entries[kernel.getValue()].push_back(
        {int64_t(result.kernels.size()), function});
    result.kernels.push_back(
        {function.getSymName().str(),
         function->getAttrOfType<IntegerAttr>("warp.threads").getInt(),
         function->getAttrOfType<IntegerAttr>("warp.shared").getInt()});
  }
}

static DeviceType getDeviceType(Type type) {
  if (type.isBF16())
    return DeviceType::BF16;
  if (type.isF16())
    return DeviceType::F16;
  if (type.isInteger(8))
    return DeviceType::I8;
  if (type.isInteger(4))
    return DeviceType::I4;
  return type.isF32() ? DeviceType::F32 : DeviceType::I32;
}

int64_t Describer::addWeight(kernel::WeightOp op, Type storage) {
  RankedTensorType type = op.getTensorType();
  const int64_t index =
      getWeightIndex(uses, op.getWeight(), op.getLayoutAttr());
  const DeviceType deviceType = getDeviceType(storage);
  for (auto [position, weight] : llvm::enumerate(result.weights))
    if (weight.weight == index && weight.type == deviceType)
      return position;
  const int64_t columns = type.getRank() ? type.getShape().back() : 1;
  result.weights.push_back({index, deviceType, type.getNumElements() / columns,
                            columns, op.getLayoutAttr()});
  return result.weights.size() - 1;
}

Address Describer::addressOf(Value value, Type storage) {
  Operation *op = value.getDefiningOp();
  if (auto slot = dyn_cast<kernel::SlotOp>(op))
    return {Address::Slot, int64_t(slot.getIndex())};
  if (auto argument = dyn_cast<kernel::ArgumentOp>(op))
    return {Address::Argument, int64_t(argument.getIndex())};
  if (auto weight = dyn_cast<kernel::WeightOp>(op))
    return {Address::Weight, addWeight(weight, storage)};
  if (auto state = dyn_cast<kernel::StateOp>(op))
    return {Address::State, int64_t(states.indexOf(state.getState()))};
  auto view = cast<kernel::ViewOp>(op);
  Address address = addressOf(view.getBase(), storage);
  address.bytes += view.getOffset() * storage.getIntOrFloatBitWidth() / 8;
  return address;
}

static TensorMap describeMap(DictionaryAttr map, ArrayRef<Address> operands) {
  Type element = map.getAs<TypeAttr>("type").getValue();
  auto number = [&](StringRef name) {
    return map.getAs<IntegerAttr>(name).getInt();
  };
  TensorMap result{operands[number("operand")],
                   getDeviceType(element),
                   {},
                   {},
                   {},
                   number("swizzle")};
  for (auto text : map.getAs<ArrayAttr>("extents").getAsRange<StringAttr>())
    result.extents.push_back(*SizeExpr::parse(text.getValue()));
  const int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  for (auto text : map.getAs<ArrayAttr>("strides").getAsRange<StringAttr>())
    result.strides.push_back(*SizeExpr::parse(text.getValue()) *
                             SizeExpr(bytes));
  for (auto size : map.getAs<ArrayAttr>("box").getAsRange<IntegerAttr>())
    result.box.push_back(size.getInt());
  return result;
}

std::vector<Launch> Describer::describeDispatch(kernel::DispatchOp dispatch) {
  kernel::FuncOp kernel = getKernel(dispatch);
  std::vector<Address> operands;
  auto add = [&](Value value, TypeAttr storage) {
    Type element = storage ? storage.getValue() : Type();
    if (!element && !isa<attn::StateType>(value.getType()))
      element = kernel::getTensorType(value.getType()).getElementType();
    operands.push_back(addressOf(value, element));
  };
  for (auto [index, value] : llvm::enumerate(dispatch.getIns()))
    add(value, kernel.getArgAttrOfType<TypeAttr>(index, kStorageAttr));
  for (auto [index, value] : llvm::enumerate(dispatch.getOuts()))
    add(value, kernel.getResultAttrOfType<TypeAttr>(index, kStorageAttr));
  auto program = dispatch->getParentOfType<kernel::ProgramOp>();
  if (auto slot = program->getAttrOfType<IntegerAttr>(kScratchAttr);
      slot && kernel.getScratch())
    operands.push_back({Address::Slot, slot.getInt()});

  std::vector<Launch> launches;
  for (auto [index, function] : entries.lookup(dispatch.getKernel())) {
    Launch launch{index, {}, {}, operands, {}};
    auto grid = function->getAttrOfType<ArrayAttr>(kGridAttr);
    for (auto [dim, attr] : llvm::enumerate(grid.getAsRange<ArrayAttr>()))
      launch.grid[dim] = {
          *SizeExpr::parse(cast<StringAttr>(attr[0]).getValue()),
          cast<IntegerAttr>(attr[1]).getInt()};
    if (auto where = function->getAttrOfType<ArrayAttr>(kWhereAttr))
      launch.where = {*SizeExpr::parse(cast<StringAttr>(where[0]).getValue()),
                      cast<IntegerAttr>(where[1]).getInt(),
                      cast<BoolAttr>(where[2]).getValue()};
    if (auto maps = function->getAttrOfType<ArrayAttr>(kMapsAttr))
      for (auto map : maps.getAsRange<DictionaryAttr>())
        launch.maps.push_back(describeMap(map, operands));
    launches.push_back(std::move(launch));
  }
  return launches;
}

Schedule Describer::describeProgram(kernel::ProgramOp program) {
  Schedule schedule{program.getSymName().str(), {}};
  int64_t phase = -1;
  for (kernel::DispatchOp dispatch : getDispatches(program)) {
    std::vector<Launch> launches = describeDispatch(dispatch);
    const bool isNew = int64_t(dispatch.getPhase()) != phase;
    phase = dispatch.getPhase();
    std::string label = dispatch.getLabel().str();
    if (isNew || launches.size() > 1)
      schedule.phases.push_back({label, {}});
    else
      schedule.phases.back().name += ", " + label;
    for (auto [index, launch] : llvm::enumerate(launches)) {
      // Of launches with conditions one takes place.
      if (index > 0 && !launch.where)
        schedule.phases.push_back({label, {}});
      schedule.phases.back().launches.push_back(std::move(launch));
    }
    // What follows in this phase may run beside the last part: it is
    // independent of the whole dispatch.
  }
  return schedule;
}

GpuProgram Describer::run() {
  result.target = variant.getTarget().str();
  addKernels();
  for (auto program : variant.getBody().getOps<kernel::ProgramOp>())
    result.schedules.push_back(describeProgram(program));
  return std::move(result);
}

} // namespace

GpuProgram describe(ModuleOp module) {
  for (auto variant : module.getOps<kernel::VariantOp>())
    if (const Target *target = Target::find(variant.getTarget());
        target && target->isGpu())
      return Describer(module, variant).run();
  return {};
}

} // namespace attnc::gpu
