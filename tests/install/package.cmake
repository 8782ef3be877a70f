# SPDX-License-Identifier: Apache-2.0
# cmake -DBUILD_DIR= -DWORK_DIR= -DCPACK= -P package.cmake
# Makes the .deb and the .tar.gz, unpacks both, runs the program of each.
function(run out)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nexit ${result}\n${text}")
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}/deb" "${WORK_DIR}/tgz")
run(out "${CPACK}" --config "${BUILD_DIR}/CPackConfig.cmake" -B "${WORK_DIR}")
file(GLOB deb "${WORK_DIR}/*.deb")
file(GLOB tgz "${WORK_DIR}/*.tar.gz")
run(out dpkg-deb --extract "${deb}" "${WORK_DIR}/deb")
run(out "${CMAKE_COMMAND}" -E chdir "${WORK_DIR}/tgz" "${CMAKE_COMMAND}" -E tar xzf "${tgz}")

foreach(unpacked IN ITEMS deb tgz)
  file(GLOB_RECURSE program "${WORK_DIR}/${unpacked}/loci")
  list(FILTER program INCLUDE REGEX "/bin/loci$")
  file(GLOB_RECURSE config "${WORK_DIR}/${unpacked}/*/lociConfig.cmake")
  file(GLOB_RECURSE library "${WORK_DIR}/${unpacked}/*/libloci.*")
  list(LENGTH program programs)
  if(NOT programs EQUAL 1 OR NOT config OR NOT library)
    message(FATAL_ERROR "${unpacked}: program '${program}', config '${config}', "
                        "library '${library}', expected one of each")
  endif()
  run(out "${program}" --version)
  message(STATUS "${unpacked}: ${out}")
endforeach()
file(REMOVE_RECURSE "${WORK_DIR}")
