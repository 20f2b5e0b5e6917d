// SPDX-License-Identifier: MIT

// The recorder's entry points in front of what begins, forks, replaces and ends processes and
// threads.

#include "preload_entry.hpp"
#include "preload_hooks.hpp"

#include <alloclab/record/due.hpp>
#include <alloclab/record/edges.hpp>
#include <alloclab/record/exec_environment.hpp>
#include <alloclab/record/hooks.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/sites.hpp>

#include <alloca.h>
#include <cerrno>
#include <cstdarg>
#include <pthread.h>
#include <spawn.h>
#include <threads.h>
#include <unistd.h>

using namespace alloclab::record;
using namespace alloclab::capture;

namespace {

// Between vfork and exec a child runs in its parent's memory, under a number of its own.
bool is_own_process() {
    return process.process_id == static_cast<std::uint32_t>(system_call(SYS_getpid));
}

__attribute__((constructor)) void begin() {
    pthread_atfork(nullptr, nullptr, enter_forked_child);
    prepare_exit_hook();
    real_calls();
    begin_capture();
    prepare_edges();
    prepare_sites();
    prepare_frames();
    hook_loaded_objects(is_known_wait);
}

__attribute__((destructor)) void end() {
    finish_capture(StopReason::exit);
    report_hooks();
    report_frames();
}

// Runs an exec with the recorder kept in its environment, and with what was recorded rounded off
// in case it succeeds.
template <class Exec> int exec_recorded(const char* path, char* const* entries, Exec exec) {
    const int slot =
        record_image(ImageKind::exec, static_cast<std::uint32_t>(system_call(SYS_getpid)), path);
    const bool is_replaced = is_own_process();
    if (is_replaced)
        finish_capture(StopReason::exec);
    int result = 0;
    {
        const ExecEnvironment environment(entries);
        result = exec(environment.entries());
    }
    const int kept = errno;
    fail_image(slot);
    if (is_replaced)
        resume_capture();
    errno = kept;
    return result;
}

using Execve = int(const char*, char* const*, char* const*);
Execve* real_execve;
Execve* real_execvpe;

int execute(const char* path, char* const* arguments, char* const* entries) {
    return exec_recorded(path, entries, [=](char* const* kept) {
        return next(real_execve, "execve")(path, arguments, kept);
    });
}

int execute_in_path(const char* file, char* const* arguments, char* const* entries) {
    return exec_recorded(file, entries, [=](char* const* kept) {
        return next(real_execvpe, "execvpe")(file, arguments, kept);
    });
}

std::size_t count_arguments(va_list arguments) {
    std::size_t count = 1;
    while (va_arg(arguments, char*) != nullptr)
        ++count;
    return count;
}

// Ends the capture in the process itself; a vfork child's _exit ends nothing of its parent.
void finish_if_own() {
    if (is_own_process())
        end();
}

} // namespace

ALLOCLAB_ENTRY int execve(const char* path, char* const* arguments, char* const* entries) {
    return execute(path, arguments, entries);
}

ALLOCLAB_ENTRY int execv(const char* path, char* const* arguments) {
    return execute(path, arguments, environ);
}

ALLOCLAB_ENTRY int execvp(const char* file, char* const* arguments) {
    return execute_in_path(file, arguments, environ);
}

ALLOCLAB_ENTRY int execvpe(const char* file, char* const* arguments, char* const* entries) {
    return execute_in_path(file, arguments, entries);
}

// Collects variadic arguments on the stack: a vfork child may call these.
#define ALLOCLAB_COLLECT_ARGUMENTS(arguments, first, rest)                                         \
    va_list rest;                                                                                  \
    va_start(rest, first);                                                                         \
    const std::size_t count = count_arguments(rest) + 1;                                           \
    va_end(rest);                                                                                  \
    auto** const arguments = static_cast<char**>(alloca(count * sizeof(char*)));                   \
    va_start(rest, first);                                                                         \
    arguments[0] = const_cast<char*>(first);                                                       \
    for (std::size_t argument_idx = 1; argument_idx < count; ++argument_idx)                       \
    arguments[argument_idx] = va_arg(rest, char*)

ALLOCLAB_ENTRY int execl(const char* path, const char* first, ...) {
    ALLOCLAB_COLLECT_ARGUMENTS(arguments, first, rest);
    va_end(rest);
    return execute(path, arguments, environ);
}

