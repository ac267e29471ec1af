# LLVM and MLIR for every room that includes them: found once, linked as dylibs,
# and one precompiled header that all compiler libraries share.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
# mlir_tablegen takes its search path from the directory's includes.
include_directories(SYSTEM ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
include_directories(${PROJECT_SOURCE_DIR})
separate_arguments(ATTNC_LLVM_DEFINITIONS NATIVE_COMMAND "${LLVM_DEFINITIONS}")

# Options of everything that includes LLVM: as Debian's LLVM was built.
add_library(attnc_llvm INTERFACE)
target_include_directories(attnc_llvm SYSTEM INTERFACE
  ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_include_directories(attnc_llvm INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(attnc_llvm INTERFACE ${ATTNC_LLVM_DEFINITIONS})
target_compile_options(attnc_llvm INTERFACE
  -fno-exceptions $<$<NOT:$<BOOL:${LLVM_ENABLE_RTTI}>>:-fno-rtti>
  -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
  -fvisibility-inlines-hidden)
target_link_libraries(attnc_llvm INTERFACE MLIR LLVM)

# The shared precompiled header; LLVM's headers cost seconds per file otherwise.
add_library(attnc_pch OBJECT ${PROJECT_SOURCE_DIR}/compiler/Precompiled.cpp)
target_link_libraries(attnc_pch PUBLIC attnc_llvm)
target_precompile_headers(attnc_pch PRIVATE
  "$<$<COMPILE_LANGUAGE:CXX>:${PROJECT_SOURCE_DIR}/compiler/Precompiled.h>")

# attnc_add_room(NAME SOURCES... [LINK libs...] [DEPENDS targets...])
# One static library per room of the compiler.
function(attnc_add_room NAME)
  cmake_parse_arguments(ROOM "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${NAME} STATIC ${ROOM_UNPARSED_ARGUMENTS})
  target_link_libraries(${NAME} PUBLIC attnc_llvm ${ROOM_LINK})
  target_precompile_headers(${NAME} REUSE_FROM attnc_pch)
  if(ROOM_DEPENDS)
    add_dependencies(${NAME} ${ROOM_DEPENDS})
  endif()
endfunction()

# attnc_add_unit_test(NAME SOURCES... [LINK libs...])
# A GoogleTest program of the compiler, run by ctest.
function(attnc_add_unit_test NAME)
  cmake_parse_arguments(UNIT "" "" "LINK" ${ARGN})
  add_executable(${NAME} ${UNIT_UNPARSED_ARGUMENTS})
  target_link_libraries(${NAME} PRIVATE ${UNIT_LINK} attnc_llvm GTest::gtest
                        GTest::gtest_main Threads::Threads)
  target_precompile_headers(${NAME} REUSE_FROM attnc_pch)
  add_test(NAME ${NAME} COMMAND ${NAME})
endfunction()
