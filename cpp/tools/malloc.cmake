# Malloc replacements built from the lab's own allocators, to be preloaded. They replace what the
# sanitizers replace, so they are not built under them.
if(NOT ALLOCLAB_SANITIZE)
    set(alloclab_malloc_sources malloc_environment.cpp)
    foreach(source vm/os_page_source alloc/option_text alloc/arena_options alloc/pool/free_runs
                   alloc/pool/pool_options)
        list(APPEND alloclab_malloc_sources ${CMAKE_SOURCE_DIR}/cpp/src/${source}.cpp)
    endforeach()
    foreach(face pool arena)
        # Compiled anew, not linked from the layers: these need flags of their own. Linked as C: a
        # program's malloc must not bring the C++ library into every process.
        add_library(alloclab_malloc_${face} SHARED malloc_${face}.cpp ${alloclab_malloc_sources})
        target_link_libraries(alloclab_malloc_${face} PRIVATE alloclab_options)
        target_compile_options(alloclab_malloc_${face} PRIVATE
            -fno-exceptions -fno-rtti -fno-builtin-malloc -ftls-model=initial-exec
            -fno-asynchronous-unwind-tables)
        target_link_options(alloclab_malloc_${face} PRIVATE -Wl,-z,defs -Wl,-z,now)
        set_target_properties(alloclab_malloc_${face} PROPERTIES LINKER_LANGUAGE C)
        install(TARGETS alloclab_malloc_${face} LIBRARY DESTINATION alloclab/lib)
    endforeach()
endif()
