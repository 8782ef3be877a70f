# SPDX-License-Identifier: Apache-2.0
# What only those who work on Loci need: tests, the compiler cache, the database for clang-tidy.
enable_testing()
find_package(GTest REQUIRED)
include(GoogleTest)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(LOCI_CCACHE ccache)
mark_as_advanced(LOCI_CCACHE)
if(LOCI_CCACHE)
  foreach(language IN ITEMS C CXX)
    if(NOT CMAKE_${language}_COMPILER_LAUNCHER)
      set(CMAKE_${language}_COMPILER_LAUNCHER "${LOCI_CCACHE}")
    endif()
  endforeach()
endif()
