// SPDX-License-Identifier: MIT

// sites PLUGIN OTHER: allocates from places whose names a test looks for, each by a size of its
// own. The plugins are built from this very file, with the name of their function and their size
// given.

#include <cstdlib>

#ifdef PLUGIN_FUNCTION

static void* volatile block;

extern "C" __attribute__((constructor)) void allocate_on_load() {
    block = std::malloc(PLUGIN_BYTES + 1);
    std::free(block);
}

extern "C" __attribute__((noinline)) void PLUGIN_FUNCTION() {
    block = std::malloc(PLUGIN_BYTES);
    std::free(block);
}

#else

#include <csignal>
#include <dlfcn.h>
#include <new>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void* volatile block;
static volatile int after;

#define NAMED extern "C" __attribute__((noinline)) void

NAMED by_malloc(std::size_t size) {
    block = std::malloc(size);
    std::free(block);
}

NAMED by_malloc_twice() {
    for (volatile int turn = 0; turn < 2; turn = turn + 1)
        by_malloc(1001);
    ++after;
}

NAMED by_new() {
    block = ::operator new(1003);
    ::operator delete(block);
}

NAMED by_new_array() {
    block = ::operator new[](1027);
    ::operator delete[](block);
}

NAMED by_realloc() {
    void* p = std::malloc(1005);
    p = std::realloc(p, 1007);
    std::free(p);
}

NAMED by_calloc() {
    block = std::calloc(1, 1009);
    std::free(block);
}

NAMED by_memalign() {
    void* p = nullptr;
    if (posix_memalign(&p, 64, 1011) == 0)
        std::free(p);
}

NAMED by_large_malloc() {
    block = std::malloc(1000001);
    std::free(block);
}

NAMED on_signal(int) {
    by_malloc(1013);
    ++after;
}

NAMED by_signal() {
    std::raise(SIGUSR1);
    ++after;
}

extern "C" __attribute__((noinline)) void* in_thread(void*) {
    by_malloc(1015);
    ++after;
    return nullptr;
}

NAMED by_recursion(int depth) {
    if (depth == 0)
        by_malloc(1017);
    else
        by_recursion(depth - 1);
    ++after;
}

NAMED in_child() {
    by_malloc(1019);
    ++after;
}

NAMED by_plugin(const char* path, const char* function) {
    void* handle = dlopen(path, RTLD_NOW);
    if (handle == nullptr)
        std::abort();
    reinterpret_cast<void (*)()>(dlsym(handle, function))();
    dlclose(handle);
    ++after;
}

int main(int argc, char** argv) {
    by_malloc_twice();
    by_new();
    by_new_array();
    by_realloc();
    by_calloc();
    by_memalign();
    by_large_malloc();
    std::signal(SIGUSR1, on_signal);
    by_signal();
    pthread_t thread;
    pthread_create(&thread, nullptr, in_thread, nullptr);
    pthread_join(thread, nullptr);
    by_recursion(100);
    if (argc == 3)
        for (int turn = 0; turn < 2; ++turn) {
            by_plugin(argv[1], "in_plugin");
            by_plugin(argv[2], "in_other");
        }
    if (fork() == 0) {
        in_child();
        _exit(0);
    }
    wait(nullptr);
    return 0;
}

#endif
