# What names the functions and lines behind recorded addresses: a program of its own, so that a
# damaged object can end nothing but it. Without libdw it is left out, and traces keep offsets.
if(PkgConfig_FOUND)
    pkg_check_modules(libdw QUIET IMPORTED_TARGET libdw libelf)
endif()
if(NOT TARGET PkgConfig::libdw)
    find_path(LIBDW_INCLUDE_DIR elfutils/libdwfl.h)
    find_library(LIBDW_LIBRARY dw)
    find_library(LIBELF_LIBRARY elf)
    if(LIBDW_INCLUDE_DIR AND LIBDW_LIBRARY AND LIBELF_LIBRARY)
        add_library(PkgConfig::libdw INTERFACE IMPORTED)
        target_include_directories(PkgConfig::libdw INTERFACE ${LIBDW_INCLUDE_DIR})
        target_link_libraries(PkgConfig::libdw INTERFACE ${LIBDW_LIBRARY} ${LIBELF_LIBRARY})
    endif()
endif()
if(NOT TARGET PkgConfig::libdw)
    message(NOTICE "alloclab-symbolize is left out, so traces will name modules and offsets, not "
                   "functions: it needs libdw (on Debian, apt-get install libdw-dev)")
    return()
endif()

add_executable(alloclab-symbolize symbolize_main.cpp symbolize_object.cpp symbolize_symbols.cpp
                                  symbolize_debug.cpp symbolize_unit.cpp)
target_link_libraries(alloclab-symbolize PRIVATE PkgConfig::libdw alloclab_options)
install(TARGETS alloclab-symbolize RUNTIME DESTINATION alloclab/bin)
