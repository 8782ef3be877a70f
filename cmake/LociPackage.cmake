# SPDX-License-Identifier: Apache-2.0
# cmake --build --preset release --target package: one .deb and one .tar.gz in build/release.
set(CPACK_GENERATOR "DEB;TGZ")
set(CPACK_PACKAGE_NAME "loci")
set(CPACK_PACKAGE_VENDOR "The Loci authors")
set(CPACK_PACKAGE_CONTACT "The Loci authors <loci@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_PACKAGE_FILE_NAME "loci-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION "database")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Whoever compiles against the package needs the headers and libraries that the archive links.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libsqlite3-dev (>= ${LOCI_SQLITE_MINIMUM}), libxxhash-dev")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/CHANGELOG.md"
        DESTINATION "${CMAKE_INSTALL_DOCDIR}")
include(CPack)
