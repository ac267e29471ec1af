//===- PhaseTrace.cpp - times of phases -------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A trace is an array of events: a call, then its phases' parts, one for each
// worker.
//
//===----------------------------------------------------------------------===//
#include "compiler/tools/PhaseTrace.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

using namespace llvm;

namespace attnc::tools {

static Error traceError(const Twine &what) {
  return createStringError("error[A0731]: " + what);
}

Expected<PhaseTrace>
PhaseTrace::read(StringRef path, StringRef entry,
                 const std::map<std::string, int64_t> &sizes, size_t phases) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return traceError("the trace " + path +
                      " cannot be read: " + buffer.getError().message());
  // The closing bracket comes when the model is closed.
  std::string text = (*buffer)->getBuffer().rtrim().str();
  if (!StringRef(text).ends_with("]"))
    text += "]";
  Expected<json::Value> parsed = json::parse(text);
  if (!parsed)
    return parsed.takeError();
  PhaseTrace trace(phases);
  bool wanted = false;
  for (const json::Value &value : *parsed->getAsArray()) {
    const json::Object &event = *value.getAsObject();
    StringRef category = event.getString("cat").value_or("");
    if (category == "call")
      wanted = trace.beginCall(event, entry, sizes);
    else if (wanted && category == entry)
      trace.addPart(event);
  }
  if (trace.calls.size() <= kColdCalls)
    return traceError("the trace holds " + Twine(trace.calls.size()) +
                      " calls of '" + entry + "'; expected more than " +
                      Twine(kColdCalls));
  return trace;
}

double PhaseTrace::quantile(size_t phase, double q) const {
  std::vector<double> times;
  for (const Call &call : ArrayRef(calls).drop_front(kColdCalls)) {
    const Span span = getSpan(call, phase);
    times.push_back((span.second - span.first) / 1e3);
  }
  llvm::sort(times);
  return times[size_t(q * times.size())];
}

PhaseTrace::Span PhaseTrace::getSpan(const Call &call, size_t phase) {
  Span span(INFINITY, -INFINITY);
  for (const Part &part : call)
    if (part.phase == phase) {
      span.first = std::min(span.first, part.begin);
      span.second = std::max(span.second, part.end);
    }
  return span;
}

static double takeMedian(std::vector<double> &values) {
  auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<PhaseTrace::WorkerTime>
PhaseTrace::getWorkerTimes(int64_t workers) const {
  std::vector<std::vector<double>> busy(phases), idle(phases);
  for (const Call &call : ArrayRef(calls).drop_front(kColdCalls))
    for (const auto &[phase, time] : enumerate(getWorkerTimes(call, workers))) {
      busy[phase].push_back(time.busy / 1e3);
      idle[phase].push_back(time.idle / 1e3);
    }
  std::vector<WorkerTime> medians;
  for (size_t phase = 0; phase < phases; ++phase)
    medians.push_back({takeMedian(busy[phase]), takeMedian(idle[phase])});
  return medians;
}

std::vector<PhaseTrace::WorkerTime>
PhaseTrace::getWorkerTimes(const Call &call, int64_t workers) const {
  // When each phase and all before it are over. In a chain a worker goes on to
  // the next phase while others are in this one.
  std::vector<double> over(phases);
  double begin = INFINITY, last = -INFINITY;
  for (size_t phase = 0; phase < phases; ++phase) {
    const Span span = getSpan(call, phase);
    begin = std::min(begin, span.first);
    over[phase] = last = std::max(last, span.second);
  }
  std::vector<WorkerTime> times(phases);
  auto addIdle = [&](double from, double to) {
    for (size_t phase = 0; phase < phases && from < to; ++phase)
      if (from < over[phase]) {
        const double until = std::min(to, over[phase]);
        times[phase].idle += until - from;
        from = until;
      }
  };
  for (const Part &part : call)
    times[part.phase].busy += part.end - part.begin;
  for (int64_t worker = 0; worker < workers; ++worker) {
    double from = begin;
    for (const Part &part : call)
      if (part.worker == worker) {
        addIdle(from, part.begin);
        from = std::max(from, part.end);
      }
    addIdle(from, last);
  }
  return times;
}

bool PhaseTrace::beginCall(const json::Object &event, StringRef entry,
                           const std::map<std::string, int64_t> &sizes) {
  if (event.getString("name").value_or("") != entry)
    return false;
  const json::Object *given = event.getObject("args");
  for (const auto &[name, value] : sizes)
    if (!given || given->getInteger(name).value_or(-1) != value)
      return false;
  calls.emplace_back();
  return true;
}

void PhaseTrace::addPart(const json::Object &event) {
  const json::Object &arguments = *event.getObject("args");
  auto phase = static_cast<size_t>(*arguments.getInteger("phase"));
  double begin = *event.getNumber("ts"), length = *event.getNumber("dur");
  if (phase >= phases)
    return;
  calls.back().push_back(
      {phase, *arguments.getInteger("worker"), begin, begin + length});
}

const json::Object *findObject(const json::Array *list, StringRef key,
                               StringRef value) {
  if (list)
    for (const json::Value &item : *list)
      if (const json::Object *object = item.getAsObject())
        if (object->getString(key).value_or("") == value)
          return object;
  return nullptr;
}

/// A phase that says which kernels it runs, as callers rely on.
static bool tellsKernels(const json::Value &phase) {
  const json::Object *object = phase.getAsObject();
  const json::Array *kernels = object ? object->getArray("kernels") : nullptr;
  return kernels && all_of(*kernels, [](const json::Value &kernel) {
           return kernel.getAsString().has_value();
         });
}

/// What describes an entry as the library's session runs it.
static const json::Object *findEntry(const json::Array *work, StringRef entry,
                                     bool hasAdapter) {
  const json::Object *found = nullptr;
  if (work)
    for (const json::Value &item : *work) {
      const json::Object *object = item.getAsObject();
      if (!object || object->getString("entry").value_or("") != entry)
        continue;
      // Behind those of sessions without an adapter.
      if (!object->getBoolean("adapted").value_or(false) || hasAdapter)
        found = object;
    }
  return found;
}

Expected<const json::Array *> findWork(const Library &library,
                                       StringRef variant, StringRef entry) {
  const json::Object &description = library.description();
  if (const json::Object *found =
          findObject(description.getArray("variants"), "name", variant))
    if (const json::Object *work =
            findEntry(found->getArray("work"), entry, library.hasAdapter()))
      if (const json::Array *phases = work->getArray("phases");
          phases && all_of(*phases, tellsKernels))
        return phases;
  return traceError("the library does not say how much work '" + entry +
                    "' is; expected one that this attnc compiled");
}

} // namespace attnc::tools
