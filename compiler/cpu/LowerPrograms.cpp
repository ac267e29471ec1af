//===- LowerPrograms.cpp - phase functions and the plan of the arena ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before: programs in the slot form, beside the functions that LowerKernels
// made. After: for each program
//
//   func.func @VARIANT_ENTRY_phase_N(%frame: !llvm.ptr, %worker: i32,
//                                    %workers: i32)
//   func.func @VARIANT_ENTRY_plan(...) -> i64
//
// with the signatures of attn_phase_function and attn_plan_function
// (include/attn/abi.h), and a constant global per kernel.constant. With
// `redzones`, for code under AddressSanitizer, memory that may not be touched
// follows every slot and every worker's scratch: @VARIANT_ENTRY_poison, which
// the tables run before the first phase, and @VARIANT_ENTRY_unpoison, after the
// last, mark and clear it. Variants,
// sizes and weights leave the module. Declined with an error: a program without
// slots, a constant that is not dense, a kernel that LowerKernels did not
// lower.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/cpu/Emitter.h"
#include "compiler/schedule/ProgramInfo.h"
#include "compiler/schedule/StateLayout.h"
#include "dialects/attn/EntryStorage.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_LOWERPROGRAMS
#include "compiler/Passes.h.inc"

namespace {

// The arena, its slots and each worker's scratch are aligned to this.
constexpr int64_t kAlignment = 64;

// Slots are often whole pages long. Tensors that begin at the same place of a
// page get in each other's way: loads wait for stores whose last twelve bits of
// address are theirs, 2% of an encoder. So many bytes between slots prevent it.
constexpr int64_t kStagger = 5 * kAlignment;

// What follows a slot, and a worker's scratch, under AddressSanitizer: the
// widest vector.
constexpr int64_t kRedzone = 64;

/// What both kinds of functions are made of.
class FunctionBuilder {
public:
  FunctionBuilder(ModuleOp module, Location loc)
      : b(OpBuilder::atBlockEnd(module.getBody())), loc(loc),
        pointer(LLVM::LLVMPointerType::get(module.getContext())),
        module(module) {}

protected:
  void begin(StringRef symbol, TypeRange arguments, TypeRange results) {
    auto function = func::FuncOp::create(b, loc, symbol,
                                         b.getFunctionType(arguments, results));
    function->setAttr("passthrough",
                      b.getArrayAttr({b.getStringAttr("nounwind")}));
    Block *block = function.addEntryBlock();
    parameters = block->getArguments();
    b.setInsertionPointToStart(block);
  }
  Value i64(int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
  }
  Value element(Value base, int64_t index) {
    return LLVM::GEPOp::create(
        b, loc, pointer, b.getI64Type(), base,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
  }
  /// base[index] of an array of 8-byte elements, such as attn_frame itself.
  Value load(Type type, Value base, int64_t index) {
    return LLVM::LoadOp::create(b, loc, type, element(base, index), 8);
  }
  void store(Value value, Value base, int64_t index) {
    LLVM::StoreOp::create(b, loc, value, element(base, index), 8);
  }
  Value bytes(Value base, Value offset) {
    return LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), base,
                               ArrayRef<LLVM::GEPArg>{offset});
  }

  /// Lets AddressSanitizer refuse memory, or allow it again.
  void mark(bool poison, Value address, Value count) {
    StringRef name = poison ? "__asan_poison_memory_region"
                            : "__asan_unpoison_memory_region";
    if (!module.lookupSymbol(name)) {
      OpBuilder declaring = OpBuilder::atBlockBegin(module.getBody());
      func::FuncOp::create(declaring, loc, name,
                           b.getFunctionType({pointer, b.getI64Type()}, {}))
          .setPrivate();
    }
    func::CallOp::create(b, loc, name, TypeRange(), ValueRange{address, count});
  }

  OpBuilder b;
  Location loc;
  LLVM::LLVMPointerType pointer;
  ModuleOp module;
  ValueRange parameters;
};

/// One phase: the address of every operand, then the kernels' functions.
class PhaseBuilder : FunctionBuilder {
public:
  PhaseBuilder(ModuleOp module, kernel::ProgramOp program,
               ArrayRef<WeightUse> weights,
               const llvm::DenseMap<Operation *, std::string> &constants,
               bool redzones)
      : FunctionBuilder(module, program.getLoc()), program(program),
        weights(weights), constants(constants), redzones(redzones) {}

