//===- LowerGroups.cpp - warp groups of sm_90a ----------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Barriers, copies by tensor maps, products of four warps, roles. One product
// is one block of inline PTX (fence, all steps of K, commit), its sums are tied
// operands. The wait ties the sums in flight, so that nobody moves a reader
// above it, and the registers of products in flight are not touched: ptxas
// would otherwise run the products one after the other.
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/ProgramLowering.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace attnc::gpu {

static constexpr int32_t kGroup = 128;     ///< threads
static constexpr int64_t kPatternRows = 8; ///< of a panel: one swizzle
static constexpr int64_t kStep = 16;       ///< K of one instruction
static constexpr int64_t kStepBytes = 32;  ///< of one row in such a step

SmallVector<Value> ProgramLowering::assembly(StringRef text,
                                             StringRef constraints,
                                             ValueRange operands,
                                             ArrayRef<Type> results) {
  MLIRContext *context = b.getContext();
  Type type = LLVM::LLVMVoidType::get(context);
  if (results.size() == 1)
    type = results.front();
  else if (!results.empty())
    type = LLVM::LLVMStructType::getLiteral(context, results);
  auto op = LLVM::InlineAsmOp::create(
      b, loc, results.empty() ? TypeRange() : TypeRange(type), operands, text,
      constraints, /*has_side_effects=*/true, /*is_align_stack=*/false,
      LLVM::TailCallKind::None,
      LLVM::AsmDialectAttr::get(context, LLVM::AsmDialect::AD_ATT),
      ArrayAttr());
  Registers parts;
  if (results.size() == 1)
    parts.push_back(op.getResult(0));
  for (size_t i = 0; results.size() > 1 && i < results.size(); ++i)
    parts.push_back(LLVM::ExtractValueOp::create(b, loc, op.getResult(0), i));
  return parts;
}

//===-- barriers ----------------------------------------------------------===//

Value ProgramLowering::barrierAt(Value barrier, Value stage) {
  auto op = barrier.getDefiningOp<warp::BarrierOp>();
  Value offset = i32(*op.getOffset());
  if (stage)
    offset = add(offset, mul(stage, i32(8)));
  return sharedAt(offset);
}

/// Thread 0 initializes every barrier before anybody goes on.
void ProgramLowering::initializeBarriers() {
  auto barriers = llvm::to_vector(program.getBody().getOps<warp::BarrierOp>());
  if (barriers.empty())
    return;
  Value first =
      arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, thread, i32(0));
  auto branch = scf::IfOp::create(b, loc, first, false);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    for (warp::BarrierOp barrier : barriers)
      for (int64_t i = 0; i < barrier.getBarrier().getType().getStages(); ++i)
        intrinsic("llvm.nvvm.mbarrier.init.shared", {},
                  {barrierAt(barrier.getBarrier(), i32(i)),
                   i32(barrier.getArrivals())});
    intrinsic("llvm.nvvm.fence.mbarrier_init.release.cluster", {}, {});
  }
  intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", {}, i32(0));
}

void ProgramLowering::lowerArrive(warp::ArriveOp op) {
  Value place = barrierAt(op.getBarrier(), lookup(op.getStage()));
  if (op.getExpect())
    intrinsic("llvm.nvvm.mbarrier.arrive.expect.tx.scope.cta.space.cta",
              b.getI64Type(), {place, i32(*op.getExpect())});
  else
    assembly("mbarrier.arrive.shared.b64 _, [$0];", "r", place, {});
}

void ProgramLowering::lowerAwait(warp::AwaitOp op) {
  assembly("{\n.reg .pred P1;\nLAB_WAIT:\n"
           "mbarrier.try_wait.parity.shared.b64 P1, [$0], $1;\n"
           "@P1 bra.uni DONE;\nbra.uni LAB_WAIT;\nDONE:\n}",
           "r,r",
           {barrierAt(op.getBarrier(), lookup(op.getStage())),
            lookup(op.getParity())},
           {});
}

//===-- tiles -------------------------------------------------------------===//

