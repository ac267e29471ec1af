//===- EmitDevice.cpp - tables of variants that run on a GPU --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// include/attn/abi_device.h in constants, and the plan function, which runs on
// the processor:
//
//   int64_t VARIANT_ENTRY_plan(sizes, workers, slot_offsets, ...) {
//     sizes[i] = upper bound of every derived size
//     slot_offsets[0] = 0, slot_offsets[1] = round_up(max(...), 64), ...
//   }
//
//===----------------------------------------------------------------------===//
#include "compiler/package/TableConstants.h"

using namespace llvm;

namespace attnc {
namespace {

attn_dtype dtypeOf(gpu::DeviceType type) {
  switch (type) {
  case gpu::DeviceType::F32:
    return ATTN_F32;
  case gpu::DeviceType::F16:
    return ATTN_F16;
  case gpu::DeviceType::BF16:
    return ATTN_BF16;
  case gpu::DeviceType::I32:
    return ATTN_I32;
  case gpu::DeviceType::I8:
  case gpu::DeviceType::I4:
    return ATTN_I8; // of as many bits as the panels say
  }
  llvm_unreachable("every type is listed");
}

class DeviceTable {
public:
  DeviceTable(TableConstants &tables, const DeviceDescription &device)
      : t(tables), device(device) {}

  Constant *build() {
    const gpu::GpuProgram &program = device.program;
    SmallVector<Constant *> images, kernels, weights, schedules;
    for (const DeviceDescription::Image &each : device.images)
      images.push_back(image(each));
    for (const gpu::Kernel &kernel : program.kernels)
      kernels.push_back(
          t.record({t.text(kernel.name), t.number(kernel.threads, t.i32),
                    t.number(kernel.sharedBytes, t.i32)},
                   sizeof(attn_abi_kernel)));
    for (const gpu::DeviceWeight &weight : program.weights)
      weights.push_back(t.record(
          {t.number(weight.weight, t.i32),
           t.number(dtypeOf(weight.type), t.i32), t.number(weight.rows, t.i64),
           t.number(weight.columns, t.i64), panels(weight)},
          sizeof(attn_abi_device_weight)));
    for (const gpu::Schedule &each : program.schedules)
      schedules.push_back(schedule(each));
    // The runtime's; named here so that only libraries for GPUs hold it.
    auto *driver = new GlobalVariable(
        t.module, Type::getInt8Ty(t.module.getContext()), /*isConstant=*/true,
        GlobalValue::ExternalLinkage, nullptr, "attnrt_cuda");
    if (GlobalVariable *known = t.module.getGlobalVariable("attnrt_cuda");
        known != driver) {
      driver->eraseFromParent();
      driver = known;
    }
    driver->setVisibility(GlobalValue::HiddenVisibility);
    return t.place(t.record(
        {driver, t.number(device.chip, t.i32),
         t.number(device.isExact ? ATTN_DEVICE_EXACT : 0, t.i32),
         t.array(images), t.number(images.size(), t.i32), t.array(kernels),
         t.number(kernels.size(), t.i32), t.array(weights),
         t.number(weights.size(), t.i32), t.array(schedules)},
        sizeof(attn_abi_device)));
  }

private:
  Constant *image(const DeviceDescription::Image &image) {
    // PTX is text: its NUL counts.
    Constant *bytes = ConstantDataArray::getString(
        t.module.getContext(), image.bytes, /*AddNull=*/image.isPtx);
    return t.record({t.place(bytes, Align(64)),
                     t.number(image.bytes.size() + image.isPtx, t.i64),
                     t.number(device.chip, t.i32),
                     t.number(image.isPtx ? ATTN_IMAGE_PTX : 0, t.i32)},
                    sizeof(attn_abi_image));
  }

  Constant *panels(const gpu::DeviceWeight &weight) {
    kernel::PanelsAttr layout = weight.panels;
    if (!layout)
      return t.null();
    constexpr int64_t kWordBits = 32;
    return t.place(
        t.record({t.number(layout.getWidth(), t.i32),
                  t.number(kWordBits / layout.getPack(), t.i32),
                  t.number(layout.getGroup(), t.i64),
                  t.number(layout.getPanelBytes(weight.columns), t.i64),
                  t.number(layout.getScaleOffset(weight.columns), t.i64)},
                 sizeof(attn_abi_panels)));
  }

