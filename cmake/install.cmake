# What `cmake --install` puts where: library, headers, program, layer tables, pkg-config file, CMake package. All of it may be
# moved together: nothing holds the prefix. Only the shared library is installed, so nobody who links it needs the libraries behind.
include(CMakePackageConfigHelpers)

install(TARGETS convwise EXPORT convwiseTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS convwise_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES include/convwise.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/convwise DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY data/nets DESTINATION ${CMAKE_INSTALL_DATADIR}/convwise FILES_MATCHING PATTERN "*.txt")

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/convwise)
install(EXPORT convwiseTargets NAMESPACE convwise:: DESTINATION ${package})
configure_package_config_file(cmake/convwiseConfig.cmake.in ${CMAKE_BINARY_DIR}/convwiseConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/convwiseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/convwiseConfig.cmake ${CMAKE_BINARY_DIR}/convwiseConfigVersion.cmake DESTINATION ${package})

file(RELATIVE_PATH CONVWISE_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" CONVWISE_PC_TO_PREFIX ${CONVWISE_PC_TO_PREFIX})
configure_file(cmake/convwise.pc.in ${CMAKE_BINARY_DIR}/convwise.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/convwise.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
