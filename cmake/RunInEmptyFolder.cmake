# SPDX-License-Identifier: Apache-2.0
# cmake -DPROGRAM= -DWORK_DIR= -P RunInEmptyFolder.cmake
file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}")
execute_process(COMMAND "${PROGRAM}" WORKING_DIRECTORY "${WORK_DIR}" RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM}: exit ${result}")
endif()
file(REMOVE_RECURSE "${WORK_DIR}")
