//===- LowerWarp.cpp - fragments become registers -------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before: `warp.program`s whose tiles and barriers have places. After, for each
// one, beside it:
//
//   llvm.func @VARIANT_KERNEL(...) attributes {nvvm.kernel, nvvm.maxntid = ...}
//
// with one value per register where a fragment was, NVVM intrinsics where a
// warp works together, and the scalar code as it was; `scf` carries registers.
// The programs leave the module, their launch attributes stay on the functions.
// Declined with an error: a program that PlanSharedMemory has not seen.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/gpu/ProgramBuilder.h"
#include "compiler/gpu/ProgramLowering.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc::gpu {

static constexpr unsigned kSharedSpace = 3;
static constexpr int32_t kWarp = 32;

//===-- numbers -----------------------------------------------------------===//

Value ProgramLowering::i32(int32_t value) {
  return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
}
Value ProgramLowering::add(Value a, Value c) {
  return b.createOrFold<arith::AddIOp>(loc, a, c);
}
Value ProgramLowering::mul(Value a, Value c) {
  return b.createOrFold<arith::MulIOp>(loc, a, c);
}
Value ProgramLowering::div(Value a, int32_t c) {
  return b.createOrFold<arith::DivUIOp>(loc, a, i32(c));
}
Value ProgramLowering::rem(Value a, int32_t c) {
  return b.createOrFold<arith::RemUIOp>(loc, a, i32(c));
}
Value ProgramLowering::exclusiveOr(Value a, Value c) {
  return b.createOrFold<arith::XOrIOp>(loc, a, c);
}
Value ProgramLowering::lessThan(Value a, Value c) {
  return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, a, c);
}
Value ProgramLowering::minimum(Value a, Value c) {
  return b.createOrFold<arith::MinSIOp>(loc, a, c);
}
Value ProgramLowering::select(Value condition, Value a, Value c) {
  return b.createOrFold<arith::SelectOp>(loc, condition, a, c);
}

Value ProgramLowering::intrinsic(StringRef name, Type result,
                                 ValueRange operands) {
  StringAttr attr = b.getStringAttr(name);
  if (!result) {
    LLVM::CallIntrinsicOp::create(b, loc, attr, operands);
    return {};
  }
  return LLVM::CallIntrinsicOp::create(b, loc, result, attr, operands)
      .getResult(0);
}

SmallVector<Value> ProgramLowering::intrinsicStruct(StringRef name,
                                                    Type element, int64_t count,
                                                    ValueRange operands) {
  auto type = LLVM::LLVMStructType::getLiteral(
      b.getContext(), SmallVector<Type>(count, element));
  Value all = intrinsic(name, type, operands);
  Registers parts;
  for (int64_t i = 0; i < count; ++i)
    parts.push_back(LLVM::ExtractValueOp::create(b, loc, all, i));
  return parts;
}

Value ProgramLowering::shuffleXor(Value x, int32_t distance) {
  return NVVM::ShflOp::create(b, loc, x.getType(), i32(-1), x, i32(distance),
                              i32(kWarp - 1), NVVM::ShflKind::bfly, UnitAttr());
}

Value ProgramLowering::combine(warp::Combine how, Value a, Value c) {
  if (how == warp::Combine::max)
    return LLVM::MaxNumOp::create(b, loc, a.getType(), a, c);
  return arith::AddFOp::create(b, loc, a, c);
}

Value ProgramLowering::sharedAt(Value byte) {
  return LLVM::GEPOp::create(b, loc, shared.getType(), b.getI8Type(), shared,
                             ArrayRef<LLVM::GEPArg>{byte});
}

//===-- the function ------------------------------------------------------===//

void ProgramLowering::createFunction() {
  MLIRContext *context = module.getContext();
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                          program.getArgumentTypes());
  b.setInsertionPoint(program);
  function = LLVM::LLVMFuncOp::create(b, loc, program.getSymName(), type);
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    b.getUnitAttr());
  function->setAttr(
      NVVM::NVVMDialect::getMaxntidAttrName(),
      b.getDenseI32ArrayAttr({int32_t(program.getThreads()), 1, 1}));
  // One block on a multiprocessor is enough: ptxas otherwise spills a few
  // registers where that would let a third one in.
  function->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                    b.getI32IntegerAttr(1));
  for (NamedAttribute attr : program->getDiscardableAttrs())
    function->setAttr(attr.getName(), attr.getValue());
  function->setAttr("warp.threads", program.getThreadsAttr());
  function->setAttr("warp.shared", program.getSharedAttr());
  constexpr int64_t kMapBytes = 128, kMapAlignment = 64;
  for (unsigned i : llvm::seq(program.getNumArguments())) {
    if (!program.getArgAttr(i, warp::WarpDialect::kTensorMapAttr))
      continue;
    function.setArgAttr(
        i, LLVM::LLVMDialect::getByValAttrName(),
        TypeAttr::get(LLVM::LLVMArrayType::get(b.getI8Type(), kMapBytes)));
    function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                        b.getI64IntegerAttr(kMapAlignment));
    function.setArgAttr(i, NVVM::NVVMDialect::getGridConstantAttrName(),
                        b.getUnitAttr());
  }
  Block *block = function.addEntryBlock(b);
  b.setInsertionPointToStart(block);
  values.map(program.getBody().getArguments(), block->getArguments());
}

