# SPDX-License-Identifier: Apache-2.0
# Tests of what is shipped rather than of code: once, in the release preset, is enough.
option(LOCI_RELEASE_TESTS "Test installation, exported symbols and the cross-built NEON kernels" OFF)
if(NOT LOCI_RELEASE_TESTS)
  return()
endif()

add_test(NAME install.consumer
         COMMAND "${CMAKE_COMMAND}"
                 "-DBUILD_DIR=${PROJECT_BINARY_DIR}"
                 "-DCONSUMER_DIR=${PROJECT_SOURCE_DIR}/tests/install"
                 "-DWORK_DIR=${PROJECT_BINARY_DIR}/tests_install"
                 "-DCXX_COMPILER=${CMAKE_CXX_COMPILER}"
                 -P "${PROJECT_SOURCE_DIR}/tests/install/run.cmake")
set_tests_properties(install.consumer PROPERTIES TIMEOUT 300 LABELS release)

if(TARGET loci_cli AND LOCI_CLI_SQLITE STREQUAL "bundled")
  add_test(NAME symbols.program
           COMMAND "${PROJECT_SOURCE_DIR}/scripts/check_symbols" $<TARGET_FILE:loci_cli>)
  set_tests_properties(symbols.program PROPERTIES TIMEOUT 60 LABELS release)
endif()

if(TARGET loci_cli)
  add_test(NAME install.package
           COMMAND "${CMAKE_COMMAND}"
                   "-DBUILD_DIR=${PROJECT_BINARY_DIR}"
                   "-DWORK_DIR=${PROJECT_BINARY_DIR}/tests_package"
                   "-DCPACK=${CMAKE_CPACK_COMMAND}"
                   -P "${PROJECT_SOURCE_DIR}/tests/install/package.cmake")
  set_tests_properties(install.package PROPERTIES TIMEOUT 300 LABELS release)
endif()

add_test(NAME simd.neon COMMAND "${PROJECT_SOURCE_DIR}/scripts/test_neon")
set_tests_properties(simd.neon PROPERTIES TIMEOUT 600 LABELS release
                     WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