ALLOCLAB_ENTRY int execlp(const char* file, const char* first, ...) {
    ALLOCLAB_COLLECT_ARGUMENTS(arguments, first, rest);
    va_end(rest);
    return execute_in_path(file, arguments, environ);
}

ALLOCLAB_ENTRY int execle(const char* path, const char* first, ...) {
    ALLOCLAB_COLLECT_ARGUMENTS(arguments, first, rest);
    char* const* const entries = va_arg(rest, char* const*);
    va_end(rest);
    return execute(path, arguments, entries);
}

ALLOCLAB_ENTRY int fexecve(int fd, char* const* arguments, char* const* entries) {
    static int (*real)(int, char* const*, char* const*);
    return exec_recorded("(by descriptor)", entries, [=](char* const* kept) {
        return next(real, "fexecve")(fd, arguments, kept);
    });
}

ALLOCLAB_ENTRY int execveat(int directory, const char* path, char* const* arguments,
                            char* const* entries, int flags) {
    return exec_recorded(path, entries, [=](char* const* kept) {
        const long result = system_call(SYS_execveat, directory, address_argument(path),
                                        address_argument(arguments), address_argument(kept), flags);
        errno = static_cast<int>(-result);
        return -1;
    });
}

namespace {

using Spawn = int(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,
                  char* const*, char* const*);

int spawn_recorded(Spawn* spawn, pid_t* child, const char* path,
                   const posix_spawn_file_actions_t* actions, const posix_spawnattr_t* attributes,
                   char* const* arguments, char* const* entries) {
    pid_t own_child = 0;
    const ExecEnvironment environment(entries);
    const int result =
        spawn(&own_child, path, actions, attributes, arguments, environment.entries());
    if (result == 0) {
        record_image(ImageKind::spawn, static_cast<std::uint32_t>(own_child), path);
        if (child != nullptr)
            *child = own_child;
    }
    return result;
}

} // namespace

ALLOCLAB_ENTRY int posix_spawn(pid_t* child, const char* path,
                               const posix_spawn_file_actions_t* actions,
                               const posix_spawnattr_t* attributes, char* const* arguments,
                               char* const* entries) {
    static Spawn* real;
    return spawn_recorded(next(real, "posix_spawn"), child, path, actions, attributes, arguments,
                          entries);
}

ALLOCLAB_ENTRY int posix_spawnp(pid_t* child, const char* file,
                                const posix_spawn_file_actions_t* actions,
                                const posix_spawnattr_t* attributes, char* const* arguments,
                                char* const* entries) {
    static Spawn* real;
    return spawn_recorded(next(real, "posix_spawnp"), child, file, actions, attributes, arguments,
                          entries);
}

ALLOCLAB_ENTRY pid_t fork() {
    static pid_t (*real)();
    const pid_t child = next(real, "fork")(); // the child's side runs enter_forked_child()
    if (child > 0) {
        const int kept = errno;
        record_image(ImageKind::fork, static_cast<std::uint32_t>(child), "");
        errno = kept;
    }
    return child;
}

ALLOCLAB_ENTRY pid_t _Fork() {
    static pid_t (*real)();
    const pid_t child = next(real, "_Fork")();
    if (child == 0)
        enter_forked_child();
    else if (child > 0)
        record_image(ImageKind::fork, static_cast<std::uint32_t>(child), "");
    return child;
}

ALLOCLAB_ENTRY void _exit(int status) {
    finish_if_own();
    for (;;)
        system_call(SYS_exit_group, status);
}

ALLOCLAB_ENTRY void _Exit(int status) {
    _exit(status);
}

ALLOCLAB_ENTRY void quick_exit(int status) {
    static void (*real)(int);
    finish_if_own();
    next(real, "quick_exit")(status);
    _exit(status);
}

ALLOCLAB_ENTRY int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                  void* (*start)(void*), void* argument) {
    static int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
    expect_threads();
    return next(real, "pthread_create")(thread, attributes, start, argument);
}

ALLOCLAB_ENTRY int thrd_create(thrd_t* thread, thrd_start_t start, void* argument) {
    static int (*real)(thrd_t*, thrd_start_t, void*);
    expect_threads();
    return next(real, "thrd_create")(thread, start, argument);
}