LogicalResult ProgramLowering::lower() {
  if (!program.getShared())
    return program.emitError(
        "error[A0522]: shared memory of a program is not planned; run "
        "--attn-plan-shared-memory");
  createFunction();
  auto pointer = LLVM::LLVMPointerType::get(b.getContext(), kSharedSpace);
  if (*program.getShared() > 0)
    shared = LLVM::AddressOfOp::create(b, loc, pointer, kSharedSymbol);
  thread = NVVM::ThreadIdXOp::create(b, loc, b.getI32Type());
  lane = rem(thread, kWarp);
  group = div(lane, 4);
  quad = rem(lane, 4);
  initializeBarriers();
  if (failed(lowerBlock(program.getBody().front())))
    return failure();
  LLVM::ReturnOp::create(b, loc, ValueRange());
  return success();
}

LogicalResult ProgramLowering::lowerBlock(Block &block) {
  for (Operation &op : block) {
    loc = op.getLoc();
    if (failed(lowerOp(op)))
      return failure();
  }
  return success();
}

LogicalResult ProgramLowering::lowerOp(Operation &op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case<scf::ForOp>([&](auto loop) { return lowerFor(loop); })
      .Case<scf::IfOp>([&](auto branch) { return lowerIf(branch); })
      .Case<warp::ReturnOp, warp::AllocOp, warp::StageOp, warp::YieldOp,
            scf::YieldOp>([](auto) { return success(); })
      .Case([&](warp::CopyOp copy) { return lowerCopy(copy); })
      .Case([&](warp::CommitOp) {
        intrinsic("llvm.nvvm.cp.async.commit.group", {}, {});
        return success();
      })
      .Case([&](warp::WaitOp wait) {
        intrinsic("llvm.nvvm.cp.async.wait.group", {}, i32(wait.getPending()));
        return success();
      })
      .Case([&](warp::SyncOp) {
        intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", {}, i32(0));
        return success();
      })
      .Case([&](warp::LoadOp load) { return lowerLoad(load), success(); })
      .Case([&](warp::MmaOp mma) { return lowerMma(mma), success(); })
      .Case([&](warp::SplatOp splat) {
        Type type = splat.getResult().getType();
        auto rows = dyn_cast<warp::RowsType>(type);
        int64_t count = rows ? rows.getRegisters()
                             : cast<warp::FragmentType>(type).getRegisters();
        fragments[splat.getResult()].assign(count, lookup(splat.getValue()));
        return success();
      })
      .Case([&](warp::MapOp map) { return lowerMap(map); })
      .Case(
          [&](warp::ReduceOp reduce) { return lowerReduce(reduce), success(); })
      .Case([&](warp::ConvertOp convert) {
        return lowerConvert(convert), success();
      })
      .Case([&](warp::StoreOp store) { return lowerStore(store), success(); })
      .Case([&](warp::AllReduceOp reduce) {
        return lowerAllReduce(reduce), success();
      })
      .Default([&](Operation *other) {
        if (lowerStreamOp(*other))
          return success();
        return isa<warp::WarpDialect>(other->getDialect())
                   ? lowerGroupOp(*other)
                   : cloneOp(*other);
      });
}

/// Ops without warp values inside are copied as they are.
LogicalResult ProgramLowering::cloneOp(Operation &op) {
  if (op.getNumRegions() != 0)
    return op.emitError("error[A0523]: a program may hold loops and branches "
                        "of scf, not '")
           << op.getName() << "'";
  b.clone(op, values);
  return success();
}

static bool isSpread(Type type) {
  return isa<warp::FragmentType, warp::RowsType, warp::PendingType>(type);
}

