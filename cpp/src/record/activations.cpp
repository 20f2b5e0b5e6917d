// SPDX-License-Identifier: MIT
#include <alloclab/record/activations.hpp>

#include <alloclab/record/hooks.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/process.hpp>

#include <cerrno>
#include <csignal>
#include <sys/mman.h>

// Every register a function may be given something in, or told by a compiler that knows the callee
// (GCC's -fipa-ra) to leave alone, is kept: the vector registers whole, by xsave with SSE, AVX and
// AVX-512. The frame is [rbp][number or address][return address].
asm(R"(
    .macro alloclab_save
    pushq %rbp
    movq %rsp, %rbp
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    andq $-64, %rsp
    subq $2752, %rsp
    xorl %eax, %eax
    movq %rax, 512(%rsp)
    movq %rax, 520(%rsp)
    movq %rax, 528(%rsp)
    movq %rax, 536(%rsp)
    movq %rax, 544(%rsp)
    movq %rax, 552(%rsp)
    movq %rax, 560(%rsp)
    movq %rax, 568(%rsp)
    movl $0xe6, %eax
    xorl %edx, %edx
    xsave (%rsp)
    cld
    .endm
    .macro alloclab_go_on
    movq %rax, 8(%rbp)
    movl $0xe6, %eax
    xorl %edx, %edx
    xrstor (%rsp)
    leaq -72(%rbp), %rsp
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    popq %rbp
    ret
    .endm
    .text
    .globl alloclab_hook_entry
    .hidden alloclab_hook_entry
    .type alloclab_hook_entry, @function
alloclab_hook_entry:
    alloclab_save
    movl 8(%rbp), %edi
    leaq 16(%rbp), %rsi
    call alloclab_hook_enter
    alloclab_go_on
    .size alloclab_hook_entry, . - alloclab_hook_entry
    .globl alloclab_hook_return
    .hidden alloclab_hook_return
    .type alloclab_hook_return, @function
alloclab_hook_return:
    subq $8, %rsp
    alloclab_save
    leaq 8(%rbp), %rdi
    call alloclab_hook_leave
    alloclab_go_on
    .size alloclab_hook_return, . - alloclab_hook_return
)");

extern "C" void alloclab_hook_return();

namespace alloclab::record {

Hook hooks[most_hooks];

namespace {

struct Activation {
    std::uintptr_t* slot; // where on the program's stack the return address is
    std::uintptr_t returns_to;
    std::uint64_t scope;
};

constexpr std::uint32_t most_activations = 1024;
constexpr std::size_t stack_most_bytes = 8 << 20; // slots further apart are on different stacks

struct ThreadActivations {
    Activation* stack;
    std::uint32_t count;
    bool is_inside; // the recorder's own calls of hooked functions are not the program's
    bool is_restored;
};
__thread ThreadActivations own __attribute__((tls_model("initial-exec")));

std::uintptr_t trampoline() {
    return reinterpret_cast<std::uintptr_t>(&alloclab_hook_return);
}

class Inside {
public:
    Inside() : kept_(errno) { own.is_inside = true; }
    ~Inside() {
        own.is_inside = false;
        errno = kept_;
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

private:
    int kept_;
};

bool is_below(const std::uintptr_t* slot, const void* stack) {
    const auto at = reinterpret_cast<std::uintptr_t>(slot);
    const auto limit = reinterpret_cast<std::uintptr_t>(stack);
    return at < limit && limit - at < stack_most_bytes;
}

// Ends what a longjmp or an exception has left: whatever lies below `stack`.
void drop_below(const void* stack) {
    while (own.count != 0 && is_below(own.stack[own.count - 1].slot, stack))
        exit_scope(own.stack[--own.count].scope);
}

// Private memory, since a forked child goes on with its own; a page or so that counts as the
// program's.
bool has_room() {
    if (own.stack == nullptr)
        own.stack = static_cast<Activation*>(map_memory(most_activations * sizeof(Activation),
                                                        PROT_READ | PROT_WRITE,
                                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return own.stack != nullptr && own.count < most_activations;
}

void begin_activation(const Hook& hook, std::uintptr_t* slot) {
    drop_below(slot);
    if (own.is_restored)
        reinstall_returns(slot);
    // Of the same place, unless it was left by a tail call, nothing is left.
    while (own.count != 0 && own.stack[own.count - 1].slot == slot && *slot != trampoline())
        exit_scope(own.stack[--own.count].scope);
    if (!has_room())
        return;
    const std::uint32_t place = own.count++;
    own.stack[place] = {slot, *slot, enter_scope("function", hook.symbol)};
    *slot = trampoline();
}

} // namespace

extern "C" __attribute__((visibility("hidden"), used)) const void*
alloclab_hook_enter(std::uint32_t hook_idx, std::uintptr_t* slot) {
    Hook& hook = hooks[hook_idx];
    if (own.is_inside)
        return hook.moved;
    const Inside inside;
    hook.is_called = true;
    if (hook.is_frame)
        pass_boundary("frame", hook.symbol);
    if (hook.is_scope)
        begin_activation(hook, slot);
    return hook.moved;
}

extern "C" __attribute__((visibility("hidden"), used)) std::uintptr_t
alloclab_hook_leave(std::uintptr_t* slot) {
    const Inside inside;
    for (std::uint32_t place = own.count; place > 0; --place) {
        if (own.stack[place - 1].slot != slot)
            continue;
        while (own.count > place)
            exit_scope(own.stack[--own.count].scope);
        const Activation& ended = own.stack[--own.count];
        const std::uintptr_t returns_to = ended.returns_to;
        exit_scope(ended.scope);
        return returns_to;
    }
    warn_of("scope-on: a function returned on another thread than it was called on", nullptr);
    system_call(SYS_kill, system_call(SYS_getpid), SIGABRT);
    __builtin_trap();
}

void restore_returns() {
    for (std::uint32_t place = own.count; place > 0; --place) {
        const Activation& activation = own.stack[place - 1];
        if (*activation.slot == trampoline())
            *activation.slot = activation.returns_to;
    }
    own.is_restored = own.count != 0;
}

void reinstall_returns(const void* stack) {
    if (!own.is_restored)
        return;
    drop_below(stack);
    for (std::uint32_t place = 0; place < own.count; ++place) {
        const Activation& activation = own.stack[place];
        if (*activation.slot == activation.returns_to)
            *activation.slot = trampoline();
    }
    own.is_restored = false;
}

} // namespace alloclab::record
