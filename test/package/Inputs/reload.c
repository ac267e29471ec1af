/*===- reload.c - loads and unloads a library ------------------------------===*
 *
 * Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * reload LIBRARY: dlopen, work with threads, dlclose, a thousand times; neither
 * threads nor mappings nor memory stay behind.
 *
 *===----------------------------------------------------------------------===*/
#define _GNU_SOURCE /* dirent's d_name, dlopen */
#include "attn/attn.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef const attn_library *(*library_function)(void);

static int count_entries(const char *path) {
  DIR *directory = opendir(path);
  int count = 0;
  while (directory && readdir(directory))
    count++;
  if (directory)
    closedir(directory);
  return count;
}

/* Lines of this process's map that hold `text`; its resident kilobytes. */
static int count_maps(const char *text) {
  FILE *file = fopen("/proc/self/maps", "r");
  char line[4096];
  int count = 0;
  while (file && fgets(line, sizeof(line), file))
    count += strstr(line, text) != NULL;
  if (file)
    fclose(file);
  return count;
}

static long resident(void) {
  FILE *file = fopen("/proc/self/statm", "r");
  long total = 0, pages = 0;
  if (!file || fscanf(file, "%ld %ld", &total, &pages) != 2)
    pages = -1;
  if (file)
    fclose(file);
  return pages * 4;
}

static int use(const char *path) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    fprintf(stderr, "%s\n", dlerror());
    return 0;
  }
  library_function function;
  void *symbol = dlsym(handle, "tiny_library");
  memcpy(&function, &symbol, sizeof(function));
  const attn_library *library = function();
  attn_options options = ATTN_OPTIONS_INIT;
  options.threads = 3;
  attn_model *model = NULL;
  attn_session *session = NULL;
  const char *text = "a cat";
  float out[12];
  int good = library->open(&options, &model) == ATTN_OK &&
             library->session_open(model, &session) == ATTN_OK &&
             library->encode_text(session, 1, &text, NULL, out) == ATTN_OK;
  if (!good)
    fprintf(stderr, "%s\n", library->last_error());
  library->session_close(session);
  library->close(model);
  return dlclose(handle) == 0 && good;
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  int threads = 0, files = 0;
  long memory = 0;
  for (int i = 0; i < 1000; i++) {
    if (!use(argv[1]))
      return 1;
    if (i == 9) { /* what the C library keeps is there by now */
      threads = count_entries("/proc/self/task");
      files = count_entries("/proc/self/fd");
      memory = resident();
    }
  }
  int maps = count_maps("tiny");
  int good = count_entries("/proc/self/task") == threads &&
             count_entries("/proc/self/fd") == files && maps == 0 &&
             resident() - memory < 512;
  printf("%s: tasks %+d, files %+d, mappings of the library %d, kB %+ld\n",
         good ? "clean" : "LEAK", count_entries("/proc/self/task") - threads,
         count_entries("/proc/self/fd") - files, maps, resident() - memory);
  return !good;
}
