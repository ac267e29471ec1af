//===- StubDriver.cpp - the stub driver: devices, contexts, failures ------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See StubDriver.h. Errors that a real driver keeps for the rest of a context's
// life (700 and the like) are kept here too.
//
//===----------------------------------------------------------------------===//
#include "StubDriver.h"
#include "StubState.h"
#include <cstdarg>
#include <sys/mman.h>
#include <unistd.h>

namespace attnc::stub {

thread_local int State::depth = 0;

/// Ends the process with status 70 if anything was done wrong or is still held.
static void failAtExit() {
  if (const char *report = stub_report(); *report) {
    fprintf(stderr, "stub driver: %s", report);
    fflush(nullptr);
    _exit(70);
  }
}

State &State::get() {
  static State *state = [] {
    auto *made = new State();
    if (const char *chip = getenv("ATTNC_STUB_CHIP"))
      made->chip = atoi(chip);
    if (const char *seed = getenv("ATTNC_STUB_SEED"))
      made->seed = strtoull(seed, nullptr, 10);
    if (const char *devices = getenv("ATTNC_STUB_DEVICES"))
      made->devices = atoi(devices);
    if (getenv("ATTNC_STUB_STRICT"))
      atexit(failAtExit);
    return made;
  }();
  return *state;
}

void State::complain(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  complaints.push_back(line);
}

Result State::begin(const char *function, bool needsContext) {
  uint64_t nth = failAll ? calls : callsOf[function];
  ++calls;
  ++callsOf[function];
  if (failArmed && nth == failNth && (failAll || failFunction == function)) {
    failArmed = false;
    failed = true;
    if (failError >= 700 && failError < 720)
      lost = failError;
    return failError;
  }
  if (!initialized && std::string(function) != "cuInit") {
    complain("%s before cuInit", function);
    return cuda::kNotInitialized;
  }
  if (needsContext && (depth == 0 || retained == 0)) {
    complain("%s without a context", function);
    return cuda::kInvalidContext;
  }
  return needsContext ? lost : 0;
}

Result State::beginRelease(const char *function, bool needsContext,
                           bool &proceeds) {
  Result error = begin(function, needsContext);
  proceeds = error != cuda::kNotInitialized && error != cuda::kInvalidContext;
  return error;
}

uintptr_t State::find(const std::map<uintptr_t, size_t> &blocks,
                      uintptr_t address, size_t bytes) {
  auto after = blocks.upper_bound(address);
  if (after == blocks.begin())
    return 0;
  --after;
  return address + bytes <= after->first + after->second ? after->first : 0;
}

static void protect(int protection) {
  for (auto [begin, bytes] : State::get().device)
    mprotect(reinterpret_cast<void *>(begin), bytes, protection);
}

static int unlocked = 0;
Unlocked::Unlocked() {
  if (unlocked++ == 0)
    protect(PROT_READ | PROT_WRITE);
}
Unlocked::~Unlocked() {
  if (--unlocked == 0)
    protect(PROT_NONE);
}

} // namespace attnc::stub

using namespace attnc::stub;

