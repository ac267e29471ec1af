//===- Launches.cpp - what a call launches --------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plan is the tables of a schedule with all their expressions evaluated, as
// one row of words: per launch its three grid sizes, then its parameters; a
// tensor map is its base, extents and strides. Two calls with equal plans do
// the same, so the plan is what graphs are known by.
//
//===----------------------------------------------------------------------===//
#include "cuda/Gpu.h"

#include "Errors.h"

#include <inttypes.h>

namespace attnrt {
namespace cuda {

/// What bases and strides of tensor maps are multiples of, in bytes.
static constexpr unsigned long long kMapAlignment = 16;

static int64_t evaluate(const attn_abi_expression &expression,
                        const int64_t *sizes, int64_t otherwise) {
  if (expression.length == 0)
    return otherwise;
  int64_t stack[ATTN_OPERATION_DEPTH];
  int32_t depth = 0;
  for (int32_t i = 0; i < expression.length; ++i) {
    int64_t operation = expression.words[i];
    if (operation == ATTN_OPERATION_NUMBER ||
        operation == ATTN_OPERATION_SIZE) {
      int64_t operand = expression.words[++i];
      stack[depth++] =
          operation == ATTN_OPERATION_SIZE ? sizes[operand] : operand;
      continue;
    }
    int64_t right = stack[--depth], left = stack[depth - 1], result = 0;
    switch (operation) {
    case ATTN_OPERATION_ADD:
      result = left + right;
      break;
    case ATTN_OPERATION_SUBTRACT:
      result = left > right ? left - right : 0;
      break;
    case ATTN_OPERATION_MULTIPLY:
      result = left * right;
      break;
    case ATTN_OPERATION_DIVIDE:
      result = left / right;
      break;
    case ATTN_OPERATION_CEIL_DIVIDE:
      result = left / right + (left % right != 0);
      break;
    case ATTN_OPERATION_MINIMUM:
      result = left < right ? left : right;
      break;
    default: // ATTN_OPERATION_MAXIMUM
      result = left > right ? left : right;
      break;
    }
    stack[depth - 1] = result;
  }
  return stack[0];
}

static size_t wordsOf(const attn_abi_parameter &parameter) {
  return parameter.kind == ATTN_PARAMETER_MAP ? 2 * parameter.map->rank : 1;
}

void measurePlan(const attn_abi_device_schedule &schedule, PlanSize &size) {
  size_t words = 0, most = 0;
  for (int32_t i = 0; i < schedule.phase_count; ++i) {
    const attn_abi_device_phase &phase = schedule.phases[i];
    for (int32_t j = 0; j < phase.launch_count; ++j) {
      const attn_abi_launch &launch = phase.launches[j];
      words += 3;
      for (int32_t k = 0; k < launch.parameter_count; ++k)
        words += wordsOf(launch.parameters[k]);
      size_t count = launch.parameter_count;
      size.parameters = count > size.parameters ? count : size.parameters;
    }
    // A call may leave out whole phases, so that this one follows any before.
    size_t own = phase.launch_count, nodes = most + own;
    size.nodes = nodes > size.nodes ? nodes : size.nodes;
    most = own > most ? own : most;
  }
  size.words = words > size.words ? words : size.words;
}

namespace {

/// Writes the words of a plan.
class Evaluation {
public:
  Evaluation(attn_session &session, uint64_t arenaOffset)
      : session(session), mine(*session.device), device(*session.model->device),
        arena(mine.memory + arenaOffset), at(mine.plan.words) {}

  void run(const attn_abi_device_schedule &schedule) {
    for (int32_t i = 0; i < schedule.phase_count; ++i)
      for (int32_t j = 0; j < schedule.phases[i].launch_count; ++j)
        launch(schedule.phases[i].launches[j]);
    mine.plan.count = at - mine.plan.words;
  }

private:
  int64_t value(const attn_abi_expression &expression, int64_t otherwise) {
    return evaluate(expression, session.sizes, otherwise);
  }

  void launch(const attn_abi_launch &launch) {
    for (const attn_abi_expression &axis : launch.grid)
      *at++ = value(axis, 1);
    for (int32_t i = 0; i < launch.parameter_count; ++i) {
      const attn_abi_parameter &parameter = launch.parameters[i];
      if (parameter.kind != ATTN_PARAMETER_MAP) {
        *at++ = scalar(parameter);
        continue;
      }
      const attn_abi_tensor_map &map = *parameter.map;
      *at++ = scalar(map.base);
      for (int32_t axis = 0; axis < map.rank; ++axis)
        *at++ = value(map.extents[axis], 0);
      for (int32_t axis = 0; axis + 1 < map.rank; ++axis)
        *at++ = value(map.strides[axis], 0);
    }
  }

  int64_t scalar(const attn_abi_parameter &parameter) {
    int64_t offset = value(parameter.value, 0);
    switch (parameter.kind) {
    case ATTN_PARAMETER_SLOT:
      return arena + session.slotOffsets[parameter.index] + offset;
    case ATTN_PARAMETER_ARGUMENT:
      return mine.arguments[parameter.index] + offset;
    case ATTN_PARAMETER_WEIGHT:
      return device.weights[session.adapter * device.tables->weight_count +
                            parameter.index] +
             offset;
    case ATTN_PARAMETER_SIZES:
      return mine.memory;
    case ATTN_PARAMETER_STATE:
      return mine.states + parameter.index * sizeof(attn_device_state);
    case ATTN_PARAMETER_F32:
      return static_cast<uint32_t>(parameter.index);
    default:
      return offset;
    }
  }

