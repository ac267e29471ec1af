//===- RoleTrace.cpp - producers and consumers keep in step ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The producer and one consumer, which stands for all of them, take turns; each
// runs until it waits for a phase that has not ended. A copy lands when its
// barrier's phase ends, and is visible to a consumer that then waited for it. A
// product reads its tiles until a `warp.group_wait` says that it ended; a read
// is over for the producer when it waited for an arrival that came after.
// Declined with an error: reads of what is not visible (A0528), copies to what
// is in use (A0529), a wait that nobody ends (A0533).
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RoleTrace.h"
#include "compiler/gpu/ProgramTrace.h"
#include <map>
#include <set>

using namespace mlir;

namespace attnc::gpu {

namespace {

struct TileState {
  enum { Empty, InFlight, Landed, Visible } state = Empty;
  Operation *writer = nullptr;
  Operation *reader = nullptr; ///< a product that the producer must wait for
  int64_t reads = 0;           ///< number of the last read, in program order
};

struct BarrierState {
  int64_t phases = 0;   ///< that ended
  int64_t arrivals = 0; ///< in this phase
  std::set<Staged>
      copies; ///< that arrive in this phase, or arrived in the last
  std::set<Staged> landed;
  int64_t readsBefore = 0; ///< reads that were over when it was arrived at
  int64_t endedReads = 0;  ///< the same, of the phases that ended
};

/// One role's events and how far it is.
struct Role {
  std::vector<Event> events;
  size_t next = 0;
  bool done() const { return next == events.size(); }
};

class RoleChecker {
public:
  RoleChecker(warp::RolesOp roles, int64_t number) : roles(roles) {
    ProgramTrace trace(number);
    producer.events = trace.run(roles.getProduce().front());
    consumer.events = trace.run(roles.getConsume().front());
    auto program = roles->getParentOfType<warp::ProgramOp>();
    consumerThreads = program.getThreads() - 128;
  }

  LogicalResult check();

private:
  FailureOr<bool> step(Role &role);
  void arrive(const Event &event, bool isProducer);
  void endPhase(BarrierState &barrier);
  LogicalResult copy(const Event &event);
  LogicalResult read(const Event &event);
  void waitForProducts(int64_t pending);

  warp::RolesOp roles;
  Role producer, consumer;
  int64_t consumerThreads;
  std::map<Staged, TileState> tiles;
  std::map<Staged, BarrierState> barriers;
  int64_t reads = 0;             ///< products so far
  std::vector<int64_t> inFlight; ///< products that have not ended, by number
};

void RoleChecker::endPhase(BarrierState &barrier) {
  ++barrier.phases;
  barrier.arrivals = 0;
  barrier.endedReads = barrier.readsBefore;
  for (const Staged &tile : barrier.copies)
    if (tiles[tile].state == TileState::InFlight)
      tiles[tile].state = TileState::Landed;
  barrier.landed = std::move(barrier.copies);
  barrier.copies.clear();
}

/// The copies that a producer's arrival waits for follow it in program order;
/// they are taken as arriving when the consumer next looks.
void RoleChecker::arrive(const Event &event, bool isProducer) {
  BarrierState &barrier = barriers[event.barrier];
  barrier.arrivals += isProducer ? 1 : consumerThreads;
  if (!isProducer)
    barrier.readsBefore = inFlight.empty() ? reads : inFlight.front() - 1;
}

LogicalResult RoleChecker::copy(const Event &event) {
  TileState &tile = tiles[event.tile];
  if (tile.reader || tile.state == TileState::InFlight) {
    InFlightDiagnostic error = event.op->emitError(
        "error[A0529]: this copy overwrites a tile that is in use; the "
        "producer has to wait for an arrival that comes after");
    error.attachNote((tile.reader ? tile.reader : tile.writer)->getLoc())
        << "it is used here";
    return error;
  }
  tile.state = TileState::InFlight;
  tile.writer = event.op;
  barriers[event.barrier].copies.insert(event.tile);
  return success();
}

LogicalResult RoleChecker::read(const Event &event) {
  TileState &tile = tiles[event.tile];
  if (tile.state != TileState::Visible) {
    InFlightDiagnostic error = event.op->emitError(
        "error[A0528]: this tile is read before its copy arrived; a "
        "warp.await of its barrier is missing");
    if (tile.writer)
      error.attachNote(tile.writer->getLoc()) << "it is copied here";
    return error;
  }
  tile.reader = event.op;
  tile.reads = reads;
  return success();
}

void RoleChecker::waitForProducts(int64_t pending) {
  while (int64_t(inFlight.size()) > pending)
    inFlight.erase(inFlight.begin());
}

/// Runs one event; false if the role has to wait.
FailureOr<bool> RoleChecker::step(Role &role) {
  const Event &event = role.events[role.next];
  const bool isProducer = &role == &producer;
  if (isa<warp::AwaitOp>(event.op)) {
    BarrierState &barrier = barriers[event.barrier];
    auto op = cast<warp::BarrierOp>(event.barrier.owner);
    if (barrier.arrivals >= static_cast<int64_t>(op.getArrivals()))
      endPhase(barrier);
    // The phase before the first has parity 1.
    if ((barrier.phases + 1) % 2 != event.parity)
      return false;
    if (isProducer) {
      for (auto &[place, tile] : tiles)
        if (tile.reader && tile.reads <= barrier.endedReads)
          tile.reader = nullptr;
    } else {
      for (const Staged &place : barrier.landed)
        if (tiles[place].state == TileState::Landed)
          tiles[place].state = TileState::Visible;
    }
  } else if (isa<warp::ArriveOp>(event.op)) {
    arrive(event, isProducer);
  } else if (isa<warp::MapCopyOp>(event.op)) {
    if (failed(copy(event)))
      return failure();
  } else if (auto mma = dyn_cast<warp::GroupMmaOp>(event.op)) {
    const bool first = role.next == 0 ||
                       role.events[role.next - 1].op != event.op ||
                       !isa<warp::TileType>(mma.getLhs().getType());
    if (first)
      inFlight.push_back(++reads);
    if (failed(read(event)))
      return failure();
  } else if (auto wait = dyn_cast<warp::GroupWaitOp>(event.op)) {
    waitForProducts(wait.getPending());
  }
  ++role.next;
  return true;
}

LogicalResult RoleChecker::check() {
  while (!producer.done() || !consumer.done()) {
    bool moved = false;
    for (Role *role : {&producer, &consumer})
      while (!role->done()) {
        FailureOr<bool> ran = step(*role);
        if (failed(ran))
          return failure();
        if (!*ran)
          break;
        moved = true;
      }
    if (!moved) {
      Role &stuck = producer.done() ? consumer : producer;
      return stuck.events[stuck.next].op->emitError(
          "error[A0533]: this wait never ends: nobody arrives at the phase "
          "that it waits for");
    }
  }
  return success();
}

} // namespace

LogicalResult checkRoles(warp::RolesOp roles, int64_t number) {
  return RoleChecker(roles, number).check();
}

} // namespace attnc::gpu