static int64_t countRegisters(Type type) {
  if (auto pending = dyn_cast<warp::PendingType>(type))
    type = pending.getFragment();
  if (auto rows = dyn_cast<warp::RowsType>(type))
    return rows.getRegisters();
  return cast<warp::FragmentType>(type).getRegisters();
}

LogicalResult ProgramLowering::lowerFor(scf::ForOp op) {
  Registers initial;
  for (Value value : op.getInitArgs())
    if (isSpread(value.getType()))
      llvm::append_range(initial, fragments.at(value));
    else
      initial.push_back(lookup(value));
  auto loop = scf::ForOp::create(b, loc, lookup(op.getLowerBound()),
                                 lookup(op.getUpperBound()),
                                 lookup(op.getStep()), initial);
  values.map(op.getInductionVar(), loop.getInductionVar());
  // A value's registers among those of the loop, in order.
  auto bind = [&](ValueRange from, ValueRange to) {
    size_t next = 0;
    for (Value value : from) {
      if (!isSpread(value.getType())) {
        values.map(value, to[next++]);
        continue;
      }
      const size_t count = countRegisters(value.getType());
      auto slice = to.slice(next, count);
      fragments[value].assign(slice.begin(), slice.end());
      next += count;
    }
  };
  bind(op.getRegionIterArgs(), loop.getRegionIterArgs());
  {
    OpBuilder::InsertionGuard guard(b);
    // Without values, the loop got its terminator at once.
    Block *body = loop.getBody();
    if (initial.empty())
      b.setInsertionPoint(body->getTerminator());
    else
      b.setInsertionPointToEnd(body);
    if (failed(lowerBlock(*op.getBody())))
      return failure();
    if (!initial.empty()) {
      Registers next;
      for (Value value : op.getBody()->getTerminator()->getOperands())
        if (isSpread(value.getType()))
          llvm::append_range(next, fragments.at(value));
        else
          next.push_back(lookup(value));
      scf::YieldOp::create(b, loc, next);
    }
  }
  bind(op.getResults(), loop.getResults());
  return success();
}

LogicalResult ProgramLowering::lowerIf(scf::IfOp op) {
  SmallVector<Type> types;
  for (Type type : op.getResultTypes()) {
    if (isSpread(type))
      return op.emitError("error[A0524]: a branch cannot give fragments; "
                          "select their elements in warp.map");
    types.push_back(type);
  }
  const bool hasElse = !op.getElseRegion().empty();
  auto branch =
      scf::IfOp::create(b, loc, types, lookup(op.getCondition()), hasElse);
  auto fill = [&](Block *from, Block *to) -> LogicalResult {
    OpBuilder::InsertionGuard guard(b);
    if (types.empty())
      b.setInsertionPoint(to->getTerminator());
    else
      b.setInsertionPointToEnd(to);
    if (failed(lowerBlock(*from)))
      return failure();
    Registers yielded;
    for (Value value : from->getTerminator()->getOperands())
      yielded.push_back(lookup(value));
    if (!types.empty())
      scf::YieldOp::create(b, loc, yielded);
    return success();
  };
  if (failed(fill(op.thenBlock(), branch.thenBlock())) ||
      (hasElse && failed(fill(op.elseBlock(), branch.elseBlock()))))
    return failure();
  values.map(op.getResults(), branch.getResults());
  return success();
}

//===-- elements ----------------------------------------------------------===//

/// The region, once per register.
LogicalResult ProgramLowering::lowerMap(warp::MapOp op) {
  Type first = op.getResult(0).getType();
  auto acc = dyn_cast<warp::FragmentType>(first);
  const int64_t count = countRegisters(first);
  const int64_t blocks = acc ? acc.getColumns() / 8 : 0; // in one row of blocks
  Block &block = op.getBody().front();
  const unsigned inputs = op.getInputs().size();
  Value row = add(lookup(op.getRow()), group);
  Value column = add(lookup(op.getColumn()), mul(quad, i32(2)));
  SmallVector<Registers> results(op.getNumResults());
  for (int64_t index = 0; index < count; ++index) {
    // Rows: 2 per block of 16. Accumulators: 4 per block of 16 x 8.
    const int64_t rowBlock = acc ? index / (4 * blocks) : index / 2;
    const int64_t half = acc ? index / 2 % 2 : index % 2;
    const int64_t rowIndex = rowBlock * 2 + half;
    for (unsigned i = 0; i < inputs; ++i) {
      Value input = op.getInputs()[i];
      bool isRows = isa<warp::RowsType>(input.getType());
      values.map(block.getArgument(i),
                 fragments.at(input)[isRows ? rowIndex : index]);
    }
    values.map(block.getArgument(inputs),
               add(row, i32(rowBlock * 16 + half * 8)));
    if (acc)
      values.map(block.getArgument(inputs + 1),
                 add(column, i32(index / 4 % blocks * 8 + index % 2)));
    for (Operation &inner : block.without_terminator()) {
      if (inner.getNumRegions() != 0)
        return cloneOp(inner);
      b.clone(inner, values);
    }
    for (auto [result, value] :
         llvm::zip(results, block.getTerminator()->getOperands()))
      result.push_back(lookup(value));
  }
  for (auto [value, registers] : llvm::zip(op.getResults(), results))
    fragments[value] = std::move(registers);
  return success();
}

