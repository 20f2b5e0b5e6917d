# Malloc replacements built from the lab's own allocators, to be preloaded. They replace what the
# sanitizers replace, so they are not built under them.
if(NOT ALLOCLAB_SANITIZE)
    set(alloclab_malloc_sources malloc_environment.cpp)
    foreach(source vm/os_page_source alloc/option_text alloc/arena_options alloc/pool/free_runs
                   alloc/pool/pool_options)
        list(APPEND alloclab_malloc_sources ${CMAKE_SOURCE_DIR}/cpp/src/${source}.cpp)
    endforeach()
    # One library of two faces; its operator new and delete throw what the C++ library has to throw.
    set(alloclab_malloc_choice_sources malloc_debug.cpp malloc_new.cpp)
    foreach(source debug_defect debug_fill debug_options debug_text fenced tracing/core
                   tracing/ended_blocks tracing/report tracing/site_table tracing/tables)
        list(APPEND alloclab_malloc_choice_sources ${CMAKE_SOURCE_DIR}/cpp/src/alloc/${source}.cpp)
    endforeach()
    set_source_files_properties(malloc_new.cpp PROPERTIES
        COMPILE_OPTIONS -fasynchronous-unwind-tables)
    foreach(face pool arena choice)
        # Compiled anew, not linked from the layers: these need flags of their own. Linked as C: a
        # program's malloc must not bring the C++ library into every process.
        add_library(alloclab_malloc_${face} SHARED malloc_${face}.cpp ${alloclab_malloc_sources})
        target_link_libraries(alloclab_malloc_${face} PRIVATE alloclab_options)
        target_compile_options(alloclab_malloc_${face} PRIVATE
            -fno-exceptions -fno-rtti -fno-builtin-malloc -ftls-model=initial-exec
            -fno-asynchronous-unwind-tables)
        target_link_options(alloclab_malloc_${face} PRIVATE -Wl,-z,defs -Wl,-z,now)
        set_target_properties(alloclab_malloc_${face} PROPERTIES LINKER_LANGUAGE C)
        if(face STREQUAL choice)
            target_sources(alloclab_malloc_choice PRIVATE ${alloclab_malloc_choice_sources})
            set_target_properties(alloclab_malloc_choice PROPERTIES OUTPUT_NAME alloclab_malloc)
        endif()
        install(TARGETS alloclab_malloc_${face} LIBRARY DESTINATION alloclab/lib)
    endforeach()
endif()
