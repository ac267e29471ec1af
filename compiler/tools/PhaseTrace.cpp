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
  for (const auto &call : ArrayRef(calls).drop_front(kColdCalls))
    times.push_back((call[phase].second - call[phase].first) / 1e3);
  llvm::sort(times);
  return times[size_t(q * times.size())];
}

bool PhaseTrace::beginCall(const json::Object &event, StringRef entry,
                           const std::map<std::string, int64_t> &sizes) {
  if (event.getString("name").value_or("") != entry)
    return false;
  const json::Object *given = event.getObject("args");
  for (const auto &[name, value] : sizes)
    if (!given || given->getInteger(name).value_or(-1) != value)
      return false;
  calls.emplace_back(phases, std::pair(INFINITY, -INFINITY));
  return true;
}

void PhaseTrace::addPart(const json::Object &event) {
  const json::Object &arguments = *event.getObject("args");
  auto phase = static_cast<size_t>(*arguments.getInteger("phase"));
  double begin = *event.getNumber("ts"), length = *event.getNumber("dur");
  if (phase >= phases)
    return;
  auto &[first, last] = calls.back()[phase];
  first = std::min(first, begin);
  last = std::max(last, begin + length);
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

Expected<const json::Array *> findWork(const Library &library,
                                       StringRef variant, StringRef entry) {
  const json::Object &description = library.description();
  if (const json::Object *found =
          findObject(description.getArray("variants"), "name", variant))
    if (const json::Object *work =
            findObject(found->getArray("work"), "entry", entry))
      if (const json::Array *phases = work->getArray("phases");
          phases && all_of(*phases, tellsKernels))
        return phases;
  return traceError("the library does not say how much work '" + entry +
                    "' is; expected one that this attnc compiled");
}

} // namespace attnc::tools