  void build(const PhaseInfo &phase, ArrayRef<kernel::DispatchOp> dispatches);

private:
  /// An array or address in attn_frame.
  Value field(cpu::FrameField field) {
    Value &value = fields[field];
    if (!value)
      value = load(pointer, parameters[0], field);
    return value;
  }
  Value address(Value ref);
  /// Marks what follows the worker's scratch, or clears it.
  void markScratch(bool poison);

  kernel::ProgramOp program;
  ArrayRef<WeightUse> weights;
  const llvm::DenseMap<Operation *, std::string> &constants;
  bool redzones;
  llvm::DenseMap<int, Value> fields;
};

Value PhaseBuilder::address(Value ref) {
  Operation *op = ref.getDefiningOp();
  if (auto slot = dyn_cast<kernel::SlotOp>(op)) {
    Value arena = field(cpu::kArena);
    return bytes(
        arena, load(b.getI64Type(), field(cpu::kSlotOffsets), slot.getIndex()));
  }
  if (auto argument = dyn_cast<kernel::ArgumentOp>(op))
    return load(pointer, field(cpu::kArguments), argument.getIndex());
  if (auto weight = dyn_cast<kernel::WeightOp>(op))
    return load(
        pointer, field(cpu::kWeights),
        getWeightIndex(weights, weight.getWeight(), weight.getLayoutAttr()));
  if (auto state = dyn_cast<kernel::StateOp>(op)) {
    // An attn_frame_state has two fields of eight bytes.
    size_t index = getStateLayout(module).indexOf(state.getState());
    return element(field(cpu::kStates), 2 * index);
  }
  if (isa<kernel::ConstantOp>(op))
    return LLVM::AddressOfOp::create(b, loc, pointer, constants.at(op));
  auto view = cast<kernel::ViewOp>(op);
  Value base = address(view.getBase());
  if (view.getOffset() == 0)
    return base;
  auto type = kernel::getTensorType(view.getBase().getType());
  return bytes(base, i64(view.getOffset() * type.getElementTypeBitWidth() / 8));
}

void PhaseBuilder::markScratch(bool poison) {
  Value stride = load(b.getI64Type(), parameters[0], cpu::kScratchStride);
  Value worker = arith::ExtSIOp::create(b, loc, b.getI64Type(), parameters[1]);
  Value begin = arith::MulIOp::create(b, loc, worker, stride);
  Value own = bytes(field(cpu::kScratch), begin);
  Value used = arith::SubIOp::create(b, loc, stride, i64(kRedzone));
  // A call that was cancelled may have left marks in what was its arena.
  if (poison)
    mark(false, own, used);
  mark(poison, bytes(own, used), i64(kRedzone));
}

void PhaseBuilder::build(const PhaseInfo &phase,
                         ArrayRef<kernel::DispatchOp> dispatches) {
  Type i32 = b.getI32Type();
  begin(phase.symbol, {pointer, i32, i32}, {});
  auto variant = program->getParentOfType<kernel::VariantOp>();
  if (redzones)
    markScratch(true);
  for (kernel::DispatchOp dispatch : dispatches) {
    loc = dispatch.getLoc();
    SmallVector<Value> operands(parameters);
    for (Value ref : dispatch.getOperands())
      operands.push_back(address(ref));
    func::CallOp::create(b, loc, getKernelSymbol(variant, dispatch.getKernel()),
                         TypeRange(), operands);
  }
  if (redzones)
    markScratch(false);
  func::ReturnOp::create(b, loc);
}

/// The plan: straight-line arithmetic over the sizes.
class PlanBuilder : FunctionBuilder {
public:
  PlanBuilder(ModuleOp module, kernel::ProgramOp program, bool redzones)
      : FunctionBuilder(module, program.getLoc()), program(program),
        redzones(redzones) {}

  void build();
  /// The phases that mark what lies between slots, and clear it.
  void buildMarks();

private:
  /// Stores the upper bound of every derived size.
  void storeBounds();
  Value size(StringRef name);
  Value evaluate(const SizeExpr &expr);
  /// The largest of some byte counts.
  Value largest(ArrayRef<SizeExpr> bytes);
  /// The same rounded up, with what follows it.
  Value reserved(ArrayRef<SizeExpr> bytes);
  void buildMark(StringRef symbol, bool poison);

  kernel::ProgramOp program;
  bool redzones;
  llvm::StringMap<Value> sizes;
  Value sizeArray;
};

