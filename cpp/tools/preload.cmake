# Runs inside other programs, under their malloc: linked as C, so that it needs the C library only.
add_library(alloclab_preload SHARED
    preload.cpp preload_frames.cpp preload_marker.cpp preload_memory.cpp preload_new.cpp
    preload_objects.cpp preload_process.cpp preload_unwind.cpp)
set_target_properties(alloclab_preload PROPERTIES OUTPUT_NAME alloclab_record LINKER_LANGUAGE C)
target_link_libraries(alloclab_preload PRIVATE alloclab_record)
target_compile_definitions(alloclab_preload PRIVATE _GNU_SOURCE)
target_compile_options(alloclab_preload PRIVATE
    -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-sanitize=all -fno-stack-protector
    -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-malloc -fno-builtin-calloc)
target_link_options(alloclab_preload PRIVATE
    -fno-sanitize=all -static-libgcc -Wl,-z,now -Wl,--no-undefined -Wl,--exclude-libs,ALL)
install(TARGETS alloclab_preload DESTINATION alloclab/lib)
