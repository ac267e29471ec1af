//===- WarpVerifiers.cpp - constraints of the warp dialect ----------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Constraint N of an op, as its description numbers them, is checked at the
// label `op_cN`.
//
//===----------------------------------------------------------------------===//
#include "dialects/warp/Warp.h"

using namespace mlir;

namespace attnc::warp {

//===-- programs and tiles ------------------------------------------------===//

LogicalResult ProgramOp::verify() {
  // program_c1
  const int64_t threads = getThreads();
  if (threads < 32 || threads > 1024 || threads % 32)
    return emitOpError() << "expects a multiple of 32 threads between 32 and "
                            "1024, got "
                         << threads;
  // program_c2
  if (getBody().empty() || getBody().front().empty() ||
      !isa<ReturnOp>(getBody().front().back()))
    return emitOpError("expects a body that ends with warp.return");
  for (Type type : getArgumentTypes())
    if (!isa<LLVM::LLVMPointerType>(type))
      return emitOpError() << "expects arguments that are pointers, got "
                           << type;
  return success();
}

LogicalResult AllocOp::verify() {
  // alloc_c1
  if (!isa<ProgramOp>((*this)->getParentOp()))
    return emitOpError("expects to stand directly in the body of a program");
  TileType type = getTile().getType();
  // alloc_c2
  constexpr int64_t kSmallPanel = 64;
  if (getPanels() && (type.getRowBytes() % kSmallPanel || type.getRows() % 8))
    return emitOpError() << "expects panels to hold a multiple of 8 rows of a "
                            "multiple of 64 bytes, got "
                         << type;
  // alloc_c3
  if (getOffset().has_value() != getLayout().has_value())
    return emitOpError("expects 'offset' and 'layout' together");
  const int64_t alignment = getPanels() ? 1024 : 128;
  if (getOffset() && *getOffset() % alignment)
    return emitOpError() << "expects an offset that is a multiple of "
                         << alignment << ", got " << *getOffset();
  return success();
}

LogicalResult StageOp::verify() {
  // stage_c1
  TileType tile = getTile().getType(), result = getResult().getType();
  if (!getTile().getDefiningOp<AllocOp>())
    return emitOpError("expects a tile that warp.alloc made");
  if (result != TileType::get(getContext(), 1, tile.getRows(),
                              tile.getColumns(), tile.getElement()))
    return emitOpError() << "expects one stage of " << tile << ", got "
                         << result;
  return success();
}

/// One stage of a tile that passes can follow to its allocation.
static LogicalResult verifyOneStage(Operation *op, Value tile) {
  if (cast<TileType>(tile.getType()).getStages() != 1)
    return op->emitOpError() << "expects one stage of a tile, got "
                             << tile.getType() << "; use warp.stage";
  if (!getAlloc(tile))
    return op->emitOpError(
        "expects a tile that comes from warp.alloc or warp.stage");
  return success();
}

LogicalResult CopyOp::verify() {
  // copy_c1
  if (getAsync() &&
      (!getAligned() || getElement() != getTile().getType().getElement()))
    return emitOpError("expects 'async' to come with 'aligned' and a tile of "
                       "the source's type");
  // copy_c2
  return verifyOneStage(*this, getTile());
}

LogicalResult WaitOp::verify() {
  // wait_c1
  if (static_cast<int64_t>(getPending()) < 0)
    return emitOpError("expects a number of groups that is not negative");
  return success();
}

//===-- fragments ---------------------------------------------------------===//

LogicalResult LoadOp::verify() {
  // load_c1
  if (failed(verifyOneStage(*this, getTile())))
    return failure();
  TileType tile = getTile().getType();
  FragmentType type = getResult().getType();
  if (tile.getElement() != type.getElement())
    return emitOpError() << "expects a fragment of " << tile.getElement()
                         << ", got " << type;
  // load_c2
  const bool isRhs = type.getRole() == Role::rhs;
  if (type.getRole() == Role::acc)
    return emitOpError("expects a fragment lhs or rhs");
  if ((getTranspose() || getPaired()) && !isRhs)
    return emitOpError("expects 'transpose' and 'paired' on rhs only");
  if (getPaired() && !type.getElement().isF32())
    return emitOpError("expects 'paired' on f32 only");
  int64_t rows = type.getRows(), columns = type.getColumns();
  if (isRhs && !getTranspose())
    std::swap(rows, columns);
  if (rows > tile.getRows() || columns > tile.getColumns())
    return emitOpError() << type << " does not fit " << tile;
  return success();
}

LogicalResult MmaOp::verify() {
  // mma_c1
  FragmentType lhs = getLhs().getType(), rhs = getRhs().getType();
  FragmentType acc = getAcc().getType();
  if (lhs.getRole() != Role::lhs || rhs.getRole() != Role::rhs ||
      acc.getRole() != Role::acc || lhs.getColumns() != rhs.getRows() ||
      acc.getRows() != lhs.getRows() || acc.getColumns() != rhs.getColumns())
    return emitOpError() << "expects lhs of M x K, rhs of K x N and acc of M x "
                            "N, got "
                         << lhs << ", " << rhs << ", " << acc;
  // mma_c2
  if (lhs.getElement() != rhs.getElement() ||
      lhs.getElement().isF32() != getPrecision().has_value())
    return emitOpError("expects operands of one type, and 'precision' exactly "
                       "where they are f32");
  // mma_c3
  if (!getRhs().getDefiningOp<LoadOp>())
    return emitOpError("expects a right operand that warp.load gives");
  return success();
}

static bool isAcc(Type type) {
  auto fragment = dyn_cast<FragmentType>(type);
  return fragment && fragment.getRole() == Role::acc;
}

static int64_t getRowCount(Type type) {
  if (auto rows = dyn_cast<RowsType>(type))
    return rows.getRows();
  return cast<FragmentType>(type).getRows();
}

LogicalResult SplatOp::verify() {
  // splat_c1
  if (!isAcc(getResult().getType()) && !isa<RowsType>(getResult().getType()))
    return emitOpError("expects an accumulator or rows");
  return success();
}

LogicalResult MapOp::verify() {
  // map_c1
  if (getNumResults() == 0)
    return emitOpError("expects a result");
  const bool rowsOnly = isa<RowsType>(getResult(0).getType());
  Type acc;
  SmallVector<Type> all(getInputs().getTypes());
  llvm::append_range(all, getResultTypes());
  for (Type type : all) {
    if (isAcc(type)) {
      if (acc && acc != type)
        return emitOpError("expects accumulators of one shape, got ")
               << acc << " and " << type;
      acc = type;
    } else if (!isa<RowsType>(type)) {
      return emitOpError() << "expects accumulators and rows, got " << type;
    }
    if (getRowCount(type) != getRowCount(all.back()))
      return emitOpError("expects as many rows everywhere");
  }
  if (llvm::any_of(getResultTypes(),
                   [&](Type type) { return isa<RowsType>(type) != rowsOnly; }))
    return emitOpError("expects results that are all accumulators or all rows");
  // map_c2
  if (rowsOnly && acc)
    return emitOpError("expects rows as inputs where results are rows");
  // map_c3
  Block &block = getBody().front();
  const unsigned inputs = getInputs().size();
  const unsigned coordinates = rowsOnly ? 1 : 2;
  bool good = block.getNumArguments() == inputs + coordinates;
  for (BlockArgument argument : block.getArguments())
    good &= argument.getArgNumber() < inputs ? argument.getType().isF32()
                                             : argument.getType().isInteger(32);
  if (!good)
    return emitOpError() << "expects the region to take " << inputs
                         << " x f32, then the row"
                         << (rowsOnly ? "" : " and the column") << " as i32";
  auto yield = dyn_cast<YieldOp>(block.back());
  if (!yield || yield.getNumOperands() != getNumResults())
    return emitOpError() << "expects the region to yield " << getNumResults()
                         << " x f32";
  return success();
}

LogicalResult ReduceOp::verify() {
  // reduce_c1
  Type input = getInput().getType();
  if (getRowCount(input) != getResult().getType().getRows() ||
      !(isAcc(input) || (isa<RowsType>(input) && getAcross())))
    return emitOpError("expects an accumulator, or rows with 'across', of as "
                       "many rows as the result");
  return success();
}

LogicalResult ConvertOp::verify() {
  // convert_c1
  FragmentType input = getInput().getType(), result = getResult().getType();
  const int64_t column = getColumn();
  if (!isAcc(input) || result.getRole() != Role::lhs ||
      input.getRows() != result.getRows() || column < 0 ||
      column % (result.getElement().isF32() ? 8 : 16) ||
      column + result.getColumns() > input.getColumns())
    return emitOpError() << "expects lhs of whole blocks of columns within "
                         << input << ", got " << result << " at column "
                         << column;
  return success();
}

LogicalResult StoreOp::verify() {
  // store_c1
  if (!isAcc(getValue().getType()))
    return emitOpError("expects an accumulator");
  return success();
}

//===-- warp groups -------------------------------------------------------===//

LogicalResult BarrierOp::verify() {
  // barrier_c1
  if (!isa<ProgramOp>((*this)->getParentOp()) ||
      static_cast<int64_t>(getArrivals()) < 1)
    return emitOpError("expects to stand directly in the body of a program, "
                       "with at least one arrival");
  return success();
}

static LogicalResult verifyPanels(Operation *op, Value tile) {
  if (failed(verifyOneStage(op, tile)))
    return failure();
  if (!getAlloc(tile).getPanels())
    return op->emitOpError("expects a tile in panels");
  return success();
}

LogicalResult MapCopyOp::verify() {
  // map_copy_c1
  if (getCoordinates().size() < 2 || getCoordinates().size() > 5)
    return emitOpError() << "expects two to five coordinates, got "
                         << getCoordinates().size();
  // map_copy_c2
  return verifyPanels(*this, getTile());
}

LogicalResult ClearOp::verify() {
  // clear_c1
  return verifyPanels(*this, getTile());
}

LogicalResult GroupMmaOp::verify() {
  // group_mma_c1
  auto tile = dyn_cast<TileType>(getLhs().getType());
  auto fragment = dyn_cast<FragmentType>(getLhs().getType());
  if (bool(tile) != bool(getLhsRow()) ||
      (fragment &&
       (fragment.getRole() != Role::lhs || fragment.getRows() != 16)))
    return emitOpError("expects a tile with its row, or a fragment lhs of 16 "
                       "rows without one");
  if ((tile && failed(verifyPanels(*this, getLhs()))) ||
      failed(verifyPanels(*this, getRhs())))
    return failure();
  Type element = getRhs().getType().getElement();
  if ((!element.isBF16() && !element.isF16()) ||
      element != (tile ? tile.getElement() : fragment.getElement()))
    return emitOpError("expects operands of bf16 or of f16");
  // group_mma_c2
  TileType rhs = getRhs().getType();
  FragmentType result = getResult().getType().getFragment();
  const int64_t depth = tile ? tile.getColumns() : fragment.getColumns();
  const int64_t rhsDepth = getTranspose() ? rhs.getRows() : rhs.getColumns();
  const int64_t columns = getTranspose() ? rhs.getColumns() : rhs.getRows();
  if (!isAcc(result) || result.getRows() != 16 || depth != rhsDepth ||
      columns != result.getColumns() || columns > 256)
    return emitOpError() << "expects a result of 16 rows and as many columns "
                            "as rhs has, at most 256, and one depth; got "
                         << result << " from " << getLhs().getType() << " and "
                         << rhs;
  if (getAcc() && getAcc().getType() != result &&
      getAcc().getType() != getResult().getType())
    return emitOpError("expects to add to an accumulator of the result's type");
  // group_mma_c3
  if (getTranspose() && tile)
    return emitOpError("expects 'transpose' with a fragment as lhs only");
  return success();
}

LogicalResult GroupWaitOp::verify() {
  // group_wait_c1
  bool good = static_cast<int64_t>(getPending()) >= 0 &&
              getNumResults() == getProducts().size() + getBeside().size();
  for (unsigned i = 0; good && i < getNumResults(); ++i) {
    Type type = getResult(i).getType();
    if (i >= getProducts().size()) {
      good = type == getBeside()[i - getProducts().size()].getType();
      continue;
    }
    auto product = cast<PendingType>(getProducts()[i].getType());
    good = type == product.getFragment() || type == product;
  }
  if (!good)
    return emitOpError("expects a number that is not negative, and as results "
                       "the fragments of the products, then those beside");
  return success();
}

static LogicalResult verifyTurn(Operation *op) {
  auto roles = op->getParentOfType<RolesOp>();
  auto program = op->getParentOfType<ProgramOp>();
  // Named barriers of a block are 16; four of them are turns.
  constexpr int64_t kGroup = 128, kFewest = 2, kMost = 4;
  const int64_t groups = program ? program.getThreads() / kGroup - 1 : 0;
  if (!roles || !roles.getConsume().isAncestor(op->getParentRegion()) ||
      groups < kFewest || groups > kMost)
    return op->emitOpError("expects to stand within 'consume' of warp.roles, "
                           "with two to four groups that consume");
  return success();
}

LogicalResult TakeTurnOp::verify() {
  // take_turn_c1
  return verifyTurn(*this);
}

LogicalResult PassTurnOp::verify() {
  // pass_turn_c1
  return verifyTurn(*this);
}

LogicalResult RolesOp::verify() {
  // roles_c1
  for (int64_t registers : {getProducerRegisters(), getConsumerRegisters()})
    if (registers < 24 || registers > 256 || registers % 8)
      return emitOpError() << "expects multiples of 8 registers between 24 and "
                              "256, got "
                           << registers;
  // roles_c2
  auto program = (*this)->getParentOfType<ProgramOp>();
  if (!program || program.getThreads() % 128 || program.getThreads() < 256)
    return emitOpError("expects a program with a multiple of 128 threads, at "
                       "least 256");
  return success();
}

} // namespace attnc::warp
