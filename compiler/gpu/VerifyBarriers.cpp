//===- VerifyBarriers.cpp - nobody reads a tile that has not landed -------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Follows every stage of every tile through traces of a program, for short and
// long sequences. A stage is empty, then in flight (`warp.copy async`), landed
// for the thread that copied it (`warp.wait`, or a copy through registers), and
// visible to all (`warp.sync`). Declined with an error: a read of a stage that
// is not visible (A0528), and a copy to a stage that others may still read, or
// that is in flight (A0529). What runs between roles is followed by
// RoleTrace.cpp.
//
//===----------------------------------------------------------------------===//
#include "compiler/Passes.h"
#include "compiler/gpu/ProgramTrace.h"
#include "compiler/gpu/RoleTrace.h"

using namespace mlir;

namespace attnc {
#define GEN_PASS_DEF_VERIFYBARRIERS
#include "compiler/Passes.h.inc"

namespace {

/// One stage of a tile, as the threads of a block see it.
struct StageState {
  enum { Empty, InFlight, Landed, Visible } state = Empty;
  int64_t group = 0;           ///< of copies, while in flight
  Operation *writer = nullptr; ///< the last copy
  Operation *reader = nullptr; ///< a read since the last barrier
};

class BlockChecker {
public:
  LogicalResult check(ArrayRef<gpu::Event> events);

private:
  LogicalResult copy(const gpu::Event &event);
  LogicalResult read(const gpu::Event &event);
  void wait(int64_t pending);

  std::map<gpu::Staged, StageState> stages;
  int64_t committed = 0; ///< groups of copies so far
};

LogicalResult BlockChecker::copy(const gpu::Event &event) {
  StageState &stage = stages[event.tile];
  if (stage.reader) {
    InFlightDiagnostic error = event.op->emitError(
        "error[A0529]: this copy overwrites a tile that other threads may "
        "still read; a warp.sync is missing between");
    error.attachNote(stage.reader->getLoc()) << "it is read here";
    return error;
  }
  if (stage.state == StageState::InFlight) {
    InFlightDiagnostic error = event.op->emitError(
        "error[A0529]: this copy overwrites a tile that is in flight; a "
        "warp.wait is missing between");
    error.attachNote(stage.writer->getLoc()) << "it is copied here";
    return error;
  }
  auto copied = dyn_cast<warp::CopyOp>(event.op);
  const bool async = copied && copied.getAsync();
  stage.state = async ? StageState::InFlight : StageState::Landed;
  stage.group = committed;
  stage.writer = event.op;
  return success();
}

void BlockChecker::wait(int64_t pending) {
  for (auto &[tile, stage] : stages)
    if (stage.state == StageState::InFlight &&
        stage.group < committed - pending)
      stage.state = StageState::Landed;
}

LogicalResult BlockChecker::read(const gpu::Event &event) {
  StageState &stage = stages[event.tile];
  stage.reader = event.op;
  if (stage.state == StageState::Visible)
    return success();
  if (stage.state == StageState::Empty)
    return event.op->emitError(
        "error[A0528]: this tile is read before anything is copied to it");
  InFlightDiagnostic error =
      event.op->emitError("error[A0528]: this tile is read ")
      << (stage.state == StageState::InFlight
              ? "while its copy is in flight; a warp.wait is missing between"
              : "before other threads' copies are visible; a warp.sync is "
                "missing between");
  error.attachNote(stage.writer->getLoc()) << "it is copied here";
  return error;
}

LogicalResult BlockChecker::check(ArrayRef<gpu::Event> events) {
  for (const gpu::Event &event : events) {
    if (isa<warp::CopyOp, warp::UnpackOp, warp::ScaledCopyOp>(event.op)) {
      if (failed(copy(event)))
        return failure();
    } else if (isa<warp::LoadOp, warp::MmaOp>(event.op)) {
      if (failed(read(event)))
        return failure();
    } else if (isa<warp::CommitOp>(event.op)) {
      ++committed;
    } else if (auto op = dyn_cast<warp::WaitOp>(event.op)) {
      wait(op.getPending());
    } else if (isa<warp::SyncOp>(event.op)) {
      for (auto &[tile, stage] : stages) {
        stage.reader = nullptr;
        if (stage.state == StageState::Landed)
          stage.state = StageState::Visible;
      }
    }
  }
  return success();
}

struct VerifyBarriers : impl::VerifyBarriersBase<VerifyBarriers> {
  using VerifyBarriersBase::VerifyBarriersBase;

  LogicalResult check(warp::ProgramOp program, int64_t number,
                      gpu::Place place) {
    Block &body = program.getBody().front();
    std::vector<gpu::Event> events = gpu::ProgramTrace(number, place).run(body);
    if (failed(BlockChecker().check(events)))
      return failure();
    LogicalResult result = success();
    program.walk([&](warp::RolesOp roles) {
      if (succeeded(result))
        result = gpu::checkRoles(roles, number, place);
    });
    return result;
  }

  void runOnOperation() override {
    // Lengths around those of tiles, and one of many tiles.
    constexpr int64_t kNumbers[] = {0, 1, 40, 64, 130, 300, 3000};
    // The first and the last of one block, of two, and of many: some programs
    // count blocks from the end.
    constexpr gpu::Place kPlaces[] = {{0, 1}, {0, 2}, {1, 2}, {0, 7}, {6, 7}};
    for (auto program : getOperation().getOps<warp::ProgramOp>())
      for (int64_t number : kNumbers)
        for (gpu::Place place : kPlaces)
          if (failed(check(program, number, place)))
            return signalPassFailure();
  }
};
} // namespace
} // namespace attnc
