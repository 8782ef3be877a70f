# SPDX-License-Identifier: Apache-2.0
# The two SQLites. Every module is compiled once, against the headers of LOCI_SQLITE, and uses only
# the interface present in LOCI_SQLITE_MINIMUM; which SQLite runs is decided when a binary is linked.
#   loci_sqlite_headers   include path alone; for src/sqlite
#   loci_sqlite_runtime   what the library and the tests link
#   loci_sqlite_program   what the program links
set(LOCI_SQLITE_MINIMUM 3.38)
set(LOCI_SQLITE_BUNDLED_VERSION 3.53.2)
set(LOCI_SQLITE_BUNDLED_DIR
    "${PROJECT_SOURCE_DIR}/build/deps/sqlite-${LOCI_SQLITE_BUNDLED_VERSION}"
    CACHE PATH "Where scripts/bootstrap has unpacked SQLite's amalgamation")

add_library(loci_sqlite_headers INTERFACE)
add_library(loci_sqlite_runtime INTERFACE)
add_library(loci_sqlite_program INTERFACE)

if(LOCI_SQLITE STREQUAL "bundled" OR (LOCI_BUILD_CLI AND LOCI_CLI_SQLITE STREQUAL "bundled"))
  foreach(file IN ITEMS sqlite3.c sqlite3.h)
    if(NOT EXISTS "${LOCI_SQLITE_BUNDLED_DIR}/${file}")
      message(FATAL_ERROR "${LOCI_SQLITE_BUNDLED_DIR}/${file} is missing: run scripts/bootstrap "
                          "(or choose -DLOCI_SQLITE=system -DLOCI_CLI_SQLITE=system)")
    endif()
  endforeach()
  # An object library: its symbols are resolved whatever the order of the archives on the link line.
  # Hidden visibility keeps them inside the binary, so that another SQLite in the same process is
  # never bound to ours (tests/symbols asserts it).
  add_library(loci_sqlite_amalgamation OBJECT "${LOCI_SQLITE_BUNDLED_DIR}/sqlite3.c")
  target_include_directories(loci_sqlite_amalgamation SYSTEM
                             INTERFACE "${LOCI_SQLITE_BUNDLED_DIR}")
  target_compile_definitions(loci_sqlite_amalgamation PRIVATE
    SQLITE_THREADSAFE=1
    SQLITE_DEFAULT_MEMSTATUS=0
    SQLITE_DQS=0
    SQLITE_ENABLE_COLUMN_METADATA
    SQLITE_ENABLE_DBSTAT_VTAB
    SQLITE_ENABLE_FTS5
    SQLITE_ENABLE_MATH_FUNCTIONS
    SQLITE_ENABLE_PREUPDATE_HOOK
    SQLITE_ENABLE_SESSION
    SQLITE_ENABLE_STMTVTAB
    SQLITE_USE_URI=1)
  set_target_properties(loci_sqlite_amalgamation PROPERTIES
    COMPILE_WARNING_AS_ERROR OFF
    EXPORT_COMPILE_COMMANDS OFF)
  target_compile_options(loci_sqlite_amalgamation PRIVATE -w)
  target_link_libraries(loci_sqlite_amalgamation PUBLIC Threads::Threads ${CMAKE_DL_LIBS} m)
endif()

if(LOCI_SQLITE STREQUAL "system" OR LOCI_CLI_SQLITE STREQUAL "system")
  find_package(SQLite3 ${LOCI_SQLITE_MINIMUM} REQUIRED)
endif()
if(LOCI_SQLITE STREQUAL "system")
  target_include_directories(loci_sqlite_headers SYSTEM INTERFACE ${SQLite3_INCLUDE_DIRS})
  target_link_libraries(loci_sqlite_runtime INTERFACE SQLite::SQLite3)
else()
  target_include_directories(loci_sqlite_headers SYSTEM INTERFACE "${LOCI_SQLITE_BUNDLED_DIR}")
  target_link_libraries(loci_sqlite_runtime INTERFACE
    $<TARGET_OBJECTS:loci_sqlite_amalgamation> Threads::Threads ${CMAKE_DL_LIBS} m)
endif()
if(LOCI_CLI_SQLITE STREQUAL "system")
  target_link_libraries(loci_sqlite_program INTERFACE SQLite::SQLite3)
else()
  target_link_libraries(loci_sqlite_program INTERFACE
    $<TARGET_OBJECTS:loci_sqlite_amalgamation> Threads::Threads ${CMAKE_DL_LIBS} m)
endif()