void ProgramLowering::lowerStore(warp::StoreOp op) {
  const Registers &registers = fragments.at(op.getValue());
  auto type = op.getValue().getType();
  Type element = op.getElement();
  const int64_t blocks = type.getColumns() / 8;
  Value rows = lookup(op.getRows()), columns = lookup(op.getColumns());
  Value stride = lookup(op.getStride()), target = lookup(op.getTarget());
  Value firstRow = add(lookup(op.getRow()), group);
  Value firstColumn = add(lookup(op.getColumn()), mul(quad, i32(2)));
  auto convert = [&](Value value, Type to) -> Value {
    return element.isF32() ? value : arith::TruncFOp::create(b, loc, to, value);
  };
  auto storeIf = [&](Value condition, Value value, Value offset,
                     unsigned alignment) {
    auto branch = scf::IfOp::create(b, loc, condition, false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value place = LLVM::GEPOp::create(b, loc, target.getType(), element, target,
                                      ArrayRef<LLVM::GEPArg>{offset});
    LLVM::StoreOp::create(b, loc, value, place, alignment);
  };
  const unsigned bytes = element.getIntOrFloatBitWidth() / 8;
  for (int64_t index = 0; index < int64_t(registers.size()); index += 2) {
    const int64_t rowBlock = index / (4 * blocks), half = index / 2 % 2;
    Value row = add(firstRow, i32(rowBlock * 16 + half * 8));
    Value column = add(firstColumn, i32(index / 4 % blocks * 8));
    Value inRows = lessThan(row, rows);
    Value offset =
        add(mul(arith::ExtSIOp::create(b, loc, b.getI64Type(), row), stride),
            arith::ExtSIOp::create(b, loc, b.getI64Type(), column));
    if (op.getPaired()) {
      auto pair = VectorType::get({2}, b.getF32Type());
      Value value = LLVM::UndefOp::create(b, loc, pair);
      for (int64_t i = 0; i < 2; ++i)
        value = LLVM::InsertElementOp::create(b, loc, value,
                                              registers[index + i], i32(i));
      storeIf(arith::AndIOp::create(b, loc, inRows, lessThan(column, columns)),
              convert(value, VectorType::get({2}, element)), offset, 2 * bytes);
      continue;
    }
    for (int64_t i = 0; i < 2; ++i) {
      Value inColumns = lessThan(add(column, i32(i)), columns);
      Value one = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(i));
      storeIf(arith::AndIOp::create(b, loc, inRows, inColumns),
              convert(registers[index + i], element), add(offset, one), bytes);
    }
  }
}

void ProgramLowering::lowerAllReduce(warp::AllReduceOp op) {
  Value x = lookup(op.getInput());
  for (int32_t distance = kWarp / 2; distance > 0; distance /= 2)
    x = combine(op.getCombine(), x, shuffleXor(x, distance));
  values.map(op.getResult(), x);
}

} // namespace attnc::gpu

namespace attnc {
#define GEN_PASS_DEF_LOWERWARP
#include "compiler/Passes.h.inc"

namespace {
struct LowerWarp : impl::LowerWarpBase<LowerWarp> {
  using LowerWarpBase::LowerWarpBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto programs = llvm::to_vector(module.getOps<warp::ProgramOp>());
    if (programs.empty())
      return;
    OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
    constexpr uint64_t kAlignment = 1024;
    LLVM::GlobalOp::create(
        b, module.getLoc(), LLVM::LLVMArrayType::get(b.getI8Type(), 0),
        /*isConstant=*/false, LLVM::Linkage::External, gpu::kSharedSymbol,
        Attribute(), kAlignment, gpu::kSharedSpace);
    for (warp::ProgramOp program : programs) {
      if (failed(gpu::ProgramLowering(module, program).lower()))
        return signalPassFailure();
      program.erase();
    }
  }
};
} // namespace
} // namespace attnc
