# ===- Install.cmake - what is installed, and the Debian package ----------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# The tree can be moved as a whole: attnc carries runtime, headers and linker
# inside, and the CMake package and attnc.pc find the rest from where they lie.
#
#   cmake --install build --prefix /opt/attnc     DESTDIR is respected
#   cmake --build build --target uninstall        what the last install wrote
#   cpack --config build/CPackConfig.cmake        attnc_VERSION_amd64.deb
#
# ===----------------------------------------------------------------------===//
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(attnc_cmake ${PROJECT_SOURCE_DIR}/compiler/package/cmake)
set(attnc_written ${PROJECT_BINARY_DIR}/compiler/package)
# One place whatever the distribution calls its library folder: nothing below it
# depends on the machine.
set(attnc_cmake_folder lib/cmake/attnc)

# The tools. A search path for LLVM only where it lies outside the system's own
# folders, which is where Debian keeps libMLIR.
set_target_properties(attnc attn-opt attn-lsp-server PROPERTIES
  INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS attnc attn-opt attn-lsp-server
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES include/attn/attn.h include/attn/text.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/attn)

# For CMake and pkg-config.
configure_package_config_file(${attnc_cmake}/attncConfig.cmake.in
  ${attnc_written}/attncConfig.cmake
  INSTALL_DESTINATION ${attnc_cmake_folder}
  PATH_VARS CMAKE_INSTALL_BINDIR CMAKE_INSTALL_INCLUDEDIR
  NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a minor version may change what it promises. The package itself
# serves builds for any machine: attnc runs on the building one.
write_basic_package_version_file(
  ${attnc_written}/attncConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${attnc_written}/attncConfig.cmake
              ${attnc_written}/attncConfigVersion.cmake
              ${attnc_cmake}/attncAddModel.cmake
  DESTINATION ${attnc_cmake_folder})
configure_file(${attnc_cmake}/attnc.pc.in ${PROJECT_BINARY_DIR}/share/attnc.pc
  @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/share/attnc.pc
  DESTINATION share/pkgconfig)

# For people.
install(FILES ${PROJECT_BINARY_DIR}/share/attnc.1 DESTINATION share/man/man1)
install(FILES ${PROJECT_BINARY_DIR}/share/attnc.bash
  DESTINATION share/bash-completion/completions RENAME attnc)
install(FILES LICENSE README.md CHANGELOG.md compiler/package/VERSIONS.md
  DESTINATION share/doc/attnc)

configure_file(${attnc_cmake}/Uninstall.cmake.in
  ${attnc_written}/Uninstall.cmake @ONLY)
add_custom_target(uninstall
  COMMAND ${CMAKE_COMMAND} -P ${attnc_written}/Uninstall.cmake
  COMMENT "Removing what the last installation wrote"
  VERBATIM)

# The Debian package.
set(ATTNC_MAINTAINER "attnc maintainers <maintainers@attnc.invalid>" CACHE STRING
    "Name and address of who maintains the package")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME attnc)
set(CPACK_PACKAGE_VENDOR attnc)
set(CPACK_PACKAGE_CONTACT "${ATTNC_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${attnc_cmake}/DebianFiles.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Only libraries made with --gemm=openblas, or for x86-64, need it.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libopenblas0")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PACKAGE_DESCRIPTION
"attnc makes a C library, a header and a weights file from the folder of an
encoder or a language model, from a GGUF file, or from a program in its attn
dialect. The library needs libc and nothing else at run time.")
include(CPack)
