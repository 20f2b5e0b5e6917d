add_executable(alloclab-replay replay_main.cpp replay_memory.cpp)
target_link_libraries(alloclab-replay PRIVATE alloclab_replay alloclab_options)
install(TARGETS alloclab-replay RUNTIME DESTINATION alloclab/bin)