Value PlanBuilder::size(StringRef name) {
  Value &value = sizes[name];
  if (!value)
    value = load(b.getI64Type(), sizeArray, getSizeIndex(module, name));
  return value;
}

Value PlanBuilder::evaluate(const SizeExpr &expr) {
  Value sum;
  for (const auto &[product, coefficient] : expr.getTerms()) {
    Value term = i64(coefficient);
    for (const std::string &name : product)
      term = arith::MulIOp::create(b, loc, term, size(name));
    sum = sum ? arith::AddIOp::create(b, loc, sum, term).getResult() : term;
  }
  return sum ? sum : i64(0);
}

Value PlanBuilder::largest(ArrayRef<SizeExpr> bytes) {
  Value most = i64(0);
  for (const SizeExpr &expr : bytes)
    most = arith::MaxSIOp::create(b, loc, most, evaluate(expr));
  return most;
}

Value PlanBuilder::reserved(ArrayRef<SizeExpr> bytes) {
  int64_t more = kAlignment - 1 + (redzones ? kRedzone : 0);
  Value padded = arith::AddIOp::create(b, loc, largest(bytes), i64(more));
  return arith::AndIOp::create(b, loc, padded, i64(-kAlignment));
}

/// Slots stand in the order of their numbers, scratch behind the last.
void PlanBuilder::buildMark(StringRef symbol, bool poison) {
  begin(symbol, {pointer, b.getI32Type(), b.getI32Type()}, {});
  sizes.clear();
  sizeArray = load(pointer, parameters[0], cpu::kSizes);
  Value arena = load(pointer, parameters[0], cpu::kArena);
  Value scratch = load(pointer, parameters[0], cpu::kScratch);
  Value offsets = load(pointer, parameters[0], cpu::kSlotOffsets);
  Type i64Type = b.getI64Type();
  auto toInteger = [&](Value address) -> Value {
    return LLVM::PtrToIntOp::create(b, loc, i64Type, address);
  };
  Value all =
      arith::SubIOp::create(b, loc, toInteger(scratch), toInteger(arena));
  mark(false, arena, all);
  std::vector<std::vector<SizeExpr>> slots = getSlotBytes(program);
  for (auto [index, slot] : llvm::enumerate(slots)) {
    if (!poison)
      break;
    Value offset = load(i64Type, offsets, index);
    Value end = arith::AddIOp::create(b, loc, offset, largest(slot));
    Value next =
        index + 1 == slots.size() ? all : load(i64Type, offsets, index + 1);
    mark(true, bytes(arena, end), arith::SubIOp::create(b, loc, next, end));
  }
  func::ReturnOp::create(b, loc);
  b.setInsertionPointToEnd(module.getBody());
}

void PlanBuilder::buildMarks() {
  ScheduleInfo schedule = getSchedule(program);
  buildMark(getPoisonSymbol(schedule.planSymbol), true);
  buildMark(getUnpoisonSymbol(schedule.planSymbol), false);
}

void PlanBuilder::storeBounds() {
  for (auto [index, declared] : llvm::enumerate(getSizes(module))) {
    std::optional<StringRef> bound = declared.getDerived();
    if (!bound)
      continue;
    SizeExpr expr = *SizeExpr::parse(*bound);
    // A derived size of another entry: its caller's sizes are not ours.
    if (!llvm::all_of(expr.names(), [&](const std::string &name) {
          return llvm::is_contained(
              program.getSizes().getAsValueRange<StringAttr>(), name);
        }))
      continue;
    Value value = evaluate(expr);
    sizes[declared.getSymName()] = value;
    store(value, parameters[0], index);
  }
}

void PlanBuilder::build() {
  Type i64Type = b.getI64Type();
  // (sizes, workers, slot_offsets, scratch_offset, scratch_stride) -> bytes
  begin(getPlanSymbol(program),
        {pointer, b.getI32Type(), pointer, pointer, pointer}, {i64Type});
  sizeArray = parameters[0];
  storeBounds();
  Value end = i64(0);
  for (auto [index, bytes] : llvm::enumerate(getSlotBytes(program))) {
    store(end, parameters[2], index);
    Value taken = arith::AddIOp::create(b, loc, reserved(bytes), i64(kStagger));
    end = arith::AddIOp::create(b, loc, end, taken);
  }
  Value stride = reserved(getScratchBytes(program));
  store(end, parameters[3], 0);
  store(stride, parameters[4], 0);
  Value workers = arith::ExtSIOp::create(b, loc, i64Type, parameters[1]);
  Value scratch = arith::MulIOp::create(b, loc, stride, workers);
  Value total = arith::AddIOp::create(b, loc, end, scratch);
  func::ReturnOp::create(b, loc, total);
}

