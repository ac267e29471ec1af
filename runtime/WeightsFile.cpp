//===- WeightsFile.cpp - where the weights' bytes come from ---------------===//
//
// Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// dl_iterate_phdr finds the object whose segments hold the library's tables. It
// names shared libraries as they were loaded and the program not at all;
// /proc/self/exe does that, whatever argv[0] or the working directory say. A
// library that was loaded by a relative path is found in the folder of that
// name or, where the working directory is another one now, by /proc/self/maps,
// which names what links point to.
//
//===----------------------------------------------------------------------===//
#include "WeightsFile.h"

#include "Errors.h"
#include "Memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace attnrt {

namespace {

struct ObjectSearch {
  uintptr_t address;
  char *path; ///< [PATH_MAX]
  bool found;
};

int visitObject(dl_phdr_info *object, size_t, void *context) {
  ObjectSearch &search = *static_cast<ObjectSearch *>(context);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = object->dlpi_phdr[i];
    uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
    if (segment.p_type != PT_LOAD || search.address < begin ||
        search.address - begin >= segment.p_memsz)
      continue;
    snprintf(search.path, PATH_MAX, "%s", object->dlpi_name);
    search.found = true;
    return 1;
  }
  return 0;
}

/// Writes the path of the file that `address` was loaded from.
bool findObject(const void *address, char *path) {
  ObjectSearch search = {reinterpret_cast<uintptr_t>(address), path, false};
  dl_iterate_phdr(visitObject, &search);
  if (search.found && path[0])
    return true;
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
  if (length <= 0)
    return false;
  path[length] = '\0';
  return true;
}

/// Reads a hexadecimal number at `text` and moves behind it.
uintptr_t readHex(const char *&text) {
  uintptr_t value = 0;
  for (;; ++text) {
    const char digit = *text;
    if (digit >= '0' && digit <= '9')
      value = value * 16 + (digit - '0');
    else if (digit >= 'a' && digit <= 'f')
      value = value * 16 + (digit - 'a' + 10);
    else
      return value;
  }
}

/// The path in a line of /proc/self/maps, "7f00-7f80 r--p 0000 08:01 42  /x",
/// if it is of the mapping that holds `address`; else NULL.
const char *pathOfMapping(const char *line, uintptr_t address) {
  const uintptr_t begin = readHex(line);
  if (*line != '-' || address < begin)
    return nullptr;
  ++line;
  return address < readHex(line) ? strchr(line, '/') : nullptr;
}

/// As findObject, by the whole path.
bool findMapping(const void *address, char *path) {
  int file = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return false;
  const uintptr_t sought = reinterpret_cast<uintptr_t>(address);
  char text[PATH_MAX + 256]; // a line at least
  size_t used = 0;
  bool isFound = false;
  while (!isFound) {
    ssize_t got = read(file, text + used, sizeof(text) - 1 - used);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    used += static_cast<size_t>(got);
    text[used] = '\0';
    char *line = text;
    while (char *end = isFound ? nullptr : strchr(line, '\n')) {
      *end = '\0';
      if (const char *found = pathOfMapping(line, sought))
        isFound = snprintf(path, PATH_MAX, "%s", found) < PATH_MAX;
      line = end + 1;
    }
    used -= static_cast<size_t>(line - text);
    memmove(text, line, used);
  }
  ::close(file);
  return isFound;
}

/// Makes the path of a library, or program, that of its weights.
void nameWeights(char *path, size_t capacity, const char *name) {
  char *slash = strrchr(path, '/');
  char *file = slash ? slash + 1 : path;
  snprintf(file, capacity - (file - path), "%s.weights", name);
}

bool isThere(const char *path) {
  int file = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file >= 0)
    ::close(file);
  return file >= 0 || (errno != ENOENT && errno != ENOTDIR);
}

} // namespace

attn_status WeightsFile::keepPath(const char *text, Memory &memory) {
  pathBytes = strlen(text) + 1;
  path = static_cast<char *>(memory.allocate(pathBytes, "the weights' path"));
  if (!path)
    return ATTN_ERROR_OUT_OF_MEMORY;
  memcpy(path, text, pathBytes);
  return ATTN_OK;
}

attn_status WeightsFile::map(const char *libraryName) {
  // O_NONBLOCK: a path to a FIFO must not wait for a writer.
  int file;
  do
    file = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  while (file < 0 && errno == EINTR);
  if (file < 0)
    return fail(ATTN_ERROR_IO,
                "%s: cannot open weights %s: %s (set options.weights_path if "
                "they lie elsewhere)",
                libraryName, path, systemError(errno));
  struct stat state;
  attn_status status = ATTN_OK;
  if (fstat(file, &state) != 0)
    status = fail(ATTN_ERROR_IO, "%s: cannot read weights %s: %s", libraryName,
                  path, systemError(errno));
  else if (!S_ISREG(state.st_mode))
    status = fail(ATTN_ERROR_IO, "%s: weights %s is not a regular file",
                  libraryName, path);
  else if (state.st_size < 8)
    status = fail(ATTN_ERROR_WEIGHTS,
                  "weights %s: %" PRId64 " bytes are no safetensors file, "
                  "which begins with 8 bytes of header length",
                  path, static_cast<int64_t>(state.st_size));
  if (status == ATTN_OK) {
    byteCount = static_cast<uint64_t>(state.st_size);
    void *memory = mmap(nullptr, byteCount, PROT_READ, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED) {
      status = fail(ATTN_ERROR_IO, "%s: cannot map weights %s: %s", libraryName,
                    path, systemError(errno));
    } else {
      bytes = static_cast<const unsigned char *>(memory);
      mapped = true;
      // Advice only: a kernel that declines costs speed, nothing else.
      (void)madvise(memory, byteCount, MADV_HUGEPAGE);
      (void)madvise(memory, byteCount, MADV_WILLNEED);
    }
  }
  ::close(file);
  return status;
}

attn_status WeightsFile::open(const attn_abi_library &library,
                              const attn_options &options, Memory &memory) {
  if (options.weights_data) {
    bytes = static_cast<const unsigned char *>(options.weights_data);
    byteCount = options.weights_size;
    origin = "in memory";
    return ATTN_OK;
  }
  if (!options.weights_path && library.embedded_weights) {
    bytes = library.embedded_weights;
    byteCount = library.embedded_weights_size;
    origin = "embedded in the library";
    return ATTN_OK;
  }
  attn_status status;
  if (options.weights_path) {
    status = keepPath(options.weights_path, memory);
  } else {
    char beside[PATH_MAX + 256];
    if (!findObject(&library, beside))
      return fail(ATTN_ERROR_IO,
                  "%s: cannot tell which file this library was loaded from; "
                  "set options.weights_path",
                  library.name);
    nameWeights(beside, sizeof(beside), library.name);
    // The working directory may have changed since the library was loaded.
    if (beside[0] != '/' && !isThere(beside) && findMapping(&library, beside))
      nameWeights(beside, sizeof(beside), library.name);
    status = keepPath(beside, memory);
  }
  return status == ATTN_OK ? map(library.name) : status;
}

void WeightsFile::close(Memory &memory) {
  if (mapped)
    munmap(const_cast<unsigned char *>(bytes), byteCount);
  memory.release(path, pathBytes);
  bytes = nullptr;
  path = nullptr;
  mapped = false;
}

} // namespace attnrt
