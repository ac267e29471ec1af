# ===- DebianFiles.cmake - what Debian asks of a package -------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# CPack runs it on the staged tree: the licence is named copyright, the manual
# page and the list of changes are compressed.
#
# ===----------------------------------------------------------------------===//
set(root "${CPACK_TEMPORARY_DIRECTORY}${CPACK_PACKAGING_INSTALL_PREFIX}")
set(documents "${root}/share/doc/attnc")
file(RENAME "${documents}/LICENSE" "${documents}/copyright")
file(RENAME "${documents}/CHANGELOG.md" "${documents}/changelog")
execute_process(
  COMMAND gzip -9n "${documents}/changelog" "${root}/share/man/man1/attnc.1"
  COMMAND_ERROR_IS_FATAL ANY)
