//===- CutPhases.cpp - numbers the dispatches by phase --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Dispatches stay in program order. A new phase starts where a dispatch touches
// what an earlier dispatch of the current phase writes, or writes what one
// reads; around every serial kernel; between products with a row region, or
// attention with a cache, whose workers are counted (attn_frame.arrived);
// between attention with a cache, which leaves in scratch what the last worker
// adds up, and what writes there; and nowhere else. Derived sizes
// count as memory: pack_index writes them, every kernel whose types name them
// reads them. So do states, to which attn.append writes.
//
// A phase of products that need of what the phases before them made for a row
// that row only is marked `by_row`: no worker has to wait there (RowChains.h).
//
// Every dispatch gets its `cycles`, by which the runtime decides how many
// workers a phase is worth, and the first of a chain its `block_rows`.
//
// Before and after: programs in the tensor form; only these attributes of
// dispatches change.
// Declined with an error: a derived size that is read before it is known.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/schedule/RowChains.h"
#include "compiler/schedule/Work.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_CUTPHASES
#include "compiler/Passes.h.inc"

namespace {

/// What the dispatches of one phase touch.
struct Footprint {
  llvm::SmallPtrSet<Value, 8> reads, writes;
  llvm::StringSet<> readSizes, writtenSizes;
  bool counts = false; ///< workers as they finish, which a phase can do once
  bool leavesScratch = false; ///< to the worker that finishes last
  bool writesScratch = false;

  void add(const Footprint &other) {
    reads.insert(other.reads.begin(), other.reads.end());
    writes.insert(other.writes.begin(), other.writes.end());
    for (const auto &size : other.readSizes)
      readSizes.insert(size.getKey());
    for (const auto &size : other.writtenSizes)
      writtenSizes.insert(size.getKey());
    counts |= other.counts;
    leavesScratch |= other.leavesScratch;
    writesScratch |= other.writesScratch;
  }

  /// Whether `next` may run at the same time.
  bool isIndependent(const Footprint &next) const {
    auto touches = [](const auto &from, const auto &to) {
      return llvm::any_of(from,
                          [&](Value value) { return to.contains(value); });
    };
    auto names = [](const llvm::StringSet<> &from,
                    const llvm::StringSet<> &to) {
      return llvm::any_of(
          from, [&](const auto &size) { return to.contains(size.getKey()); });
    };
    return !touches(writes, next.reads) && !touches(writes, next.writes) &&
           !touches(reads, next.writes) &&
           !names(writtenSizes, next.readSizes) && !(counts && next.counts) &&
           !(leavesScratch && next.writesScratch) &&
           !names(readSizes, next.writtenSizes);
  }
};

struct CutPhases : impl::CutPhasesBase<CutPhases> {
  using CutPhasesBase::CutPhasesBase;

  /// Collects the derived sizes that a type names.
  void addSizes(Type type, llvm::StringSet<> &sizes) {
    if (isa<attn::StateType>(type))
      return;
    for (const SizeExpr &dim : attn::getNamedShape(kernel::getTensorType(type)))
      for (const std::string &name : dim.names())
        if (derived.contains(name))
          sizes.insert(name);
  }

  Footprint getFootprint(kernel::DispatchOp dispatch, kernel::FuncOp kernel) {
    Footprint footprint;
    bool definesSizes = isa<attn::PackIndexOp>(kernel.getComputeOp());
    bool appends = isa<attn::AppendOp>(kernel.getComputeOp());
    auto linear = dyn_cast<attn::LinearOp>(kernel.getComputeOp());
    footprint.leavesScratch =
        isa<attn::CachedAttentionOp>(kernel.getComputeOp());
    footprint.writesScratch = kernel.getScratch().has_value();
    footprint.counts =
        (linear && !linear.getRowEpilogue().empty()) || footprint.leavesScratch;
    for (Value value : dispatch.getIns()) {
      footprint.reads.insert(getPlace(value).root);
      if (appends && isa<attn::StateType>(value.getType()))
        footprint.writes.insert(value);
      addSizes(value.getType(), footprint.readSizes);
    }
    for (auto [out, result] :
         llvm::zip(dispatch.getOuts(), dispatch.getResults())) {
      footprint.writes.insert(result);
      footprint.writes.insert(getPlace(out).root);
      addSizes(result.getType(),
               definesSizes ? footprint.writtenSizes : footprint.readSizes);
    }
    return footprint;
  }

