/* Opens a library without its header: host LIBRARY FUNCTION. */
#include <attn/attn.h>
#include <attn/text.h>
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  const attn_library *(*entry)(void);
  *(void **)&entry = dlsym(handle, argv[2]);
  if (!entry || entry()->abi_version != ATTN_ABI_VERSION)
    return 1;
  printf("%s, ABI version %u\n", entry()->name, (unsigned)entry()->abi_version);
  return dlclose(handle);
}
