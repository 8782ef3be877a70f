# SPDX-License-Identifier: Apache-2.0
# One folder of src/ = one module = one library target, all alike.
# -Wno-restrict: GCC 12 warns falsely about std::string's operator+ (its bug 105651).
set(LOCI_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-restrict)

# What every C++ target of Loci gets.
function(loci_target_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(LOCI_DEVELOPER_MODE)
    target_compile_options(${target} PRIVATE ${LOCI_WARNINGS})
  endif()
endfunction()

# loci_test_defaults(TARGET)   the same of code that only tests, with what the preset wants of it
# besides: LOCI_TEST_OPTIONS.
function(loci_test_defaults target)
  loci_target_defaults(${target})
  target_compile_options(${target} PRIVATE ${LOCI_TEST_OPTIONS})
endfunction()

# loci_module(NAME SOURCES file... [DEPS dependency...])
# Makes loci_NAME. A dependency is a module ("base"), a short name ("xxhash", "sqlite_headers",
# "threads") or a target.
function(loci_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "loci_module(${name}): not understood: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  set(target loci_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  loci_target_defaults(${target})
  target_include_directories(${target} PUBLIC
    "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")
  if(name STREQUAL "base")
    target_compile_definitions(${target} PRIVATE "LOCI_VERSION=\"${PROJECT_VERSION}\"")
  elseif(name STREQUAL "sqlite")
    target_link_libraries(${target} PRIVATE loci_sqlite_headers)
  endif()
  foreach(dep IN LISTS arg_DEPS)
    if(dep IN_LIST LOCI_MODULES)
      target_link_libraries(${target} PUBLIC loci_${dep})
    elseif(dep STREQUAL "xxhash")
      target_link_libraries(${target} PUBLIC xxhash::xxhash)
    elseif(dep STREQUAL "threads")
      target_link_libraries(${target} PUBLIC Threads::Threads)
    elseif(dep STREQUAL "sqlite_headers")
      target_link_libraries(${target} PRIVATE loci_sqlite_headers)
    else()
      target_link_libraries(${target} PUBLIC ${dep})
    endif()
  endforeach()
  set_property(GLOBAL APPEND PROPERTY LOCI_BUILT_MODULES ${target})
endfunction()

# loci_test(NAME file...)
# Makes one GoogleTest program loci_NAME_test out of the tests of module NAME; every test of it is
# one test of ctest.
function(loci_test name)
  if(NOT LOCI_DEVELOPER_MODE)
    return()
  endif()
  set(target loci_${name}_test)
  add_executable(${target} ${ARGN})
  loci_test_defaults(${target})
  target_link_libraries(${target} PRIVATE loci_${name} loci_sqlite_runtime GTest::gtest_main)
  if(name STREQUAL "sqlite")
    target_link_libraries(${target} PRIVATE loci_sqlite_headers)
  endif()
  # PRE_TEST: the programs are run when ctest starts, under the environment of the test preset,
  # never while building.
  gtest_discover_tests(${target} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 300 LABELS unit)
endfunction()