  LogicalResult cut(kernel::ProgramOp program) {
    Footprint current;
    llvm::StringSet<> known;
    int64_t phase = 0;
    bool isEmpty = true, wasSerial = false;
    for (kernel::DispatchOp dispatch : getDispatches(program)) {
      kernel::FuncOp kernel = getKernel(dispatch);
      Footprint next = getFootprint(dispatch, kernel);
      for (const auto &size : next.readSizes)
        if (!known.contains(size.getKey()))
          return dispatch.emitError("error[A0413]: the size '")
                 << size.getKey()
                 << "' is read before attn.pack_index has found it";
      if (!isEmpty &&
          (wasSerial || kernel.getSerial() || !current.isIndependent(next))) {
        ++phase;
        current = Footprint();
      }
      dispatch.setPhase(phase);
      current.add(next);
      for (const auto &size : next.writtenSizes)
        known.insert(size.getKey());
      isEmpty = false;
      wasSerial = kernel.getSerial();
    }
    return success();
  }

  /// Marks the phases that go on row by row.
  void chain(kernel::ProgramOp program) {
    std::optional<RowShare> share; // of the chain at hand
    llvm::SmallPtrSet<Value, 8> written;
    ArrayRef<kernel::DispatchOp> rest;
    SmallVector<kernel::DispatchOp> all = getDispatches(program);
    for (rest = all; !rest.empty();) {
      const int64_t number = kernel::DispatchOp(rest.front()).getPhase();
      auto phase = rest.take_while([&](kernel::DispatchOp dispatch) {
        return int64_t(dispatch.getPhase()) == number;
      });
      rest = rest.drop_front(phase.size());
      const bool goesOn =
          share && llvm::all_of(phase, [&](kernel::DispatchOp dispatch) {
            return followsByRow(dispatch, *share, written);
          });
      if (!goesOn) {
        written.clear();
        share = getCommonShare(phase);
      }
      for (kernel::DispatchOp dispatch : phase) {
        dispatch.setByRow(goesOn);
        written.insert(dispatch.result_begin(), dispatch.result_end());
      }
    }
  }

  /// How the dispatches of a phase share out rows, if all do alike.
  static std::optional<RowShare>
  getCommonShare(ArrayRef<kernel::DispatchOp> phase) {
    std::optional<RowShare> first = getRowShare(getKernel(phase.front()));
    for (kernel::DispatchOp dispatch : phase.drop_front())
      if (!first || !isAlike(*first, getRowShare(getKernel(dispatch))))
        return std::nullopt;
    return first;
  }

  static bool isAlike(const RowShare &one,
                      const std::optional<RowShare> &other) {
    return other && one.rows == other->rows && one.tileRows == other->tileRows;
  }

  /// Whether the dispatch shares out the rows of a chain that has `written` so
  /// far, and needs no more of that for a row than the same row.
  static bool followsByRow(kernel::DispatchOp dispatch, const RowShare &share,
                           const llvm::SmallPtrSetImpl<Value> &written) {
    kernel::FuncOp kernel = getKernel(dispatch);
    if (!isAlike(share, getRowShare(kernel)))
      return false;
    return llvm::all_of(llvm::enumerate(dispatch.getIns()), [&](auto operand) {
      return !written.contains(getPlace(operand.value()).root) ||
             readsByRow(kernel, operand.index());
    });
  }

  /// What phases and chains cost.
  void describe(kernel::ProgramOp program) {
    for (kernel::DispatchOp dispatch : getDispatches(program))
      if (std::optional<SizeExpr> cycles = getCycles(dispatch))
        dispatch.setCycles(cycles->str());
    for (auto [phase, ends] : llvm::enumerate(getChains(program)))
      if (const RowChain chain = getRowChain(program, phase); chain.phases)
        getFirstDispatch(program, phase).setBlockRows(chain.blockRows);
  }

  void runOnOperation() override {
    derived.clear();
    for (attn::SizeOp size : getSizes(getOperation()))
      if (size.getDerived())
        derived.insert(size.getSymName());
    for (auto variant : getOperation().getOps<kernel::VariantOp>())
      for (auto program : variant.getBody().getOps<kernel::ProgramOp>()) {
        if (failed(cut(program)))
          return signalPassFailure();
        chain(program);
        describe(program);
      }
  }

  llvm::StringSet<> derived;
};
} // namespace
} // namespace attnc