void ProgramLowering::lowerMapCopy(warp::MapCopyOp op) {
  auto type = op.getTile().getType();
  const int64_t rowBytes = type.getPanelBytes();
  const int64_t panelBytes = type.getRows() * rowBytes;
  const int64_t columns =
      rowBytes * 8 / type.getElement().getIntOrFloatBitWidth();
  MLIRContext *context = b.getContext();
  auto cluster = LLVM::LLVMPointerType::get(context, 7);
  const size_t rank = op.getCoordinates().size();
  std::string name =
      "llvm.nvvm.cp.async.bulk.tensor.g2s.tile." + std::to_string(rank) + "d";
  auto constant = [&](TypedAttr attr) -> Value {
    return arith::ConstantOp::create(b, loc, attr);
  };
  for (int64_t panel = 0; panel * rowBytes < type.getRowBytes(); ++panel) {
    Value target =
        sharedAt(add(tileBase(op.getTile()), i32(panel * panelBytes)));
    Registers operands = {
        LLVM::AddrSpaceCastOp::create(b, loc, cluster, target),
        barrierAt(op.getBarrier(), lookup(op.getStage())), lookup(op.getMap())};
    for (Value coordinate : op.getCoordinates())
      operands.push_back(lookup(coordinate));
    operands[3] = add(operands[3], i32(panel * columns));
    // No multicast, no hint to the cache, one block.
    operands.append({constant(b.getI16IntegerAttr(0)),
                     constant(b.getI64IntegerAttr(0)),
                     constant(b.getBoolAttr(false)),
                     constant(b.getBoolAttr(false)), i32(0)});
    intrinsic(name, {}, operands);
  }
}

/// Named barriers: 0 is the whole block's, 1 that of the groups that clear a
/// tile, and those from 8 on are for turns.
static constexpr int32_t kClearBarrier = 1, kFirstTurn = 8;

void ProgramLowering::lowerClear(warp::ClearOp op) {
  auto type = op.getTile().getType();
  constexpr int64_t kChunk = 16;
  const int64_t perRow = type.getRowBytes() / kChunk;
  Value first = mul(lookup(op.getRow()), i32(perRow));
  // Thread 0 and those beside it copy; all others clear, each its part.
  const int64_t threads = program.getThreads() - kGroup;
  Value start = add(first, add(thread, i32(-kGroup)));
  auto loop = scf::ForOp::create(b, loc, start, i32(type.getRows() * perRow),
                                 i32(threads));
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value index = loop.getInductionVar();
    Value place = tilePlace(op.getTile(), {div(index, perRow), 0},
                            {rem(index, perRow), 0}, false);
    auto chunk = VectorType::get({4}, b.getI32Type());
    Value zeros = arith::ConstantOp::create(b, loc, b.getZeroAttr(chunk));
    LLVM::StoreOp::create(b, loc, zeros, place, kChunk);
  }
  assembly("fence.proxy.async;", "", {}, {});
  // Products of every group read what all have written.
  assembly("bar.sync $0, " + std::to_string(threads) + ";", "r",
           i32(kClearBarrier), {});
}

//===-- products ----------------------------------------------------------===//

/// A descriptor of a tile in panels of `panel` bytes, from a byte address on;
/// `leading` bytes are between panels.
Value ProgramLowering::describeTile(Value address, int64_t panel,
                                    int64_t leading) {
  constexpr int32_t kAddressBits = 0x3ffff;
  constexpr uint64_t kSwizzle128 = 1ull << 62, kSwizzle64 = 2ull << 62;
  const int64_t stride = kPatternRows * panel;
  Type wide = b.getI64Type();
  address = LLVM::PtrToIntOp::create(b, loc, b.getI32Type(), sharedAt(address));
  address = b.createOrFold<arith::AndIOp>(loc, address, i32(kAddressBits));
  address = arith::ExtUIOp::create(b, loc, wide, div(address, 16));
  Value form = arith::ConstantOp::create(
      b, loc,
      b.getI64IntegerAttr((panel == 128 ? kSwizzle128 : kSwizzle64) |
                          (stride >> 4) << 32 | (leading >> 4) << 16));
  return arith::OrIOp::create(b, loc, address, form);
}

static std::string list(int64_t from, int64_t count) {
  std::string text;
  for (int64_t i = 0; i < count; ++i)
    text += (i ? ", $" : "$") + std::to_string(from + i);
  return text;
}

