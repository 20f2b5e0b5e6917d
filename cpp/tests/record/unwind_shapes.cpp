// SPDX-License-Identifier: MIT
#include "unwind_shapes.hpp"

#include <csetjmp>

namespace alloclab::record {

namespace {

volatile unsigned used;

[[gnu::noinline]] void plain(Inner inner, void* argument) {
    inner(argument);
    used = used + 1;
}

[[gnu::noinline]] void recursive(unsigned depth, Inner inner, void* argument) {
    if (depth == 0)
        plain(inner, argument);
    else
        recursive(depth - 1, inner, argument);
    used = used + depth;
}

[[gnu::noinline]] void with_variable_array(unsigned count, Inner inner, void* argument) {
    auto* const array = static_cast<unsigned char*>(__builtin_alloca(count));
    array[0] = 1;
    plain(inner, argument);
    used = used + array[0];
}

[[gnu::noinline]] void with_aligned_array(Inner inner, void* argument) {
    alignas(128) volatile unsigned char array[256];
    array[0] = 1;
    plain(inner, argument);
    used = used + array[0];
}

struct Journey {
    std::jmp_buf back;
    Inner inner;
    void* argument;
};

[[gnu::noinline, noreturn]] void jump_back(Journey& journey) {
    journey.inner(journey.argument);
    std::longjmp(journey.back, 1);
}

[[gnu::noinline, noreturn]] void end_in_call(Journey& journey) {
    jump_back(journey);
}

[[gnu::noinline]] void by_noreturn(Inner inner, void* argument) {
    Journey journey{{}, inner, argument};
    if (setjmp(journey.back) == 0)
        end_in_call(journey);
    used = used + 1;
}

} // namespace

extern "C" const Shapes ALLOCLAB_SHAPES = {plain, recursive, with_variable_array,
                                           with_aligned_array, by_noreturn};

} // namespace alloclab::record
