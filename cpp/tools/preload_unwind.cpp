// SPDX-License-Identifier: MIT

// What has to know of hooked functions: the unwinder, which must find return addresses as the
// program left them, and whoever looks a symbol up in a library that was loaded just now.

#include "preload_entry.hpp"
#include "preload_errno.hpp"
#include "preload_hooks.hpp"

#include <alloclab/record/hooks.hpp>
#include <alloclab/record/real_calls.hpp>

#include <dlfcn.h>
#include <pthread.h>
#include <unwind.h>

using namespace alloclab::record;

ALLOCLAB_ENTRY _Unwind_Reason_Code _Unwind_RaiseException(_Unwind_Exception* exception) {
    static _Unwind_Reason_Code (*real)(_Unwind_Exception*);
    restore_returns();
    return next(real, "_Unwind_RaiseException")(exception);
}

ALLOCLAB_ENTRY _Unwind_Reason_Code _Unwind_Resume_or_Rethrow(_Unwind_Exception* exception) {
    static _Unwind_Reason_Code (*real)(_Unwind_Exception*);
    restore_returns();
    return next(real, "_Unwind_Resume_or_Rethrow")(exception);
}

ALLOCLAB_ENTRY _Unwind_Reason_Code _Unwind_ForcedUnwind(_Unwind_Exception* exception,
                                                        _Unwind_Stop_Fn stop, void* argument) {
    static _Unwind_Reason_Code (*real)(_Unwind_Exception*, _Unwind_Stop_Fn, void*);
    restore_returns();
    return next(real, "_Unwind_ForcedUnwind")(exception, stop, argument);
}

ALLOCLAB_ENTRY _Unwind_Reason_Code _Unwind_Backtrace(_Unwind_Trace_Fn visit, void* argument) {
    static _Unwind_Reason_Code (*real)(_Unwind_Trace_Fn, void*);
    restore_returns();
    const _Unwind_Reason_Code result = next(real, "_Unwind_Backtrace")(visit, argument);
    reinstall_returns(__builtin_frame_address(0));
    return result;
}

// The first thing a catch does, on the stack of the function that catches.
ALLOCLAB_ENTRY void* __cxa_begin_catch(void* exception) {
    static void* (*real)(void*);
    {
        const ErrnoKept kept;
        reinstall_returns(__builtin_frame_address(0));
    }
    return next(real, "__cxa_begin_catch")(exception);
}

ALLOCLAB_ENTRY void pthread_exit(void* result) {
    static void (*real)(void*);
    restore_returns();
    next(real, "pthread_exit")(result);
    __builtin_unreachable();
}

// Which object asks is told by the return address: the real function is jumped to, not called.
asm(R"(
    .text
    .globl dlsym
    .type dlsym, @function
dlsym:
    pushq %rdi
    pushq %rsi
    subq $8, %rsp
    call alloclab_before_dlsym
    addq $8, %rsp
    popq %rsi
    popq %rdi
    jmp *%rax
    .size dlsym, . - dlsym
)");

extern "C" __attribute__((visibility("hidden"), used)) void* alloclab_before_dlsym() {
    static void* real;
    if (real == nullptr) {
        real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        if (real == nullptr)
            real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    }
    if (has_pending_hooks()) {
        const ErrnoKept kept;
        hook_loaded_objects(is_known_wait);
    }
    return real;
}
