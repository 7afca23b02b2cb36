# Looks for CLBlast and OpenCL's loader, both of which have pkg-config files. Sets CONVWISE_WITH_CLBLAST.
set(CONVWISE_WITH_CLBLAST 0)
if(CONVWISE_CLBLAST)
  pkg_check_modules(CLBLAST IMPORTED_TARGET clblast OpenCL)
  if(CLBLAST_FOUND)
    set(CONVWISE_WITH_CLBLAST 1)
  endif()
endif()