struct LowerPrograms : impl::LowerProgramsBase<LowerPrograms> {
  using LowerProgramsBase::LowerProgramsBase;

  /// A global per constant of the program; their symbols by op.
  LogicalResult
  addConstants(kernel::ProgramOp program,
               llvm::DenseMap<Operation *, std::string> &symbols) {
    OpBuilder b = OpBuilder::atBlockEnd(getOperation().getBody());
    auto variant = program->getParentOfType<kernel::VariantOp>();
    std::string prefix =
        getKernelSymbol(variant, program.getSymName()) + "_constant_";
    for (auto constant : program.getBody().getOps<kernel::ConstantOp>()) {
      auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
      if (!dense)
        return constant.emitError(
                   "error[A0530]: only dense constants become data; got ")
               << constant.getValue();
      auto flat = RankedTensorType::get({dense.getNumElements()},
                                        dense.getElementType());
      std::string symbol = prefix + std::to_string(symbols.size());
      LLVM::GlobalOp::create(
          b, constant.getLoc(),
          LLVM::LLVMArrayType::get(flat.getElementType(), flat.getDimSize(0)),
          /*isConstant=*/true, LLVM::Linkage::Internal, symbol,
          dense.reshape(flat), kAlignment);
      symbols[constant] = symbol;
    }
    return success();
  }

  /// Kernels of processors read and write callers' tensors of f32.
  LogicalResult checkStorage(kernel::ProgramOp program) {
    auto refuse = [&](StringRef kind, DictionaryAttr attrs) {
      return program.emitError("error[A0537]: ")
             << kind << " " << attrs.get(attn::AttnDialect::kNameAttr)
             << " of @" << program.getSymName() << " is "
             << attn::getEntryStorage(attrs)
             << " in memory, which variants for GPUs know; processors take f32";
    };
    for (unsigned i : llvm::seq(program.getNumArguments()))
      if (attn::getEntryStorage(program.getArgAttrDict(i)))
        return refuse("input", program.getArgAttrDict(i));
    for (unsigned i : llvm::seq(program.getNumResults()))
      if (attn::getEntryStorage(program.getResultAttrDict(i)))
        return refuse("output", program.getResultAttrDict(i));
    return success();
  }

  LogicalResult lower(kernel::ProgramOp program, ArrayRef<WeightUse> weights) {
    ModuleOp module = getOperation();
    if (!program.hasSlots())
      return program.emitError("error[A0531]: @")
             << program.getSymName() << " has no slots; run --attn-plan-arena";
    if (failed(checkStorage(program)))
      return failure();
    auto variant = program->getParentOfType<kernel::VariantOp>();
    SmallVector<kernel::DispatchOp> dispatches = getDispatches(program);
    for (kernel::DispatchOp dispatch : dispatches)
      if (!module.lookupSymbol(getKernelSymbol(variant, dispatch.getKernel())))
        return dispatch.emitError("error[A0532]: @")
               << dispatch.getKernel()
               << " is not lowered; run --attn-lower-kernels";
    llvm::DenseMap<Operation *, std::string> constants;
    if (failed(addConstants(program, constants)))
      return failure();
    ArrayRef<kernel::DispatchOp> rest = dispatches;
    for (auto [number, phase] : llvm::enumerate(getSchedule(program).phases)) {
      auto next = rest.take_while([&, number = number](kernel::DispatchOp op) {
        return op.getPhase() == number;
      });
      PhaseBuilder(module, program, weights, constants, redzones)
          .build(phase, next);
      rest = rest.drop_front(next.size());
    }
    PlanBuilder(module, program, redzones).build();
    if (redzones)
      PlanBuilder(module, program, redzones).buildMarks();
    return success();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    std::vector<WeightUse> weights = getWeightUses(module);
    auto variants = llvm::to_vector(module.getOps<kernel::VariantOp>());
    for (kernel::VariantOp variant : variants)
      for (auto program : variant.getBody().getOps<kernel::ProgramOp>())
        if (failed(lower(program, weights)))
          return signalPassFailure();
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (isa<kernel::VariantOp, attn::SizeOp, attn::StateOp, attn::WeightOp>(
              op))
        op.erase();
  }
};
} // namespace
} // namespace attnc
