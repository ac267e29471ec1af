//===- RoleTrace.cpp - producers and consumers keep in step ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The producer and every group that consumes take turns here; each runs until
// it waits for a phase that has not ended, or for its turn. A copy lands when
// its barrier's phase ends, and is visible to a consumer that then waited for
// it. A product reads its tiles until a `warp.group_wait` says that it ended; a
// read is over for the producer when it waited for an arrival that came after.
// Groups that clear a tile write at once and wait for each other behind that:
// what one has read before, another may still read.
// Declined with an error: reads and clears of what is not visible (A0528),
// copies to and clears of what is in use (A0529), a wait that nobody ends
// (A0533), a turn that is passed by a group that does not have it, kept, or
// marked wrongly as first or last (A0536).
//
//===----------------------------------------------------------------------===//
#include "compiler/gpu/RoleTrace.h"
#include "compiler/gpu/ProgramTrace.h"
#include <map>
#include <set>

using namespace mlir;

namespace attnc::gpu {

namespace {

/// What one consumer does to a tile.
struct View {
  bool isVisible = false;
  Operation *reader = nullptr; ///< a product that the producer must wait for
  int64_t reads = 0;           ///< number of the last read, in program order
};

struct TileState {
  enum { Empty, InFlight, Landed } state = Empty;
  Operation *writer = nullptr;
  std::vector<View> views; ///< of consumers

  Operation *reader() const {
    for (const View &view : views)
      if (view.reader)
        return view.reader;
    return nullptr;
  }
};

struct BarrierState {
  int64_t phases = 0;   ///< that ended
  int64_t arrivals = 0; ///< in this phase
  std::set<Staged>
      copies; ///< that arrive in this phase, or arrived in the last
  std::set<Staged> landed;
  std::vector<int64_t> readsBefore; ///< reads of each consumer that were over
                                    ///< when it arrived
  std::vector<int64_t> endedReads;  ///< the same, of the phases that ended
};

/// One role's events and how far it is.
struct Role {
  std::vector<Event> events;
  size_t next = 0;
  int64_t consumer = -1;         ///< its number
  int64_t reads = 0;             ///< products so far
  std::vector<int64_t> inFlight; ///< products that have not ended, by number
  int64_t turns = 0;             ///< that it took
  bool hasTurn = false;
  int64_t clears = 0;     ///< that it wrote its part of
  bool isWaiting = false; ///< for the others' parts of the last one
  bool done() const { return next == events.size(); }
  bool isProducer() const { return consumer < 0; }
};

class RoleChecker {
public:
  RoleChecker(warp::RolesOp roles, int64_t number, Place place);
  LogicalResult check();

private:
  FailureOr<bool> step(Role &role);
  bool await(Role &role, const Event &event);
  void arrive(Role &role, const Event &event);
  void endPhase(BarrierState &barrier);
  LogicalResult copy(const Event &event);
  LogicalResult multiply(Role &role, const Event &event);
  LogicalResult read(Role &role, const Event &event);
  FailureOr<bool> clear(Role &role, const Event &event);
  FailureOr<bool> takeTurn(Role &role, warp::TakeTurnOp op);
  LogicalResult passTurn(Role &role, warp::PassTurnOp op);
  TileState &tile(const Staged &place);
  BarrierState &barrier(const Staged &place);

