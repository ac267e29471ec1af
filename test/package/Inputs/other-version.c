/*===- other-version.c - a library as another attnc would give it ----------===
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * libother.so, beside a compiled library REAL: its table, cut or longer, its
 * functions and its weights. Memory ends where the table ends.
 *
 *   REAL         the compiled library's name
 *   TABLE_BYTES  of the table; what is behind attn_library's members are
 *                addresses where nothing is
 *   VERSION      the ABI version; of another one only that and the size are
 *                there
 *   DESCRIPTION  a header with describe()'s text, as numbers
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE
#include "attn/attn.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define JOIN(name, function) name##function
#define LIBRARY_OF(name) JOIN(name, _library)

const attn_library *LIBRARY_OF(REAL)(void);
const attn_library *other_library(void);

static const char *describe(void) {
  static const char text[] = {
#include DESCRIPTION
      , 0};
  return text;
}

const attn_library *other_library(void) {
  static attn_library *table;
  if (table)
    return table;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE))
    abort();
  table = (attn_library *)(pages + page - (TABLE_BYTES));
  memset(table, 0x11, TABLE_BYTES);
  size_t known = TABLE_BYTES;
  if (known > sizeof(attn_library))
    known = sizeof(attn_library);
  if (VERSION == ATTN_ABI_VERSION)
    memcpy(table, LIBRARY_OF(REAL)(), known);
  table->struct_size = TABLE_BYTES;
  table->abi_version = VERSION;
  if (VERSION == ATTN_ABI_VERSION)
    table->describe = describe;
  return table;
}
