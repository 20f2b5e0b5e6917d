// SPDX-License-Identifier: MIT
//
// Allocates along known call chains, each with a size of its own: plain, inlined, recursive, through
// a shared object that calls back, and after a longjmp out of a deeper chain.
#include <csetjmp>
#include <cstdlib>

#define KEPT __attribute__((noinline, noclone, noipa))

extern "C" void call_back(void (*function)(std::size_t), std::size_t size); // chains_library.cpp

namespace {

void* volatile sink;
std::jmp_buf back;
volatile int one = 1; // what follows a call, so that none becomes a jump

KEPT void take(std::size_t size) {
    sink = std::malloc(size);
    std::free(sink);
}

KEPT void middle(std::size_t size) {
    take(size);
    one = 1;
}

KEPT void outer(std::size_t size) {
    middle(size);
    one = 1;
}

__attribute__((always_inline)) inline void inlined_inner(std::size_t size) {
    take(size);
    one = 1;
}

__attribute__((always_inline)) inline void inlined_outer(std::size_t size) {
    inlined_inner(size);
    one = 1;
}

KEPT void has_inlined(std::size_t size) {
    inlined_outer(size);
    one = 1;
}

KEPT void recurse(int depth, std::size_t size) {
    if (depth == 0)
        take(size);
    else
        recurse(depth - 1, size);
    one = 1;
}

KEPT void jump_out(int depth) {
    if (depth == 0)
        std::longjmp(back, 1);
    jump_out(depth - 1);
    one = 1;
}

KEPT void jumped(std::size_t size) {
    if (setjmp(back) == 0)
        jump_out(5);
    take(size);
    one = 1;
}

} // namespace

int main() {
    outer(2001);
    has_inlined(2003);
    recurse(3, 2005);
    call_back(outer, 2007);
    jumped(2009);
    return 0;
}