extern "C" {

//===-- the tests' side
//----------------------------------------------------===//

void stub_reset(void) {
  State &state = State::get();
  state.initialized = false;
  state.devices = 1;
  state.chip = 80;
  state.version = 12040;
  state.memory = size_t(1) << 30;
  state.calls = 0;
  state.callsOf.clear();
  state.failArmed = state.failed = false;
  state.lost = 0;
  state.complaints.clear();
  state.kernelTimes.clear();
  state.described.clear();
}

void stub_machine(int devices, int chip, size_t memory, int version) {
  State &state = State::get();
  if (devices >= 0)
    state.devices = devices;
  state.chip = chip ? chip : state.chip;
  state.memory = memory ? memory : state.memory;
  state.version = version ? version : state.version;
}

void stub_fail(const char *function, uint64_t nth, int error) {
  State &state = State::get();
  state.failArmed = true;
  state.failed = false;
  state.failAll = !function;
  state.failFunction = function ? function : "";
  state.failNth = nth + (function ? state.callsOf[function] : state.calls);
  state.failError = error;
}

uint64_t stub_calls(const char *function) {
  State &state = State::get();
  return function ? state.callsOf[function] : state.calls;
}

void stub_reset_failure(void) { State::get().lost = 0; }

int stub_has_failed(void) { return State::get().failed; }

const char *stub_report(void) {
  State &state = State::get();
  state.report.clear();
  for (const std::string &complaint : state.complaints)
    state.report += complaint + "\n";
  auto held = [&](const char *what, size_t count) {
    if (count)
      state.report += std::to_string(count) + " " + what + " held\n";
  };
  held("blocks of device memory", state.heldBlocks());
  held("blocks of pinned memory", state.pinned.size());
  held("modules", state.modules.size());
  held("streams", state.streams.size());
  held("graphs", state.graphs.size());
  held("executable graphs", state.execs.size());
  held("references of the context", state.retained);
  held("contexts of this thread", State::depth);
  return state.report.c_str();
}

const char *stub_kernels(void) {
  State &state = State::get();
  state.report.clear();
  for (const auto &[name, microseconds] : state.kernelTimes)
    state.report += name + " " + std::to_string(microseconds) + "\n";
  state.kernelTimes.clear();
  return state.report.c_str();
}

//===-- the driver's side
//--------------------------------------------------===//

Result cuInit(unsigned flags) {
  STUB_FUNCTION(cuInit, false);
  if (flags)
    state.complain("cuInit with flags");
  if (state.devices == 0)
    return cuda::kNoDevice;
  state.initialized = true;
  return 0;
}

Result cuDriverGetVersion(int *version) {
  STUB_FUNCTION(cuDriverGetVersion, false);
  *version = state.version;
  return 0;
}

static constexpr Result kNameless = 12345;

Result cuGetErrorName(Result code, const char **name) {
  if (code == kNameless)
    return cuda::kInvalidValue;
  *name = code == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : code == 100 ? "CUDA_ERROR_NO_DEVICE"
          : code == 218 ? "CUDA_ERROR_INVALID_PTX"
          : code == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : code == 719 ? "CUDA_ERROR_LAUNCH_FAILED"
                        : "CUDA_ERROR_OF_THE_STUB";
  return 0;
}

Result cuGetErrorString(Result code, const char **text) {
  if (code == kNameless)
    return cuda::kInvalidValue;
  *text = code == 2     ? "out of memory"
          : code == 700 ? "an illegal memory access was encountered"
                        : "an error of the stub driver";
  return 0;
}

Result cuDeviceGetCount(int *count) {
  STUB_FUNCTION(cuDeviceGetCount, false);
  *count = state.devices;
  return 0;
}

Result cuDeviceGet(int *device, int ordinal) {
  STUB_FUNCTION(cuDeviceGet, false);
  if (ordinal < 0 || ordinal >= state.devices)
    return cuda::kInvalidDevice;
  *device = ordinal;
  return 0;
}

Result cuDeviceGetName(char *name, int bytes, int) {
  STUB_FUNCTION(cuDeviceGetName, false);
  snprintf(name, bytes, "Stub GPU");
  return 0;
}

Result cuDeviceGetAttribute(int *value, int attribute, int) {
  STUB_FUNCTION(cuDeviceGetAttribute, false);
  switch (attribute) {
  case cuda::kMajor:
    *value = state.chip / 10;
    return 0;
  case cuda::kMinor:
    *value = state.chip % 10;
    return 0;
  case cuda::kSharedBytes:
    *value = state.sharedLimit();
    return 0;
  case cuda::kMultiprocessors:
    *value = 4;
    return 0;
  }
  state.complain("cuDeviceGetAttribute(%d)", attribute);
  return cuda::kInvalidValue;
}

Result cuDevicePrimaryCtxRetain(cuda::Context *context, int) {
  STUB_FUNCTION(cuDevicePrimaryCtxRetain, false);
  ++state.retained;
  *context = reinterpret_cast<cuda::Context>(&state);
  return 0;
}

Result cuDevicePrimaryCtxRelease_v2(int) {
  STUB_RELEASE(cuDevicePrimaryCtxRelease_v2, false);
  if (state.retained == 0) {
    state.complain("the context is released more often than retained");
    return cuda::kInvalidContext;
  }
  if (--state.retained == 0)
    state.dropContext();
  return error;
}

Result cuCtxPushCurrent_v2(cuda::Context context) {
  STUB_FUNCTION(cuCtxPushCurrent_v2, false);
  if (context != reinterpret_cast<cuda::Context>(&state) || !state.retained) {
    state.complain("an unknown context is made current");
    return cuda::kInvalidContext;
  }
  ++State::depth;
  return 0;
}

Result cuCtxPopCurrent_v2(cuda::Context *) {
  STUB_RELEASE(cuCtxPopCurrent_v2, true);
  --State::depth;
  return error;
}
}