  static constexpr int64_t kGroup = 128; ///< threads
  int64_t consumers;
  std::vector<Role> all; ///< the producer, then consumers
  std::map<Staged, TileState> tiles;
  std::map<Staged, BarrierState> barriers;
  int64_t turnsPassed = 0;
};

RoleChecker::RoleChecker(warp::RolesOp roles, int64_t number, Place place) {
  auto program = roles->getParentOfType<warp::ProgramOp>();
  consumers = program.getThreads() / kGroup - 1;
  all.resize(1 + consumers);
  ProgramTrace trace(number, place);
  all[0].events = trace.run(roles.getProduce().front());
  std::vector<Event> events = trace.run(roles.getConsume().front());
  for (int64_t i = 0; i < consumers; ++i) {
    all[1 + i].events = events;
    all[1 + i].consumer = i;
  }
}

TileState &RoleChecker::tile(const Staged &place) {
  TileState &tile = tiles[place];
  tile.views.resize(consumers);
  return tile;
}

BarrierState &RoleChecker::barrier(const Staged &place) {
  BarrierState &barrier = barriers[place];
  barrier.readsBefore.resize(consumers);
  barrier.endedReads.resize(consumers);
  return barrier;
}

void RoleChecker::endPhase(BarrierState &barrier) {
  ++barrier.phases;
  barrier.arrivals = 0;
  barrier.endedReads = barrier.readsBefore;
  for (const Staged &place : barrier.copies)
    if (tiles[place].state == TileState::InFlight)
      tiles[place].state = TileState::Landed;
  barrier.landed = std::move(barrier.copies);
  barrier.copies.clear();
}

/// The copies that a producer's arrival waits for follow it in program order;
/// they are taken as arriving when the consumer next looks.
void RoleChecker::arrive(Role &role, const Event &event) {
  BarrierState &state = barrier(event.barrier);
  state.arrivals += role.isProducer() ? 1 : kGroup;
  if (!role.isProducer())
    state.readsBefore[role.consumer] =
        role.inFlight.empty() ? role.reads : role.inFlight.front() - 1;
}

LogicalResult RoleChecker::copy(const Event &event) {
  TileState &target = tile(event.tile);
  Operation *reader = target.reader();
  if (reader || target.state == TileState::InFlight) {
    InFlightDiagnostic error = event.op->emitError(
        "error[A0529]: this copy overwrites a tile that is in use; the "
        "producer has to wait for an arrival that comes after");
    error.attachNote((reader ? reader : target.writer)->getLoc())
        << "it is used here";
    return error;
  }
  target.state = TileState::InFlight;
  target.writer = event.op;
  for (View &view : target.views)
    view.isVisible = false;
  barrier(event.barrier).copies.insert(event.tile);
  return success();
}

LogicalResult RoleChecker::read(Role &role, const Event &event) {
  TileState &source = tile(event.tile);
  // A producer reads nothing.
  View &view = source.views[std::max<int64_t>(role.consumer, 0)];
  if (role.isProducer() || !view.isVisible) {
    InFlightDiagnostic error = event.op->emitError(
        "error[A0528]: this tile is read before its copy arrived; a "
        "warp.await of its barrier is missing");
    if (source.writer)
      error.attachNote(source.writer->getLoc()) << "it is copied here";
    return error;
  }
  view.reader = event.op;
  view.reads = role.reads;
  return success();
}

LogicalResult RoleChecker::multiply(Role &role, const Event &event) {
  auto mma = cast<warp::GroupMmaOp>(event.op);
  // Two tiles of one product are two events.
  const bool first = role.next == 0 ||
                     role.events[role.next - 1].op != event.op ||
                     !isa<warp::TileType>(mma.getLhs().getType());
  if (first)
    role.inFlight.push_back(++role.reads);
  return read(role, event);
}

/// Whether all groups have written their parts.
FailureOr<bool> RoleChecker::clear(Role &role, const Event &event) {
  if (role.isProducer()) // for which no group waits
    return false;
  if (!role.isWaiting) {
    TileState &target = tile(event.tile);
    if (!target.views[role.consumer].isVisible) {
      InFlightDiagnostic error = event.op->emitError(
          "error[A0528]: this tile is cleared before its copy arrived; a "
          "warp.await of its barrier is missing");
      if (target.writer)
        error.attachNote(target.writer->getLoc()) << "it is copied here";
      return error;
    }
    if (Operation *reader = target.reader()) {
      InFlightDiagnostic error = event.op->emitError(
          "error[A0529]: this tile is cleared while another group may still "
          "read it; the clear belongs before all products");
      error.attachNote(reader->getLoc()) << "it is used here";
      return error;
    }
    role.isWaiting = true;
    ++role.clears;
  }
  role.isWaiting = llvm::any_of(llvm::drop_begin(all), [&](const Role &other) {
    return other.clears < role.clears;
  });
  return !role.isWaiting;
}

/// Whether the phase ended that the role waits for.
bool RoleChecker::await(Role &role, const Event &event) {
  BarrierState &state = barrier(event.barrier);
  auto op = cast<warp::BarrierOp>(event.barrier.owner);
  if (state.arrivals >= static_cast<int64_t>(op.getArrivals()))
    endPhase(state);
  // The phase before the first has parity 1.
  if ((state.phases + 1) % 2 != event.parity)
    return false;
  if (role.isProducer()) {
    for (auto &[place, tile] : tiles)
      for (auto [view, ended] : llvm::zip(tile.views, state.endedReads))
        if (view.reader && view.reads <= ended)
          view.reader = nullptr;
    return true;
  }
  for (const Staged &place : state.landed)
    if (tile(place).state == TileState::Landed)
      tile(place).views[role.consumer].isVisible = true;
  return true;
}

//===-- turns -------------------------------------------------------------===//

/// Turn t of consumer c is number t * consumers + c of all.
FailureOr<bool> RoleChecker::takeTurn(Role &role, warp::TakeTurnOp op) {
  if (role.hasTurn)
    return op.emitError("error[A0536]: this group has its turn already; a "
                        "warp.pass_turn is missing between");
  if (op.getFirst() != (role.turns == 0))
    return op.emitError("error[A0536]: 'first' stands at the first turn of a "
                        "group, and this is turn ")
           << role.turns + 1;
  if (turnsPassed != role.turns * consumers + role.consumer)
    return false;
  role.hasTurn = true;
  ++role.turns;
  return true;
}

LogicalResult RoleChecker::passTurn(Role &role, warp::PassTurnOp op) {
  if (!role.hasTurn)
    return op.emitError("error[A0536]: this group passes a turn that it does "
                        "not have; a warp.take_turn is missing before");
  const bool isLast =
      llvm::none_of(llvm::drop_begin(role.events, role.next),
                    [](const Event &e) { return isa<warp::TakeTurnOp>(e.op); });
  if (op.getLast() != isLast)
    return op.emitError("error[A0536]: 'last' stands at the last turn of a "
                        "group, and this one ")
           << (isLast ? "is" : "is not");
  role.hasTurn = false;
  ++turnsPassed;
  return success();
}

//===-- all roles ---------------------------------------------------------===//

/// Runs one event; false if the role has to wait.
FailureOr<bool> RoleChecker::step(Role &role) {
  const Event &event = role.events[role.next];
  if (isa<warp::AwaitOp>(event.op)) {
    if (!await(role, event))
      return false;
  } else if (isa<warp::ArriveOp>(event.op)) {
    arrive(role, event);
  } else if (isa<warp::MapCopyOp>(event.op)) {
    if (failed(copy(event)))
      return failure();
  } else if (isa<warp::GroupMmaOp>(event.op)) {
    if (failed(multiply(role, event)))
      return failure();
  } else if (auto wait = dyn_cast<warp::GroupWaitOp>(event.op)) {
    while (role.inFlight.size() > wait.getPending())
      role.inFlight.erase(role.inFlight.begin());
  } else if (isa<warp::ClearOp>(event.op)) {
    FailureOr<bool> cleared = clear(role, event);
    if (failed(cleared) || !*cleared)
      return cleared;
  } else if (auto take = dyn_cast<warp::TakeTurnOp>(event.op)) {
    FailureOr<bool> taken = takeTurn(role, take);
    if (failed(taken) || !*taken)
      return taken;
  } else if (auto pass = dyn_cast<warp::PassTurnOp>(event.op)) {
    if (failed(passTurn(role, pass)))
      return failure();
  }
  ++role.next;
  return true;
}

LogicalResult RoleChecker::check() {
  auto isBusy = [](const Role &role) { return !role.done(); };
  while (llvm::any_of(all, isBusy)) {
    bool moved = false;
    for (Role &role : all)
      while (!role.done()) {
        FailureOr<bool> ran = step(role);
        if (failed(ran))
          return failure();
        if (!*ran)
          break;
        moved = true;
      }
    if (moved)
      continue;
    const Role &stuck = *llvm::find_if(all, isBusy);
    return stuck.events[stuck.next].op->emitError(
        "error[A0533]: this wait never ends: nobody arrives at the phase, or "
        "passes the turn, that it waits for");
  }
  for (const Role &role : all)
    if (role.hasTurn)
      for (const Event &event : llvm::reverse(role.events))
        if (isa<warp::TakeTurnOp>(event.op))
          return event.op->emitError(
              "error[A0536]: nobody passes this turn; a warp.pass_turn is "
              "missing after it");
  return success();
}

} // namespace

LogicalResult checkRoles(warp::RolesOp roles, int64_t number, Place place) {
  return RoleChecker(roles, number, place).check();
}

} // namespace attnc::gpu