void ProgramLowering::lowerGroupMma(warp::GroupMmaOp op) {
  warp::FragmentType result = op.getResult().getType().getFragment();
  warp::TileType rhs = op.getRhs().getType();
  const int64_t sums = result.getColumns() / 2; // registers
  const bool fromTile = isa<warp::TileType>(op.getLhs().getType());
  const std::string type = rhs.getElement().isBF16() ? "bf16" : "f16";

  // Operands in order: sums (outputs), lhs, descriptor of rhs, sums (tied).
  Registers operands;
  std::string constraints;
  for (int64_t i = 0; i < sums; ++i)
    constraints += i ? ",=f" : "=f";
  int64_t depth = 0;
  if (fromTile) {
    auto lhs = cast<warp::TileType>(op.getLhs().getType());
    depth = lhs.getColumns();
    Value address = add(tileBase(op.getLhs()),
                        mul(lookup(op.getLhsRow()), i32(lhs.getPanelBytes())));
    operands.push_back(describeTile(address, lhs.getPanelBytes(), 16));
    constraints += ",l";
  } else {
    depth = cast<warp::FragmentType>(op.getLhs().getType()).getColumns();
    operands = fragments.at(op.getLhs());
    for (size_t i = 0; i < operands.size(); ++i)
      constraints += ",r";
  }
  const int64_t lhsCount = operands.size();
  const int64_t rhsPanel = rhs.getPanelBytes();
  operands.push_back(
      describeTile(tileBase(op.getRhs()), rhsPanel,
                   op.getTranspose() ? rhs.getRows() * rhsPanel : 16));
  constraints += ",l";
  if (op.getAcc()) {
    llvm::append_range(operands, fragments.at(op.getAcc()));
    for (int64_t i = 0; i < sums; ++i)
      constraints += "," + std::to_string(i);
  }

  const std::string lhsAt = "$" + std::to_string(sums);
  const std::string rhsAt = "$" + std::to_string(sums + lhsCount);
  std::string text = "{\n.reg .b64 da, db;\n.reg .pred p0, p1;\n"
                     "setp.ne.b32 p0, 0, 0;\nsetp.eq.b32 p1, 0, 0;\n"
                     "wgmma.fence.sync.aligned;\n";
  for (int64_t k = 0; k < depth / kStep; ++k) {
    // Steps of K: 32 bytes within a panel, or 16 rows of a transposed one.
    auto along = [&](warp::TileType tile) {
      const int64_t panel = tile.getPanelBytes(), bytes = k * kStepBytes;
      return (bytes / panel * tile.getRows() * panel + bytes % panel) >> 4;
    };
    const int64_t rhsStep =
        op.getTranspose() ? k * kStep * rhsPanel >> 4 : along(rhs);
    if (fromTile)
      text +=
          "add.s64 da, " + lhsAt + ", " +
          std::to_string(along(cast<warp::TileType>(op.getLhs().getType()))) +
          ";\n";
    text += "add.s64 db, " + rhsAt + ", " + std::to_string(rhsStep) + ";\n";
    text += "wgmma.mma_async.sync.aligned.m64n" +
            std::to_string(result.getColumns()) + "k16.f32." + type + "." +
            type + " {" + list(0, sums) + "}, " +
            (fromTile ? std::string("da") : "{" + list(sums + 4 * k, 4) + "}") +
            ", db, " + (k || op.getAcc() ? "p1" : "p0") + ", 1, 1" +
            (fromTile ? ", 0" : "") + (op.getTranspose() ? ", 1" : ", 0") +
            ";\n";
  }
  text += "wgmma.commit_group.sync.aligned;\n}";
  fragments[op.getResult()] = assembly(text, constraints, operands,
                                       SmallVector<Type>(sums, b.getF32Type()));
}

