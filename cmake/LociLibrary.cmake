# SPDX-License-Identifier: Apache-2.0
# The library that is installed: all modules in one archive (or one shared object with
# BUILD_SHARED_LIBS), exported as loci::loci. Only include/loci is installed beside it.
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY LOCI_BUILT_MODULES)
set(objects "")
foreach(module IN LISTS modules)
  list(APPEND objects $<TARGET_OBJECTS:${module}>)
endforeach()
add_library(loci ${objects})
add_library(loci::loci ALIAS loci)
target_compile_features(loci PUBLIC cxx_std_20)
set_target_properties(loci PROPERTIES
  LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
target_include_directories(loci PUBLIC
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(loci PRIVATE xxhash::xxhash Threads::Threads)
if(LOCI_SQLITE STREQUAL "system")
  target_link_libraries(loci PRIVATE SQLite::SQLite3)
else()
  target_sources(loci PRIVATE $<TARGET_OBJECTS:loci_sqlite_amalgamation>)
  target_link_libraries(loci PRIVATE ${CMAKE_DL_LIBS} m)
endif()

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/loci")
install(TARGETS loci EXPORT lociTargets COMPONENT library)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/loci" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        COMPONENT library FILES_MATCHING PATTERN "*.h")
install(EXPORT lociTargets NAMESPACE loci:: DESTINATION "${config_dir}" COMPONENT library)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/lociConfig.cmake.in"
                              "${PROJECT_BINARY_DIR}/lociConfig.cmake"
                              INSTALL_DESTINATION "${config_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/lociConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/lociConfig.cmake"
              "${PROJECT_BINARY_DIR}/lociConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindXxhash.cmake"
        DESTINATION "${config_dir}" COMPONENT library)

# loci_program(TARGET): what a program of apps/ gets. It sees the public headers alone, but links the
# objects of all modules with the SQLite of LOCI_CLI_SQLITE instead of the installed library.
add_library(loci_program_base INTERFACE)
target_include_directories(loci_program_base INTERFACE "${PROJECT_SOURCE_DIR}/include")
target_link_libraries(loci_program_base INTERFACE
                      ${objects} xxhash::xxhash Threads::Threads loci_sqlite_program)

function(loci_program target)
  loci_target_defaults(${target})
  target_link_libraries(${target} PRIVATE loci_program_base)
  install(TARGETS ${target} COMPONENT program)
endfunction()
