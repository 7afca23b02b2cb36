# Looks for XNNPACK, which brings neither a CMake package nor a pkg-config file, and finds out which of the two interfaces known to
# src/backend/xnnpack_api.h it has: the one that file compiles with. Sets CONVWISE_WITH_XNNPACK, XNNPACK_RESHAPE, XNNPACK_VERSION.
include(CheckCSourceCompiles)
set(CONVWISE_WITH_XNNPACK 0)
if(CONVWISE_XNNPACK)
  find_library(XNNPACK_LIBRARY XNNPACK)
  find_library(PTHREADPOOL_LIBRARY pthreadpool)
  find_path(XNNPACK_INCLUDE xnnpack.h)
  find_path(PTHREADPOOL_INCLUDE pthreadpool.h)
endif()

function(xnnpack_try reshape result)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # nothing to link: do the declarations fit?
  set(CMAKE_REQUIRED_INCLUDES ${XNNPACK_INCLUDE} ${PTHREADPOOL_INCLUDE})
  set(CMAKE_REQUIRED_FLAGS "-Werror=implicit-function-declaration -Werror=incompatible-pointer-types -Werror=int-conversion")
  set(CMAKE_REQUIRED_QUIET ON)
  check_c_source_compiles("#define CW_XNNPACK_RESHAPE ${reshape}
#include \"${CMAKE_SOURCE_DIR}/src/backend/xnnpack_api.h\"
int main(void) { return 0; }" ${result})
endfunction()

if(CONVWISE_XNNPACK AND XNNPACK_LIBRARY AND PTHREADPOOL_LIBRARY AND XNNPACK_INCLUDE AND PTHREADPOOL_INCLUDE)
  xnnpack_try(0 XNNPACK_HAS_SETUP)
  xnnpack_try(1 XNNPACK_HAS_RESHAPE)
  if(XNNPACK_HAS_SETUP OR XNNPACK_HAS_RESHAPE)
    set(CONVWISE_WITH_XNNPACK 1)
  else()
    message(STATUS "Without XNNPACK: the one installed has an interface that src/backend/xnnpack_api.h does not know")
  endif()
  set(XNNPACK_RESHAPE 0)
  if(XNNPACK_HAS_RESHAPE)
    set(XNNPACK_RESHAPE 1)
  endif()
  # It has no number of its own to ask for. For another system's library there is no package to ask either.
  execute_process(COMMAND dpkg-query -W -f=\${Version} libxnnpack-dev OUTPUT_VARIABLE XNNPACK_VERSION ERROR_QUIET
                  RESULT_VARIABLE XNNPACK_UNPACKAGED)
  if(XNNPACK_UNPACKAGED OR CMAKE_CROSSCOMPILING OR NOT XNNPACK_VERSION)
    set(XNNPACK_VERSION "unknown")
  endif()
endif()
