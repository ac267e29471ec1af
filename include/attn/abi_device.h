/*===- attn/abi_device.h - variants that run on a GPU --------------*- C -*-===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What a variant for an NVIDIA GPU adds to attn/abi.h: images of kernels, what
 * is launched in which order with which parameters, and the form in which the
 * device wants the weights. All of it is constant data; the runtime evaluates
 * it per call. Nothing here is known to applications.
 *
 * A call on a device. `plan` lays out the arena, as on the processor (with one
 * worker), but the arena, the arguments and a table of all sizes lie in device
 * memory. Phases follow one another; the launches of one phase may run at the
 * same time. Sizes in expressions are the caller's, and for derived sizes their
 * upper bounds: grids and tensor maps cover them. Kernels read the true value
 * of a derived size, and of any size that changes from call to call, from the
 * table in device memory, where a kernel of an earlier phase may have lowered
 * it: two calls whose evaluated launches are equal share one CUDA graph.
 *
 * What kernels may rely on: arena, weights and arguments begin at multiples of
 * 256 bytes and slots at multiples of 64; arguments that the caller placed in
 * device memory are aligned to 16. The arena is not cleared. Elements of I32
 * inputs that the caller holds in device memory are not checked against
 * ATTN_ARGUMENT_RANGE: a kernel that uses them as indices clamps them.
 *
 *===----------------------------------------------------------------------===*/
#ifndef ATTN_ABI_DEVICE_H
#define ATTN_ABI_DEVICE_H

#include "attn/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A number computed from sizes, in postfix form: `length` words, in which
 * NUMBER and SIZE are followed by one more word. Depth at most
 * ATTN_OPERATION_DEPTH. Length 0 stands for a default, named where one is
 * allowed. Sizes and results are not negative and fit 63 bits. */
enum {
  ATTN_OPERATION_NUMBER = 0,      /* n: push n */
  ATTN_OPERATION_SIZE = 1,        /* i: push sizes[i] */
  ATTN_OPERATION_ADD = 2,         /* a b: a + b */
  ATTN_OPERATION_SUBTRACT = 3,    /* a b: a - b, at least 0 */
  ATTN_OPERATION_MULTIPLY = 4,    /* a b: a * b */
  ATTN_OPERATION_DIVIDE = 5,      /* a b: floor(a / b) */
  ATTN_OPERATION_CEIL_DIVIDE = 6, /* a b: ceil(a / b) */
  ATTN_OPERATION_MINIMUM = 7,     /* a b */
  ATTN_OPERATION_MAXIMUM = 8,     /* a b */
  ATTN_OPERATION_DEPTH = 16
};
typedef struct attn_abi_expression {
  const int64_t *words;
  int32_t length;
} attn_abi_expression;

/* Machine code or assembly for the kernels of a variant. */
enum {
  ATTN_IMAGE_PTX = 1u /* text, NUL-terminated and counted; else a cubin */
};
typedef struct attn_abi_image {
  const unsigned char *data;
  uint64_t size;
  int32_t chip;   /* 80 for sm_80. A cubin runs on chips of the same major
                     number and no smaller minor one; PTX on any later chip */
  uint32_t flags; /* ATTN_IMAGE_* */
} attn_abi_image;

typedef struct attn_abi_kernel {
  const char *name;     /* of the entry point in every image */
  int32_t threads;      /* of a block: (threads, 1, 1) */
  int32_t shared_bytes; /* dynamic shared memory of a block */
} attn_abi_kernel;

/* Panels [ceil(rows / width)] of a tensor: words of four bytes, [steps of
 * columns][width], of which each holds 32 / bits numbers of one row, the first
 * in the lowest bits: f32, the upper half of an f32 (16 bits), or q, signed, of
 * scale * q. The scales are f16 [columns / group][width], `scales` bytes into
 * the panel; with group 0, f32 [width], one for all columns. */
typedef struct attn_abi_panels {
  int32_t width, bits; /* bits: 32, 16, 8 or 4 */
  int64_t group, bytes, scales;
} attn_abi_panels;

/* A weight as the device holds it: row-major, converted at upload. I8 from
 * panels of 8 or 4 bits stays what it is: rows of q in runs of 64 columns,
 * zeros behind the last; at the next multiple of 256 bytes the scales, f32
 * [groups of the padded columns][rows, padded to 16]. A run is four parts, of
 * which word j of part p has the numbers from (4 j + p) * 32 / bits on, the
 * even ones in its lower half, in order. */
