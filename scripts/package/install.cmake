# install.cmake: what `cmake --install` puts in place besides the command: headers, libraries, CMake
# package files, pkg-config files.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/faiss-lbh)
set(shared_targets lbh)
set(static_targets lbh_static)
set(headers plugin/include/lbh.h plugin/include/lbh_scan.h plugin/include/lbh_mih.h plugin/include/lbh_exact.h)
set(pkgconfig_files lbh)
if(LBH_WITH_FAISS)
    list(APPEND shared_targets lbh_faiss)
    list(APPEND static_targets lbh_faiss_static)
    list(APPEND headers c_api/include/lbh_faiss.h c_api/include/lbh_pipeline.h)
    list(APPEND pkgconfig_files lbh_faiss)
    set_target_properties(lbh_faiss PROPERTIES INSTALL_RPATH $ORIGIN)
endif()

install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ${shared_targets} EXPORT faiss-lbh-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS ${static_targets} EXPORT faiss-lbh-static-targets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT faiss-lbh-targets NAMESPACE lbh:: DESTINATION ${package_dir})
install(EXPORT faiss-lbh-static-targets NAMESPACE lbh:: DESTINATION ${package_dir})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/faiss-lbh-config.cmake.in
                              ${CMAKE_BINARY_DIR}/faiss-lbh-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/faiss-lbh-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/faiss-lbh-config.cmake
              ${CMAKE_BINARY_DIR}/faiss-lbh-config-version.cmake DESTINATION ${package_dir})

foreach(name ${pkgconfig_files})
    configure_file(${CMAKE_CURRENT_LIST_DIR}/${name}.pc.in ${CMAKE_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