  //===-- expressions
  //------------------------------------------------------===//
  /// The words of a sum of products, in postfix form.
  void addWords(const SizeExpr &expr, std::vector<int64_t> &words) {
    bool isFirst = true;
    for (const auto &[product, coefficient] : expr.getTerms()) {
      words.insert(words.end(), {ATTN_OPERATION_NUMBER, coefficient});
      for (const std::string &name : product)
        words.insert(words.end(), {ATTN_OPERATION_SIZE, t.sizeIndex(name),
                                   ATTN_OPERATION_MULTIPLY});
      if (!isFirst)
        words.push_back(ATTN_OPERATION_ADD);
      isFirst = false;
    }
    if (isFirst)
      words.insert(words.end(), {ATTN_OPERATION_NUMBER, 0});
  }
  Constant *wordsOf(const std::vector<int64_t> &words) {
    return t.record({t.numbers(words), t.number(words.size(), t.i32)},
                    sizeof(attn_abi_expression));
  }
  Constant *expression(const SizeExpr &expr) {
    std::vector<int64_t> words;
    addWords(expr, words);
    return wordsOf(words);
  }
  Constant *none() { return wordsOf({}); }

  /// ceil(count / unit); 0 where the condition does not hold.
  Constant *grid(const gpu::GridDim &dim,
                 const std::optional<gpu::LaunchCondition> &where) {
    std::vector<int64_t> words;
    addWords(dim.count, words);
    if (dim.unit != 1)
      words.insert(words.end(), {ATTN_OPERATION_NUMBER, dim.unit,
                                 ATTN_OPERATION_CEIL_DIVIDE});
    if (!where)
      return wordsOf(words);
    // Differences are at least 0, and the lesser of them and 1 is what counts.
    if (where->atMost)
      words.insert(words.end(), {ATTN_OPERATION_NUMBER, where->limit + 1});
    addWords(where->count, words);
    if (!where->atMost)
      words.insert(words.end(), {ATTN_OPERATION_NUMBER, where->limit});
    words.insert(words.end(),
                 {ATTN_OPERATION_SUBTRACT, ATTN_OPERATION_NUMBER, 1,
                  ATTN_OPERATION_MINIMUM, ATTN_OPERATION_MULTIPLY});
    return wordsOf(words);
  }

  //===-- launches
  //---------------------------------------------------------===//
  Constant *parameter(int32_t kind, int64_t index, Constant *value,
                      Constant *map) {
    return t.record({t.number(kind, t.i32), t.number(index, t.i32), value, map},
                    sizeof(attn_abi_parameter));
  }
  Constant *parameter(const gpu::Address &address) {
    int32_t kind = ATTN_PARAMETER_SLOT;
    if (address.kind == gpu::Address::Argument)
      kind = ATTN_PARAMETER_ARGUMENT;
    else if (address.kind == gpu::Address::Weight)
      kind = ATTN_PARAMETER_WEIGHT;
    else if (address.kind == gpu::Address::State)
      kind = ATTN_PARAMETER_STATE;
    return parameter(
        kind, address.index,
        address.bytes ? expression(SizeExpr(address.bytes)) : none(), t.null());
  }
  Constant *expressions(ArrayRef<SizeExpr> exprs) {
    SmallVector<Constant *> elements;
    for (const SizeExpr &expr : exprs)
      elements.push_back(expression(expr));
    return t.array(elements);
  }
  Constant *parameter(const gpu::TensorMap &map) {
    std::vector<int32_t> box(map.box.begin(), map.box.end());
    Constant *table = t.place(
        t.record({parameter(map.base), t.number(dtypeOf(map.type), t.i32),
                  t.number(map.extents.size(), t.i32), expressions(map.extents),
                  expressions(map.strides), t.numbers(box),
                  t.number(map.swizzle, t.i32)},
                 sizeof(attn_abi_tensor_map)));
    return parameter(ATTN_PARAMETER_MAP, 0, none(), table);
  }

