//===- StubDriver.h - a driver without a GPU, for tests ---------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// libcuda.so.1 as a stand-in: checks what the runtime asks of the driver, runs
// kernels in the emulator, and fails on demand. Asynchronous work is done as
// late as it may be: when somebody waits for its stream. Device memory cannot
// be touched by the host.
//
// A module is LLVM IR for NVPTX instead of PTX. For PTX that a compiled library
// holds, the environment variable ATTNC_STUB_KERNELS names a folder of dumped
// IR, or one of such folders: the .ll file beside the same PTX stands in for
// it, or, where no PTX is the same, one that defines the PTX's kernels.
//
// ATTNC_STUB_CHIP=90 sets the chip, ATTNC_STUB_DEVICES=0 how many there are,
// ATTNC_STUB_SEED=N the emulator's seed. With ATTNC_STUB_STRICT the process
// ends with status 70 if stub_report() has something to say then.
//
//===----------------------------------------------------------------------===//
#ifndef ATTNC_TEST_GPU_STUB_STUBDRIVER_H
#define ATTNC_TEST_GPU_STUB_STUBDRIVER_H

#include <stddef.h>
#include <stdint.h>

extern "C" {

/// Everything as at the start. Must not be called while anything is open.
void stub_reset(void);

/// What the machine is; 0 and NULL leave things as they are.
void stub_machine(int devices, int chip, size_t memory, int driver_version);

/// From now on, the `nth` call (from 0) of `function` fails with `error`; NULL
/// counts all functions. One failure only.
void stub_fail(const char *function, uint64_t nth, int error);
/// Calls of `function`, or of all, since stub_reset().
uint64_t stub_calls(const char *function);
/// Takes back an error that every call would return from then on.
void stub_reset_failure(void);
/// Whether the failure that was asked for has happened.
int stub_has_failed(void);

/// What was done wrong, one line each, and what is still held; "" if all is
/// well. Valid until the next call.
const char *stub_report(void);

/// The kernels that have run since the last call of this, one "NAME
/// MICROSECONDS" a line, in the order of their ends. Valid until the next call.
const char *stub_kernels(void);

/// Device memory for a test's own arguments, and what is in it.
void *stub_device_memory(size_t bytes);
void stub_device_free(void *memory);
/// Memory of the host that a caller has pinned, and has no longer.
void stub_pin(void *memory, size_t bytes);
void stub_unpin(void *memory);
void stub_read(void *to, const void *device, size_t bytes);
void stub_write(void *device, const void *from, size_t bytes);
/// What the driver shall say of memory, of the host's, too.
void stub_describe_memory(void *memory, unsigned type, unsigned managed,
                          int ordinal);
/// A stream as a caller would bring one, and waiting for it.
void *stub_stream(void);
void stub_stream_wait(void *stream);
void stub_stream_free(void *stream);
}

#endif // ATTNC_TEST_GPU_STUB_STUBDRIVER_H
