# ===- __init__.py - a stand-in for PyTorch on the stub driver -------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
"""What bundle/timing.py uses of PyTorch, in NumPy, with tensors that lie in the
stub driver's device memory: so the script runs line by line where there is
neither."""

import contextlib
import ctypes
import math

import numpy as np

__version__ = "0 (a stand-in)"
driver = ctypes.CDLL("libcuda.so.1")
driver.stub_device_memory.restype = ctypes.c_void_p
driver.stub_device_memory.argtypes = [ctypes.c_size_t]
for name in ("stub_device_free", "stub_stream_wait", "stub_stream_free"):
    getattr(driver, name).argtypes = [ctypes.c_void_p]
for name in ("stub_read", "stub_write"):
    getattr(driver, name).argtypes = [ctypes.c_void_p, ctypes.c_void_p,
                                      ctypes.c_size_t]
driver.stub_stream.restype = ctypes.c_void_p
driver.stub_kernels.restype = ctypes.c_char_p


class OutOfMemoryError(RuntimeError):
    pass


class dtype:
    def __init__(self, stored, size):
        self.stored, self.size = np.dtype(stored), size


float32, bfloat16 = dtype(np.float32, 4), dtype(np.float32, 2)  # read as f32
int32, int64, bool_ = dtype(np.int32, 4), dtype(np.int64, 8), dtype(bool, 1)
OF_NUMPY = {each.stored: each for each in (float32, int32, int64, bool_)}


def encode(array, kind):
    """What lies in memory."""
    array = np.array(array, dtype=kind.stored, order="C")
    if kind is not bfloat16:
        return array
    bits = array.view(np.uint32)
    return ((bits + 0x7fff + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def decode(array, kind):
    if kind is not bfloat16:
        return array
    return (array.astype(np.uint32) << 16).view(np.float32)


def wait():
    """Nobody reads what is still to be written."""
    from torch import cuda
    driver.stub_stream_wait(cuda.current_stream().cuda_stream)


class Tensor:
    def __init__(self, array, kind=None):
        array = np.asarray(array)
        self.dtype = kind or OF_NUMPY.get(array.dtype, float32)
        self.shape = array.shape
        self.address = driver.stub_device_memory(
            max(1, array.size * self.dtype.size))
        self.write(array)

    def __del__(self):
        wait()
        driver.stub_device_free(self.address)

    def write(self, array):
        array = encode(array, self.dtype)
        driver.stub_write(self.address, array.ctypes.data, array.nbytes)

    def read(self):
        wait()
        array = encode(np.zeros(self.shape), self.dtype)
        driver.stub_read(array.ctypes.data, self.address, array.nbytes)
        return decode(array, self.dtype)

    def like(self, array):
        isSame = array.dtype.kind == self.dtype.stored.kind
        return Tensor(array, self.dtype if isSame else None)

    def data_ptr(self):
        return self.address

    def numel(self):
        return math.prod(self.shape)

    def element_size(self):
        return self.dtype.size

    def to(self, kind):
        return Tensor(self.read(), kind)

    def long(self):
        return self.to(int64)

    def float(self):
        return self.to(float32)

    def contiguous(self):
        return self

    def transpose(self, a, b):
        return self.like(np.swapaxes(self.read(), a, b))

    @property
    def T(self):
        return self.transpose(0, 1)

    def reshape(self, *shape):
        return self.like(self.read().reshape(shape))

    view = reshape

    def flatten(self):
        return self.reshape(-1)

    def norm(self):
        return float(np.linalg.norm(self.read().astype(np.float64)))

    def copy_(self, other):
        self.write(other.read())
        return self

    def __getitem__(self, index):
        return self.like(self.read()[plain(index)])


def plain(value):
    return value.read() if isinstance(value, Tensor) else value


def operator(name):
    def apply(self, other):
        return self.like(getattr(np.ndarray, name)(self.read(), plain(other)))
    return apply


for name in ("add", "sub", "mul", "truediv", "ge", "lt", "and"):
    setattr(Tensor, f"__{name}__", operator(f"__{name}__"))
for name in ("add", "mul"):
    setattr(Tensor, f"__r{name}__", operator(f"__{name}__"))

random = np.random.default_rng(1)


def randn(*shape, device, dtype=float32):
    assert device == "cuda"
    return Tensor(random.standard_normal(shape), dtype)


def randint(low, high, shape, device, dtype):
    assert device == "cuda"
    return Tensor(random.integers(low, high, shape), dtype)


def tensor(array, device, dtype):
    assert device == "cuda"
    return Tensor(array, dtype)


def full_like(other, value):
    return Tensor(np.full(other.shape, value), other.dtype)


def ones_like(other):
    return full_like(other, 1)


def zeros_like(other):
    return full_like(other, 0)


empty_like = zeros_like


def matmul(a, b, out):
    return out.copy_(a.like(a.read() @ b.read()))


def tanh(x):
    return x.like(np.tanh(x.read()))


def no_grad():
    return contextlib.nullcontext()


def compile(function, mode="default", dynamic=None):
    assert mode in ("default", "reduce-overhead", "max-autotune",
                    "max-autotune-no-cudagraphs"), mode
    return function


from torch import autograd, cuda, nn, profiler, version  # noqa: E402,F401
