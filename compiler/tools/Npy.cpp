//===- Npy.cpp - NumPy's file format ---------------------------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reads and writes .npy (NEP 1, version 1.0): magic, header length, a Python
// dictionary literal with descr, fortran_order and shape, then the elements.
//
//===----------------------------------------------------------------------===//
#include "compiler/package/Package.h"
#include "compiler/tools/Library.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <limits>

using namespace llvm;

namespace attnc::tools {

static Error npyError(StringRef path, const Twine &message) {
  return createStringError(inconvertibleErrorCode(),
                           "error[A0714]: '" + path + "': " + message);
}

/// The text after `'key':` in the header dictionary, leading spaces dropped.
static StringRef valueOf(StringRef header, StringRef key) {
  size_t at = header.find(("'" + key + "':").str());
  return at == StringRef::npos ? StringRef()
                               : header.drop_front(at + key.size() + 3).ltrim();
}

template <typename From, typename To>
static bool convertElements(StringRef bytes, std::vector<To> &out) {
  out.resize(bytes.size() / sizeof(From));
  for (size_t i = 0; i < out.size(); ++i) {
    From value = support::endian::read<From, endianness::little>(
        bytes.data() + i * sizeof(From));
    if (std::is_integral<From>::value) {
      if (value < static_cast<From>(std::numeric_limits<int32_t>::min()) ||
          value > static_cast<From>(std::numeric_limits<int32_t>::max()))
        return false;
    } else if (std::isfinite(value) &&
               std::fabs(value) > std::numeric_limits<float>::max()) {
      return false;
    }
    out[i] = static_cast<To>(value);
  }
  return true;
}

Expected<HostTensor> readNpy(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFile(path);
  if (!file)
    return npyError(path, "cannot be read: " + file.getError().message());
  StringRef data = (*file)->getBuffer();
  if (!data.starts_with("\x93NUMPY") || data.size() < 10)
    return npyError(path, "is not a .npy file");
  if (data[6] != 1) // before the length, whose width depends on it
    return npyError(path, "has .npy version " + Twine(int(data[6])) +
                              "; save it with numpy.save (version 1)");
  size_t length = support::endian::read16le(data.data() + 8);
  if (data.size() < 10 + length)
    return npyError(path, "ends within its header");
  StringRef header = data.substr(10, length);
  StringRef body = data.drop_front(10 + length);
  if (!valueOf(header, "fortran_order").starts_with("False"))
    return npyError(path, "is not in C order; save numpy.ascontiguousarray(x)");

  HostTensor tensor;
  uint64_t count = 1;
  StringRef shape = valueOf(header, "shape");
  if (!shape.consume_front("("))
    return npyError(path, "has a header without a shape");
  shape = shape.take_until([](char c) { return c == ')'; });
  for (StringRef dim : split(shape, ',')) {
    int64_t number;
    if (dim.trim().empty())
      continue;
    if (dim.trim().getAsInteger(10, number) || number < 0 ||
        (number > 0 && count > (uint64_t(1) << 40) / number))
      return npyError(path, "has the shape (" + shape + ")");
    tensor.shape.push_back(number);
    count *= number;
  }

  StringRef type =
      valueOf(header, "descr").drop_front(1).take_until([](char c) {
        return c == '\'';
      });
  if (!is_contained({"<f4", "<f8", "<i4", "<i8"}, type))
    return npyError(path, "has elements of type '" + type +
                              "'; expected f4, f8, i4 or i8, little-endian");
  unsigned width = type.ends_with("4") ? 4 : 8;
  if (body.size() != count * width)
    return npyError(path, "holds " + Twine(body.size()) +
                              " bytes; its shape (" + shape + ") of " + type +
                              " needs " + Twine(count * width));
  tensor.isInteger = type == "<i4" || type == "<i8";
  bool fits = true;
  if (type == "<f4")
    fits = convertElements<float>(body, tensor.numbers);
  else if (type == "<f8")
    fits = convertElements<double>(body, tensor.numbers);
  else if (type == "<i4")
    fits = convertElements<int32_t>(body, tensor.integers);
  else
    fits = convertElements<int64_t>(body, tensor.integers);
  if (!fits)
    return npyError(path, "holds a number that does not fit 32 bits");
  return tensor;
}

Error writeNpy(StringRef path, const HostTensor &tensor) {
  std::string header = "{'descr': '";
  header += tensor.isInteger ? "<i4" : "<f4";
  header += "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : tensor.shape)
    header += itostr(dim) + ",";
  header += "), }";
  header.append(alignTo(10 + header.size() + 1, 64) - 10 - header.size() - 1,
                ' ');
  header += '\n';
  std::error_code code;
  raw_fd_ostream os(path, code);
  if (code)
    return npyError(path, "cannot be written: " + code.message());
  os << StringRef("\x93NUMPY\x01\x00", 8);
  char length[2];
  support::endian::write16le(length, header.size());
  os << StringRef(length, 2) << header;
  os.write(tensor.isInteger
               ? reinterpret_cast<const char *>(tensor.integers.data())
               : reinterpret_cast<const char *>(tensor.numbers.data()),
           tensor.bytes());
  os.close();
  if (os.has_error()) {
    code = os.error();
    os.clear_error();
    removeUnfinished(path);
    return npyError(path, "cannot be written: " + code.message());
  }
  return Error::success();
}

} // namespace attnc::tools