  attn_session &session;
  DeviceSession &mine;
  Device &device;
  Address arena;
  int64_t *at;
};

/// Reads a plan back, into what the driver takes.
class Visit {
public:
  Visit(attn_session &session, const PlanVisitor &visitor)
      : mine(*session.device), device(*session.model->device), visitor(visitor),
        at(mine.plan.words) {}

  attn_status run(const attn_abi_device_schedule &schedule) {
    attn_status status = ATTN_OK;
    for (int32_t i = 0; i < schedule.phase_count && status == ATTN_OK; ++i) {
      const attn_abi_device_phase &phase = schedule.phases[i];
      for (int32_t j = 0; j < phase.launch_count && status == ATTN_OK; ++j)
        status = launch(phase.launches[j]);
      if (status == ATTN_OK)
        status = visitor.endPhase(visitor.context);
    }
    return status;
  }

private:
  attn_status launch(const attn_abi_launch &launch) {
    const int64_t *grid = at;
    at += 3;
    bool isEmpty = grid[0] == 0 || grid[1] == 0 || grid[2] == 0;
    const attn_abi_kernel &kernel = device.tables->kernels[launch.kernel];
    for (int32_t i = 0; i < launch.parameter_count; ++i) {
      const attn_abi_parameter &parameter = launch.parameters[i];
      mine.parameters[i] = at; // little-endian: also of 4 bytes
      if (parameter.kind == ATTN_PARAMETER_MAP && !isEmpty) {
        mine.parameters[i] = &mine.maps[i];
        Result error = encode(*parameter.map, mine.maps[i]);
        if (error)
          return device.failed(error, kernel.name);
      }
      at += wordsOf(parameter);
    }
    if (isEmpty)
      return ATTN_OK;
    if (grid[0] > INT32_MAX || grid[1] > 65535 || grid[2] > 65535)
      return fail(ATTN_ERROR_INVALID_ARGUMENT,
                  "%s: these sizes need a grid of %" PRId64 " x %" PRId64
                  " x %" PRId64 " blocks for %s; a GPU takes 2^31-1 x 65535 x "
                  "65535",
                  device.name, grid[0], grid[1], grid[2], kernel.name);
    KernelNode node = {device.functions[launch.kernel],
                       static_cast<unsigned>(grid[0]),
                       static_cast<unsigned>(grid[1]),
                       static_cast<unsigned>(grid[2]),
                       static_cast<unsigned>(kernel.threads),
                       1,
                       1,
                       static_cast<unsigned>(kernel.shared_bytes),
                       mine.parameters,
                       nullptr};
    return visitor.launch(visitor.context, node);
  }

  static MapType typeOf(attn_dtype dtype) {
    switch (dtype) {
    case ATTN_F32:
      return kF32;
    case ATTN_F16:
      return kF16;
    case ATTN_BF16:
      return kBF16;
    case ATTN_I32:
      return kI32;
    default:
      return kU8;
    }
  }

  Result encode(const attn_abi_tensor_map &map, TensorMap &result) {
    unsigned long long extents[5], strides[5];
    unsigned box[5], ones[5];
    const int64_t *words = at;
    Address base = *words++;
    bool isEmpty = false;
    for (int32_t axis = 0; axis < map.rank; ++axis) {
      extents[axis] = *words++;
      isEmpty |= extents[axis] == 0;
      box[axis] = map.box[axis];
      ones[axis] = 1;
    }
    for (int32_t axis = 0; axis + 1 < map.rank; ++axis)
      strides[axis] = *words++;
    // The driver refuses a tensor of nothing. Kernels copy nothing from one
    // (they walk no keys where there are none), so any element stands for it.
    if (isEmpty) {
      base = mine.memory;
      for (int32_t axis = 0; axis < map.rank; ++axis) {
        extents[axis] = 1;
        strides[axis] = kMapAlignment;
      }
    }
    int swizzle = map.swizzle == 128  ? 3
                  : map.swizzle == 64 ? 2
                                      : map.swizzle == 32;
    return device.driver.encodeMap(&result, typeOf(map.dtype), map.rank,
                                   reinterpret_cast<void *>(base), extents,
                                   strides, box, ones, /*interleave=*/0,
                                   swizzle, /*promotion: 256 bytes of L2=*/3,
                                   /*fill: zeros=*/0);
  }

  DeviceSession &mine;
  Device &device;
  const PlanVisitor &visitor;
  int64_t *at;
};

} // namespace

void evaluatePlan(attn_session &session, int32_t entry, uint64_t arenaOffset) {
  Evaluation(session, arenaOffset)
      .run(session.model->device->tables->schedules[entry]);
}

attn_status visitPlan(attn_session &session, int32_t entry,
                      const PlanVisitor &visitor) {
  return Visit(session, visitor)
      .run(session.model->device->tables->schedules[entry]);
}

} // namespace cuda
} // namespace attnrt
