# ===- attncAddModel.cmake - a model as part of a build --------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
# attnc_add_model(NAME MODEL path [TARGET name...] [GEMM openblas]
#                 [EMBED_WEIGHTS] [STATIC] [OPTIONS option...]
#                 [DEPENDS file...])
#
#   Compiles the folder, .gguf or .mlir file `path` when something that is built
#   needs it, and again when one of its files or attnc itself changes.
#
#   NAME           target of the shared library (of the archive with STATIC):
#                  link it and include "NAME.h"
#   NAME_static    target of the archive
#   NAME_WEIGHTS   variable: the weights file, to install it; empty with
#                  EMBED_WEIGHTS. The shared library finds it beside itself.
#   TARGET         what `attnc targets` lists (default: native; required when
#                  cross-compiling)
#   OPTIONS        more options of `attnc compile`, as they are
#   DEPENDS        further files that the model is made of
#
# attnc_copy_weights(PROGRAM NAME...)
#
#   Puts the weights beside a program that links NAME_static, where the library
#   looks for them.
#
# ===----------------------------------------------------------------------===//

# As written for, whatever the project asks of its own code.
cmake_policy(VERSION 3.13...3.25)

# Stops with a message unless the build can use what attnc makes.
function(_attnc_check_machine NAME TARGETS)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux" OR
     (CMAKE_SYSTEM_PROCESSOR AND
      NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$"))
    message(FATAL_ERROR "attnc_add_model(${NAME}): attnc compiles for Linux on "
      "x86-64; this build is for ${CMAKE_SYSTEM_NAME} on "
      "${CMAKE_SYSTEM_PROCESSOR}.")
  endif()
  if(CMAKE_CROSSCOMPILING AND "native" IN_LIST TARGETS)
    message(FATAL_ERROR "attnc_add_model(${NAME}): this is a cross build, in "
      "which TARGET native would mean the building machine. Give the processor "
      "that the program runs on, such as TARGET x86-64-v3; `attnc targets` "
      "lists them.")
  endif()
endfunction()

# Sets RESULT to the libraries that the archive needs beyond libc.
function(_attnc_static_needs NAME TARGETS GEMM RESULT)
  if("native" IN_LIST TARGETS)
    get_target_property(attnc attnc::attnc IMPORTED_LOCATION)
    execute_process(COMMAND "${attnc}" targets
      OUTPUT_VARIABLE listed RESULT_VARIABLE code)
    if(NOT code STREQUAL "0")
      message(FATAL_ERROR "attnc_add_model(${NAME}): ${attnc} does not run: "
        "${code}.")
    endif()
    string(REGEX MATCH "(^|\n)([^ \n]+)[^\n]*\\(native\\)" line "${listed}")
    list(APPEND TARGETS ${CMAKE_MATCH_2})
  endif()
  set(needs pthread)
  if(GEMM STREQUAL "openblas" OR "x86-64" IN_LIST TARGETS)
    find_library(attnc_OPENBLAS NAMES openblas libopenblas.so.0)
    mark_as_advanced(attnc_OPENBLAS)
    if(attnc_OPENBLAS)
      list(APPEND needs "${attnc_OPENBLAS}")
    else()
      list(APPEND needs openblas)
    endif()
  endif()
  set(${RESULT} "${needs}" PARENT_SCOPE)
endfunction()

function(_attnc_import TARGET KIND DIRECTORY FILE)
  add_library(${TARGET} ${KIND} IMPORTED GLOBAL)
  set_target_properties(${TARGET} PROPERTIES
    IMPORTED_LOCATION "${DIRECTORY}/${FILE}"
    INTERFACE_INCLUDE_DIRECTORIES "${DIRECTORY}")
  if(KIND STREQUAL "SHARED")
    set_target_properties(${TARGET} PROPERTIES IMPORTED_SONAME "${FILE}")
  endif()
endfunction()

function(attnc_add_model NAME)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "EMBED_WEIGHTS;STATIC" "MODEL;GEMM"
                        "TARGET;OPTIONS;DEPENDS")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "attnc_add_model(${NAME}): '${ARG_UNPARSED_ARGUMENTS}' "
      "is not understood; expected MODEL, TARGET, GEMM, EMBED_WEIGHTS, STATIC, "
      "OPTIONS or DEPENDS.")
  endif()
  if(NOT NAME MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "attnc_add_model(${NAME}): the name begins the "
      "library's functions; take letters, digits and '_', not starting with a "
      "digit.")
  endif()
  if(NOT ARG_MODEL)
    message(FATAL_ERROR "attnc_add_model(${NAME}): no MODEL; give a folder, a "
      ".gguf or an .mlir file.")
  endif()
  get_filename_component(model "${ARG_MODEL}" ABSOLUTE)
  if(NOT EXISTS "${model}")
    message(FATAL_ERROR "attnc_add_model(${NAME}): MODEL ${model} is not there.")
  endif()
  if(NOT ARG_TARGET)
    set(ARG_TARGET native)
  endif()
  string(REPLACE "," ";" ARG_TARGET "${ARG_TARGET}")
  _attnc_check_machine(${NAME} "${ARG_TARGET}")
  _attnc_static_needs(${NAME} "${ARG_TARGET}" "${ARG_GEMM}" needs)

  set(inputs "${model}")
  if(IS_DIRECTORY "${model}")
    file(GLOB_RECURSE inputs CONFIGURE_DEPENDS LIST_DIRECTORIES OFF
      RELATIVE "${model}" "${model}/*")
    list(FILTER inputs EXCLUDE REGEX "(^|/)\\.[^/]*/") # .git and caches
    list(TRANSFORM inputs PREPEND "${model}/")
  endif()
  set(directory "${CMAKE_CURRENT_BINARY_DIR}/attnc/${NAME}")
  file(MAKE_DIRECTORY "${directory}")
  list(JOIN ARG_TARGET "," targets)
  set(options --name=${NAME} --target=${targets})
  set(outputs lib${NAME}.so lib${NAME}.a ${NAME}.h attn/attn.h attn/text.h)
  if(ARG_GEMM)
    list(APPEND options --gemm=${ARG_GEMM})
  endif()
  if(ARG_EMBED_WEIGHTS)
    list(APPEND options --embed-weights)
    set(${NAME}_WEIGHTS "" PARENT_SCOPE)
  else()
    list(APPEND outputs ${NAME}.weights)
    set(${NAME}_WEIGHTS "${directory}/${NAME}.weights" PARENT_SCOPE)
  endif()
  list(TRANSFORM outputs PREPEND "${directory}/")
  add_custom_command(OUTPUT ${outputs}
    COMMAND attnc::attnc compile "${model}" -o "${directory}" -q ${options}
            ${ARG_OPTIONS}
    DEPENDS "$<TARGET_FILE:attnc::attnc>" ${inputs} ${ARG_DEPENDS}
    WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}"
    COMMENT "Compiling the model ${NAME}"
    VERBATIM)
  add_custom_target(${NAME}_compile DEPENDS ${outputs})

  if(ARG_STATIC)
    _attnc_import(${NAME} STATIC "${directory}" lib${NAME}.a)
    set_target_properties(${NAME} PROPERTIES INTERFACE_LINK_LIBRARIES "${needs}")
  else()
    _attnc_import(${NAME} SHARED "${directory}" lib${NAME}.so)
  endif()
  _attnc_import(${NAME}_static STATIC "${directory}" lib${NAME}.a)
  set_target_properties(${NAME}_static PROPERTIES
    INTERFACE_LINK_LIBRARIES "${needs}")
  if(NOT ARG_EMBED_WEIGHTS)
    set_property(TARGET ${NAME} PROPERTY ATTNC_WEIGHTS
      "${directory}/${NAME}.weights")
  endif()
  set_property(TARGET ${NAME} PROPERTY ATTNC_MODEL "${model}")
  add_dependencies(${NAME} ${NAME}_compile)
  add_dependencies(${NAME}_static ${NAME}_compile)
endfunction()

function(attnc_copy_weights PROGRAM)
  foreach(name IN LISTS ARGN)
    set(model)
    if(TARGET ${name})
      get_target_property(model ${name} ATTNC_MODEL)
    endif()
    if(NOT model)
      message(FATAL_ERROR "attnc_copy_weights(${PROGRAM}): ${name} is not a "
        "model that attnc_add_model added.")
    endif()
    get_target_property(weights ${name} ATTNC_WEIGHTS)
    if(weights)
      add_custom_command(TARGET ${PROGRAM} POST_BUILD
        COMMAND ${CMAKE_COMMAND} -E copy_if_different "${weights}"
                $<TARGET_FILE_DIR:${PROGRAM}>
        VERBATIM)
    endif()
  endforeach()
endfunction()