typedef struct attn_abi_device_weight {
  int32_t weight;        /* index in attn_abi_library.weights */
  attn_dtype dtype;      /* on the device: F32, F16 or BF16 from panels and from
                            an F32 tensor, I8 from panels of 8 or 4 bits, else
                            the tensor's own */
  int64_t rows, columns; /* on the device */
  const attn_abi_panels *panels; /* whose padding is dropped; NULL: the tensor
                                    is row-major */
} attn_abi_device_weight;

/* A state of the session as kernels see it, in device memory. Row p of sequence
 * b lies in block tables[b * ceil(positions / block_positions) +
 * p / block_positions], `offset` bytes on. Behind the table of sizes stands
 * int32 past[states.sequences], the rows of every sequence before this call. */
typedef struct attn_device_state {
  uint64_t tables; /* of device addresses */
  int64_t offset;
} attn_device_state;

/* Where a parameter's value comes from. Pointers are device addresses of 8
 * bytes, `index` and `value` say to what: */
enum {
  ATTN_PARAMETER_SLOT = 0,     /* slot `index` of the arena, plus value bytes */
  ATTN_PARAMETER_ARGUMENT = 1, /* argument `index` of the entry, plus value */
  ATTN_PARAMETER_WEIGHT = 2,   /* device weight `index`, plus value bytes */
  ATTN_PARAMETER_SIZES = 3,    /* int64 [library.size_count], then past */
  ATTN_PARAMETER_I32 = 4,      /* value, in 4 bytes */
  ATTN_PARAMETER_I64 = 5,      /* value, in 8 bytes */
  ATTN_PARAMETER_F32 = 6,      /* the float whose bits are `index` */
  ATTN_PARAMETER_MAP = 7,      /* `map`, 128 bytes by value */
  ATTN_PARAMETER_STATE = 8     /* attn_device_state of state `index` */
};
struct attn_abi_tensor_map;
typedef struct attn_abi_parameter {
  int32_t kind; /* ATTN_PARAMETER_* */
  int32_t index;
  attn_abi_expression value; /* length 0: 0 */
  const struct attn_abi_tensor_map *map;
} attn_abi_parameter;

/* Arguments of cuTensorMapEncodeTiled: innermost axis first, element strides 1,
 * no interleaving, zeros outside. */
typedef struct attn_abi_tensor_map {
  attn_abi_parameter base;            /* a SLOT, ARGUMENT or WEIGHT */
  attn_dtype dtype;                   /* F32, F16, BF16, I32, I8 or U8 */
  int32_t rank;                       /* 1 to 5 */
  const attn_abi_expression *extents; /* [rank], elements */
  const attn_abi_expression *strides; /* [rank - 1], bytes: of axes 1... */
  const int32_t *box;                 /* [rank], elements */
  int32_t swizzle;                    /* 0, 32, 64 or 128 bytes */
} attn_abi_tensor_map;

typedef struct attn_abi_launch {
  int32_t kernel;              /* index in attn_abi_device.kernels */
  attn_abi_expression grid[3]; /* blocks; length 0: 1. A launch with a 0 in it
                                  is left out */
  const attn_abi_parameter *parameters;
  int32_t parameter_count;
} attn_abi_launch;

typedef struct attn_abi_device_phase {
  const char *name; /* for traces: "layer.0.qkv" */
  const attn_abi_launch *launches;
  int32_t launch_count;
} attn_abi_device_phase;

typedef struct attn_abi_device_schedule {
  const attn_abi_device_phase *phases;
  int32_t phase_count;
} attn_abi_device_schedule;

/* The runtime's part that drives a kind of device. Variants name it, so that a
 * library without them does not contain it. */
struct attn_abi_driver;
extern const struct attn_abi_driver attnrt_cuda;

enum {
  ATTN_DEVICE_EXACT = 1u /* sm_90a: runs on chips of this very number only */
};
typedef struct attn_abi_device {
  const struct attn_abi_driver *driver; /* &attnrt_cuda */
  int32_t chip;                         /* oldest that runs it: 80, 90 */
  uint32_t flags;                       /* ATTN_DEVICE_* */
  const attn_abi_image *images;         /* in the order of preference */
  int32_t image_count;
  const attn_abi_kernel *kernels;
  int32_t kernel_count;
  const attn_abi_device_weight *weights;
  int32_t weight_count;
  const attn_abi_device_schedule *schedules; /* of all entries */
} attn_abi_device;

#ifdef __cplusplus
}
#endif
#endif /* ATTN_ABI_DEVICE_H */
