//===- PlanArena.cpp - turns tensors into slots of the arena --------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Before: programs on tensors, phases numbered. After: every value is a
// `kernel.ref`: an argument of the entry, a weight, a constant, a slot, or a
// view of one. A result of the entry is written in place at the caller's; every
// other dispatch result is a buffer, alive from the phase that writes it to the
// last phase that reads it. Buffers whose phases do not meet share a slot, so a
// slot is taken again only from the phase after its last use. The biggest
// buffers choose first, so that smaller ones fill their slots' free phases. A
// chain of phases (`by_row`) counts as one: its workers do not wait for each
// other, and would write where another still reads.
//
// An optional input gets a buffer too: the caller's NULL becomes its default
// value there, before phase 0.
//
// Declined with an error: a result that no kernel computes on its own (that
// would be a copy, and copies are kernels).
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/schedule/RowChains.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_PLANARENA
#include "compiler/Passes.h.inc"

namespace {

/// A tensor that needs a place in the arena.
struct Buffer {
  Value value; ///< a dispatch result, or an optional argument
  SizeExpr bytes;
  double magnitude;    ///< bytes with every size at its maximum
  int64_t first, last; ///< phases
  int64_t slot = -1;
};

/// True if `small` never exceeds `big`: sizes are not negative.
static bool isAtMost(const SizeExpr &small, const SizeExpr &big) {
  return llvm::all_of(small.getTerms(), [&](const auto &term) {
    auto other = big.getTerms().find(term.first);
    return other != big.getTerms().end() && term.second <= other->second;
  });
}

struct Slot {
  SmallVector<SizeExpr> bytes; ///< the largest counts
  SmallVector<std::pair<int64_t, int64_t>> phases;

  bool isFree(int64_t first, int64_t last) const {
    return llvm::none_of(phases, [&](std::pair<int64_t, int64_t> taken) {
      return taken.first <= last && first <= taken.second;
    });
  }

  void take(const Buffer &buffer) {
    phases.push_back({buffer.first, buffer.last});
    if (llvm::any_of(bytes, [&](const SizeExpr &other) {
          return isAtMost(buffer.bytes, other);
        }))
      return;
    llvm::erase_if(bytes, [&](const SizeExpr &other) {
      return isAtMost(other, buffer.bytes);
    });
    bytes.push_back(buffer.bytes);
  }
};

/// Plans and rewrites one program.
class Planner {
public:
  Planner(kernel::ProgramOp program, const llvm::StringMap<double> &maxima)
      : program(program), maxima(maxima), chains(getChains(program)),
        b(program.getContext()) {}

  LogicalResult run();

  std::vector<Buffer> buffers;
  std::vector<Slot> slots;

private:
  LogicalResult findOutputs();
  void findBuffers();
  void addBuffer(Value value, int64_t first);
  int64_t getLastUse(Value value, int64_t first);
  void assignSlots();
  void rewrite();
  Value refer(Value tensor);

  kernel::ProgramOp program;
  const llvm::StringMap<double> &maxima;
  /// First and last phase of each one's chain: workers pass through a chain
  /// without waiting for each other.
  const SmallVector<std::pair<int64_t, int64_t>> chains;
  OpBuilder b;
  llvm::MapVector<Value, int64_t> outputs; ///< results written at the caller's
  llvm::DenseMap<Value, Value> refs;       ///< the reference of each tensor
};

/// The value with every size at its maximum; as a double, which products of
/// large maxima do not overflow.
static double evaluate(const SizeExpr &expr,
                       const llvm::StringMap<double> &maxima) {
  double sum = 0;
  for (const auto &[product, coefficient] : expr.getTerms()) {
    double term = coefficient;
    for (const std::string &name : product)
      term *= maxima.lookup(name);
    sum += term;
  }
  return sum;
}

static SizeExpr getBytes(RankedTensorType type) {
  return SizeExpr(type.getElementTypeBitWidth() / 8) *
         attn::getProduct(attn::getNamedShape(type));
}

LogicalResult Planner::findOutputs() {
  Operation *ret = program.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(ret->getOperands()))
    if (!value.getDefiningOp<kernel::DispatchOp>() ||
        !outputs.insert({value, index}).second)
      return program.emitError("error[A0414]: result ")
             << index << " of @" << program.getSymName()
             << " is not computed by a kernel of its own; SelectKernels makes "
                "the copy";
  return success();
}

int64_t Planner::getLastUse(Value value, int64_t first) {
  int64_t last = first;
  for (Operation *user : value.getUsers()) {
    if (auto view = dyn_cast<kernel::ViewOp>(user))
      last = std::max(last, getLastUse(view.getResult(), first));
    else if (auto dispatch = dyn_cast<kernel::DispatchOp>(user))
      last = std::max<int64_t>(last, chains[dispatch.getPhase()].second);
  }
  return last;
}

void Planner::addBuffer(Value value, int64_t first) {
  SizeExpr bytes = getBytes(cast<RankedTensorType>(value.getType()));
  buffers.push_back(
      {value, bytes, evaluate(bytes, maxima), first, getLastUse(value, first)});
}

void Planner::findBuffers() {
  for (BlockArgument argument : program.getBody().getArguments())
    if (program.getArgAttr(argument.getArgNumber(),
                           attn::AttnDialect::kDefaultAttr))
      addBuffer(argument, 0);
  for (kernel::DispatchOp dispatch : getDispatches(program))
    for (Value result : dispatch.getResults())
      if (!outputs.contains(result))
        addBuffer(result, chains[dispatch.getPhase()].first);
}

