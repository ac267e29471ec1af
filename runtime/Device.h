//===- Device.h - which device runs a model ---------------------*- C++ -*-===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Between the runtime and the part that drives a kind of device. Only tables of
// variants for such devices name it, so that libraries for processors alone do
// not contain it.
//
//===----------------------------------------------------------------------===//
#ifndef ATTN_RUNTIME_DEVICE_H
#define ATTN_RUNTIME_DEVICE_H

#include "Writer.h"

#include "attn/abi.h"

namespace attnrt {

struct Layout;
struct VariantChoice;

/// What a driver keeps for a model and for a session.
struct Device;
struct DeviceSession;

} // namespace attnrt

struct attn_abi_driver {
  const char *name; ///< in options.device: "cuda"

  /// Finds device `ordinal`, the variant for it and the kernels, and uploads
  /// the weights, which are open. Sets model.choice and model.device, the
  /// latter on failure too once there is something to close.
  attn_status (*open)(attn_model &model, const attn_options &options,
                      int32_t ordinal);
  void (*close)(attn_model &model);
  /// Sets session.device, on failure too once there is something to close.
  attn_status (*openSession)(attn_session &session);
  void (*closeSession)(attn_session &session);
  /// Bytes of device memory that a planned call takes, `arena` among them; 0
  /// beyond 2^63.
  uint64_t (*callBytes)(const attn_model &model, int32_t entry,
                        const int64_t *sizes, uint64_t arena);
  /// Checks the arguments of a planned call and runs it.
  attn_status (*call)(attn_session &session, int32_t entry,
                      const attnrt::Layout &layout, void *const *given);
  /// The members of `info` that tell of the device.
  void (*describe)(const attn_model &model, attnrt::Writer &json);

  // Blocks of a session's states, all in the order of its calls.
  attn_status (*takeBlock)(attn_session &session, uint64_t bytes,
                           unsigned char *&block);
  void (*releaseBlock)(attn_session &session, unsigned char *block,
                       uint64_t bytes);
  attn_status (*copyBlock)(attn_session &session, unsigned char *to,
                           const unsigned char *from, uint64_t bytes);
  attn_status (*clearBlock)(attn_session &session, unsigned char *block,
                            uint64_t bytes);
  /// To and from the host's memory; done when they return.
  attn_status (*readBlock)(attn_session &session, void *to,
                           const unsigned char *from, uint64_t bytes);
  attn_status (*writeBlock)(attn_session &session, unsigned char *to,
                            const void *from, uint64_t bytes);
};

namespace attnrt {

struct DeviceRequest {
  enum Kind { Processor, Gpu, Any };
  Kind kind = Processor;
  int32_t ordinal = 0;
};

/// Reads options.device and options.variant against what the library holds.
attn_status chooseDevice(const attn_abi_library &library,
                         const attn_options &options, DeviceRequest &request);

/// Opens the GPU that is asked for. With Any and a library that runs on
/// processors, one that does not work is no error: model.choice is then a
/// variant for this processor, and its reason says why.
attn_status openDevice(attn_model &model, const attn_options &options,
                       const DeviceRequest &request);

/// Closes model.device, however far it was opened.
void closeDevice(attn_model &model);

} // namespace attnrt

#endif // ATTN_RUNTIME_DEVICE_H