void ProgramLowering::lowerGroupWait(warp::GroupWaitOp op) {
  Registers operands;
  SmallVector<Value> sources(op.getProducts());
  llvm::append_range(sources, op.getBeside());
  for (Value source : sources)
    llvm::append_range(operands, fragments.at(source));
  std::string outputs, inputs;
  SmallVector<Type> types;
  for (auto [index, value] : llvm::enumerate(operands)) {
    outputs += (index ? ",=" : "=");
    outputs += value.getType().isF32() ? "f" : "r";
    inputs += "," + std::to_string(index);
    types.push_back(value.getType());
  }
  Registers all = assembly("wgmma.wait_group.sync.aligned " +
                               std::to_string(op.getPending()) + ";",
                           outputs + inputs, operands, types);
  size_t next = 0;
  for (auto [source, result] : llvm::zip(sources, op.getResults())) {
    const size_t count = fragments.at(source).size();
    fragments[result].assign(all.begin() + next, all.begin() + next + count);
    next += count;
  }
}

//===-- roles -------------------------------------------------------------===//

static constexpr const char *kTakeTurn = "bar.sync $0, 256;";
static constexpr const char *kPassTurn = "bar.arrive $0, 256;";

void ProgramLowering::ifGroup(arith::CmpIPredicate predicate, int32_t number,
                              bool always, function_ref<void()> body) {
  if (always)
    return body();
  auto branch = scf::IfOp::create(
      b, loc,
      arith::CmpIOp::create(b, loc, predicate, consumerGroup, i32(number)),
      false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

void ProgramLowering::lowerTakeTurn(warp::TakeTurnOp op) {
  ifGroup(arith::CmpIPredicate::ne, 0, !op.getFirst(), [&] {
    assembly(kTakeTurn, "r", add(consumerGroup, i32(kFirstTurn)), {});
  });
}

void ProgramLowering::lowerPassTurn(warp::PassTurnOp op) {
  const int32_t last = program.getThreads() / kGroup - 2;
  ifGroup(arith::CmpIPredicate::ne, last, !op.getLast(), [&] {
    Value isLast = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                         consumerGroup, i32(last));
    Value next = select(isLast, i32(kFirstTurn),
                        add(consumerGroup, i32(kFirstTurn + 1)));
    assembly(kPassTurn, "r", next, {});
  });
}

LogicalResult ProgramLowering::lowerRoles(warp::RolesOp op) {
  Value number = div(thread, kGroup);
  // The same for all lanes, which LLVM cannot know otherwise.
  number = NVVM::ShflOp::create(b, loc, b.getI32Type(), i32(-1), number, i32(0),
                                i32(31), NVVM::ShflKind::idx, UnitAttr());
  auto isZero = [&](Value value) -> Value {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, value,
                                 i32(0));
  };
  auto branch = scf::IfOp::create(b, loc, isZero(number), true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  intrinsic("llvm.nvvm.setmaxnreg.dec.sync.aligned.u32", {},
            i32(op.getProducerRegisters()));
  auto one = scf::IfOp::create(b, loc, isZero(thread), false);
  b.setInsertionPointToStart(one.thenBlock());
  if (failed(lowerBlock(op.getProduce().front())))
    return failure();
  b.setInsertionPointToStart(branch.elseBlock());
  intrinsic("llvm.nvvm.setmaxnreg.inc.sync.aligned.u32", {},
            i32(op.getConsumerRegisters()));
  consumerGroup = add(number, i32(-1));
  return lowerBlock(op.getConsume().front());
}

LogicalResult ProgramLowering::lowerGroupOp(Operation &op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(&op)
      .Case([&](warp::BarrierOp) { return success(); })
      .Case(
          [&](warp::ArriveOp arrive) { return lowerArrive(arrive), success(); })
      .Case([&](warp::AwaitOp await) { return lowerAwait(await), success(); })
      .Case([&](warp::MapCopyOp copy) { return lowerMapCopy(copy), success(); })
      .Case([&](warp::ClearOp clear) { return lowerClear(clear), success(); })
      .Case([&](warp::GroupMmaOp mma) { return lowerGroupMma(mma), success(); })
      .Case([&](warp::GroupWaitOp wait) {
        return lowerGroupWait(wait), success();
      })
      .Case(
          [&](warp::TakeTurnOp turn) { return lowerTakeTurn(turn), success(); })
      .Case(
          [&](warp::PassTurnOp turn) { return lowerPassTurn(turn), success(); })
      .Case([&](warp::RolesOp roles) { return lowerRoles(roles); })
      .Default([](Operation *other) -> LogicalResult {
        llvm_unreachable("LowerWarp.cpp lowers every other op of the dialect");
      });
}

} // namespace attnc::gpu
