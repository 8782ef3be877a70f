# SPDX-License-Identifier: Apache-2.0
# Defines xxhash::xxhash. Installed beside lociConfig.cmake: Debian's libxxhash-dev has no config.
find_path(XXHASH_INCLUDE_DIR xxhash.h)
find_library(XXHASH_LIBRARY xxhash)
mark_as_advanced(XXHASH_INCLUDE_DIR XXHASH_LIBRARY)

if(XXHASH_INCLUDE_DIR AND NOT XXHASH_VERSION)
  set(xxhash_parts "")
  foreach(part IN ITEMS MAJOR MINOR RELEASE)
    file(STRINGS "${XXHASH_INCLUDE_DIR}/xxhash.h" line
         REGEX "^#define XXH_VERSION_${part} +[0-9]+" LIMIT_COUNT 1)
    string(REGEX MATCH "[0-9]+$" number "${line}")
    list(APPEND xxhash_parts "${number}")
  endforeach()
  list(JOIN xxhash_parts "." XXHASH_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xxhash REQUIRED_VARS XXHASH_LIBRARY XXHASH_INCLUDE_DIR
                                  VERSION_VAR XXHASH_VERSION)
if(Xxhash_FOUND AND NOT TARGET xxhash::xxhash)
  add_library(xxhash::xxhash UNKNOWN IMPORTED)
  set_target_properties(xxhash::xxhash PROPERTIES
    IMPORTED_LOCATION "${XXHASH_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${XXHASH_INCLUDE_DIR}")
endif()
