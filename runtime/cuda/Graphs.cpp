//===- Graphs.cpp - calls seen before run as one graph --------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The first call with a plan launches its kernels one by one; the second one
// makes a graph of them, which it and later ones launch whole. Kernels of one
// phase do not wait for each other there. The least recently used of a few
// graphs makes room for a new one.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include <string.h>

namespace attnrt {
namespace cuda {

static void dropGraph(Device &device, DeviceSession::CachedGraph &graph) {
  if (graph.exec)
    (void)device.driver.graphExecDestroy(graph.exec);
  graph.exec = nullptr;
  graph.entry = -1;
  graph.uses = 0;
  graph.lastUse = 0;
}

void dropGraphs(attn_session &session) {
  for (DeviceSession::CachedGraph &graph : session.device->graphs)
    dropGraph(*session.model->device, graph);
}

/// The cache's place for the plan: its own if it was seen before.
static attn_status findGraph(attn_session &session, int32_t entry,
                             DeviceSession::CachedGraph *&found) {
  DeviceSession &mine = *session.device;
  Device &device = *session.model->device;
  size_t bytes = sizeof(int64_t) * mine.plan.count;
  DeviceSession::CachedGraph *oldest = &mine.graphs[0];
  for (DeviceSession::CachedGraph &graph : mine.graphs) {
    // Words of one entry are always as many.
    if (graph.entry == entry &&
        memcmp(graph.words, mine.plan.words, bytes) == 0) {
      found = &graph;
      return ATTN_OK;
    }
    if (graph.lastUse < oldest->lastUse)
      oldest = &graph;
  }
  if (oldest->exec) { // it may still run, where calls only enqueue
    attn_status status = device.check(device.driver.streamWait(mine.stream),
                                      "waiting for earlier calls");
    if (status != ATTN_OK)
      return status;
  }
  dropGraph(device, *oldest);
  oldest->entry = entry;
  memcpy(oldest->words, mine.plan.words, bytes);
  found = oldest;
  return ATTN_OK;
}

//===-- one by one
//---------------------------------------------------------===//

static attn_status launchKernel(void *context, const KernelNode &node) {
  attn_session &session = *static_cast<attn_session *>(context);
  Device &device = *session.model->device;
  return device.check(
      device.driver.launch(node.function, node.gridX, node.gridY, node.gridZ,
                           node.blockX, node.blockY, node.blockZ,
                           node.sharedBytes, session.device->stream,
                           node.parameters, nullptr),
      "launching a kernel");
}

static attn_status nothing(void *) { return ATTN_OK; }

//===-- as a graph
//---------------------------------------------------------===//

namespace {

struct Building {
  Device &device;
  Graph graph = nullptr;
  GraphNode *nodes; ///< of the phase before, then of this one
  size_t before = 0, now = 0;
};

} // namespace

static attn_status addKernel(void *context, const KernelNode &node) {
  Building &building = *static_cast<Building *>(context);
  Result error = building.device.driver.graphAddKernel(
      &building.nodes[building.before + building.now], building.graph,
      building.before ? building.nodes : nullptr, building.before, &node);
  ++building.now;
  return building.device.check(error, "adding a kernel to a graph");
}

static attn_status endPhase(void *context) {
  Building &building = *static_cast<Building *>(context);
  if (building.now == 0)
    return ATTN_OK; // the phase before is still what the next one waits for
  memmove(building.nodes, building.nodes + building.before,
          sizeof(GraphNode) * building.now);
  building.before = building.now;
  building.now = 0;
  return ATTN_OK;
}

static attn_status buildGraph(attn_session &session, int32_t entry,
                              GraphExec &exec) {
  Device &device = *session.model->device;
  Building building{device, nullptr, session.device->nodes, 0, 0};
  attn_status status = device.check(
      device.driver.graphCreate(&building.graph, 0), "making a graph");
  if (status != ATTN_OK)
    return status;
  status = visitPlan(session, entry, {addKernel, endPhase, &building});
  if (status == ATTN_OK) {
    Result error = device.driver.graphInstantiate(&exec, building.graph, 0);
    if (error)
      exec = nullptr;
    status = device.check(error, "making a graph ready to run");
  }
  (void)device.driver.graphDestroy(building.graph);
  return status;
}

attn_status runPlan(attn_session &session, int32_t entry) {
  DeviceSession &mine = *session.device;
  Device &device = *session.model->device;
  DeviceSession::CachedGraph *graph = nullptr;
  attn_status status = findGraph(session, entry, graph);
  if (status != ATTN_OK)
    return status;
  graph->lastUse = ++mine.clock;
  if (graph->uses++ == 0)
    return visitPlan(session, entry, {launchKernel, nothing, &session});
  if (!graph->exec)
    status = buildGraph(session, entry, graph->exec);
  if (status != ATTN_OK)
    return status;
  return device.check(device.driver.graphLaunch(graph->exec, mine.stream),
                      "launching a graph");
}

} // namespace cuda
} // namespace attnrt