  Constant *launch(const gpu::Launch &launch) {
    SmallVector<Constant *> parameters, axes;
    parameters.push_back(parameter(ATTN_PARAMETER_SIZES, 0, none(), t.null()));
    for (const gpu::Address &operand : launch.operands)
      parameters.push_back(parameter(operand));
    for (const gpu::TensorMap &map : launch.maps)
      parameters.push_back(parameter(map));
    for (auto [axis, dim] : enumerate(launch.grid))
      axes.push_back(grid(dim, axis == 0 ? launch.where : std::nullopt));
    Constant *grids = ConstantArray::get(
        ArrayType::get(axes.front()->getType(), axes.size()), axes);
    return t.record({t.number(launch.kernel, t.i32), grids, t.array(parameters),
                     t.number(parameters.size(), t.i32)},
                    sizeof(attn_abi_launch));
  }

  Constant *schedule(const gpu::Schedule &schedule) {
    SmallVector<Constant *> phases;
    for (const gpu::Phase &phase : schedule.phases) {
      SmallVector<Constant *> launches;
      for (const gpu::Launch &each : phase.launches)
        launches.push_back(launch(each));
      phases.push_back(t.record({t.text(phase.name), t.array(launches),
                                 t.number(launches.size(), t.i32)},
                                sizeof(attn_abi_device_phase)));
    }
    return t.record({t.array(phases), t.number(phases.size(), t.i32)},
                    sizeof(attn_abi_device_schedule));
  }

  TableConstants &t;
  const DeviceDescription &device;
};

/// The plan function, one value after the other.
class PlanFunction {
public:
  PlanFunction(TableConstants &tables, const EntryDescription &entry)
      : t(tables), entry(entry), builder(tables.module.getContext()) {}

  Constant *build(const ScheduleDescription &schedule) {
    function = Function::Create(
        FunctionType::get(t.i64, {t.ptr, t.i32, t.ptr, t.ptr, t.ptr}, false),
        GlobalValue::InternalLinkage, schedule.planSymbol, &t.module);
    builder.SetInsertPoint(
        BasicBlock::Create(t.module.getContext(), "", function));
    storeBounds();
    Value *end = builder.getInt64(0);
    for (auto [index, slot] : enumerate(schedule.slotBytes)) {
      store(end, function->getArg(2), index);
      end = builder.CreateAdd(end, reserved(slot));
    }
    // Scratch is a slot: launches have no workers.
    store(end, function->getArg(3), 0);
    store(builder.getInt64(0), function->getArg(4), 0);
    builder.CreateRet(end);
    return function;
  }

private:
  void store(Value *value, Value *array, int64_t index) {
    builder.CreateStore(
        value, builder.CreateConstInBoundsGEP1_64(t.i64, array, index));
  }

  Value *evaluate(const SizeExpr &expr) {
    Value *sum = builder.getInt64(0);
    for (const auto &[product, coefficient] : expr.getTerms()) {
      Value *term = builder.getInt64(coefficient);
      for (const std::string &name : product) {
        int32_t index = t.sizeIndex(name);
        term = builder.CreateMul(
            term,
            builder.CreateLoad(t.i64, builder.CreateConstInBoundsGEP1_64(
                                          t.i64, function->getArg(0), index)));
      }
      sum = builder.CreateAdd(sum, term);
    }
    return sum;
  }

  /// Upper bounds of derived sizes, of those that follow from this entry's.
  void storeBounds() {
    for (auto [index, size] : enumerate(t.library.sizes)) {
      if (!size.derived)
        continue;
      SizeExpr bound = *SizeExpr::parse(size.bound);
      if (all_of(bound.names(), [&](const std::string &name) {
            return is_contained(entry.sizes, name);
          }))
        store(evaluate(bound), function->getArg(0), index);
    }
  }

  /// The largest of several sizes, rounded up to 64.
  Value *reserved(ArrayRef<std::string> sizes) {
    Value *most = builder.getInt64(0);
    for (const std::string &size : sizes)
      most = builder.CreateBinaryIntrinsic(Intrinsic::smax, most,
                                           evaluate(*SizeExpr::parse(size)));
    return builder.CreateAnd(builder.CreateAdd(most, builder.getInt64(63)),
                             builder.getInt64(-64));
  }

  TableConstants &t;
  const EntryDescription &entry;
  IRBuilder<> builder;
  Function *function = nullptr;
};

} // namespace

Constant *emitDevice(TableConstants &tables,
                     const VariantDescription &variant) {
  return DeviceTable(tables, *variant.device).build();
}

Constant *emitDevicePlan(TableConstants &tables, const EntryDescription &entry,
                         const ScheduleDescription &schedule) {
  return PlanFunction(tables, entry).build(schedule);
}

} // namespace attnc