void Planner::assignSlots() {
  SmallVector<Buffer *> order;
  for (Buffer &buffer : buffers)
    order.push_back(&buffer);
  llvm::sort(order, [](const Buffer *left, const Buffer *right) {
    // Equal ones in program order.
    return left->magnitude != right->magnitude
               ? left->magnitude > right->magnitude
               : left < right;
  });
  for (Buffer *buffer : order) {
    // The first slot is the biggest: what it holds already costs nothing more.
    auto slot = llvm::find_if(slots, [&](const Slot &candidate) {
      return candidate.isFree(buffer->first, buffer->last);
    });
    if (slot == slots.end())
      slot = slots.insert(slot, Slot());
    slot->take(*buffer);
    buffer->slot = slot - slots.begin();
  }
}

/// The reference that takes the place of a tensor.
Value Planner::refer(Value tensor) {
  if (isa<attn::StateType>(tensor.getType()))
    return tensor; // the session's, not the arena's
  Value ref = refs.lookup(tensor);
  assert(ref && "every tensor has its place before it is read");
  return ref;
}

void Planner::rewrite() {
  Block &body = program.getBody().front();
  auto refType = [](Value value) {
    return kernel::RefType::get(value.getContext(),
                                cast<RankedTensorType>(value.getType()));
  };
  b.setInsertionPointToStart(&body);
  for (BlockArgument argument : body.getArguments())
    if (!argument.use_empty())
      refs[argument] = kernel::ArgumentOp::create(
          b, program.getLoc(), refType(argument), argument.getArgNumber());
  for (const Buffer &buffer : buffers) {
    if (auto argument = dyn_cast<BlockArgument>(buffer.value)) {
      program.setArgAttr(argument.getArgNumber(),
                         kernel::KernelDialect::kStandInAttr,
                         b.getI64IntegerAttr(buffer.slot));
      continue;
    }
    b.setInsertionPoint(buffer.value.getDefiningOp());
    refs[buffer.value] = kernel::SlotOp::create(
        b, buffer.value.getLoc(), refType(buffer.value), buffer.slot);
  }
  for (auto [value, index] : outputs) {
    b.setInsertionPoint(value.getDefiningOp());
    refs[value] = kernel::ArgumentOp::create(b, value.getLoc(), refType(value),
                                             program.getNumArguments() + index);
  }
  SmallVector<Operation *> dead;
  for (Operation &op : llvm::make_early_inc_range(body)) {
    b.setInsertionPoint(&op);
    if (isa<kernel::WeightOp, kernel::ConstantOp, kernel::ViewOp>(op)) {
      Value result = op.getResult(0);
      if (isa<kernel::RefType>(result.getType()))
        continue;
      Operation *clone = b.clone(op);
      if (isa<kernel::ViewOp>(op))
        clone->setOperand(0, refer(op.getOperand(0)));
      clone->getResult(0).setType(refType(result));
      refs[result] = clone->getResult(0);
      dead.push_back(&op);
    } else if (auto dispatch = dyn_cast<kernel::DispatchOp>(op)) {
      SmallVector<Value> ins, outs;
      for (Value value : dispatch.getIns())
        ins.push_back(refer(value));
      for (Value value : dispatch.getResults())
        outs.push_back(refer(value));
      kernel::DispatchOp::create(
          b, op.getLoc(), TypeRange(), dispatch.getKernelAttr(), ins, outs,
          dispatch.getPhaseAttr(), dispatch.getLabelAttr(),
          dispatch.getByRowAttr(), dispatch.getCyclesAttr(),
          dispatch.getBlockRowsAttr());
      dead.push_back(&op);
    } else if (isa<kernel::EmptyOp>(op)) {
      dead.push_back(&op);
    } else if (isa<kernel::ReturnOp>(op)) {
      op.setOperands({});
    }
  }
  for (Operation *op : llvm::reverse(dead))
    op->erase();
}

LogicalResult Planner::run() {
  if (failed(findOutputs()))
    return failure();
  findBuffers();
  assignSlots();
  rewrite();
  SmallVector<Attribute> all;
  for (const Slot &slot : slots) {
    SmallVector<Attribute> bytes;
    for (const SizeExpr &expr : slot.bytes)
      bytes.push_back(b.getStringAttr(expr.str()));
    all.push_back(b.getArrayAttr(bytes));
  }
  program.setSlotsAttr(b.getArrayAttr(all));
  return success();
}

struct PlanArena : impl::PlanArenaBase<PlanArena> {
  using PlanArenaBase::PlanArenaBase;

  /// Each size's maximum, a derived size's by its bound.
  llvm::StringMap<double> getMaxima() {
    llvm::StringMap<double> maxima;
    for (attn::SizeOp size : getSizes(getOperation()))
      if (!size.getDerived())
        maxima[size.getSymName()] = size.getMaximum().value_or(1);
    for (attn::SizeOp size : getSizes(getOperation()))
      if (std::optional<StringRef> bound = size.getDerived())
        maxima[size.getSymName()] = evaluate(*SizeExpr::parse(*bound), maxima);
    return maxima;
  }

  void runOnOperation() override {
    llvm::StringMap<double> maxima = getMaxima();
    for (auto variant : getOperation().getOps<kernel::VariantOp>())
      for (auto program : variant.getBody().getOps<kernel::ProgramOp>()) {
        if (program.hasSlots())
          continue;
        Planner planner(program, maxima);
        if (failed(planner.run()))
          return signalPassFailure();
        tensors += planner.buffers.size();
        slots += planner.slots.size();
      }
  }
};
} // namespace
} // namespace attnc
