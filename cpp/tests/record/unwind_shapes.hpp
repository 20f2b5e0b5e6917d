// SPDX-License-Identifier: MIT
#pragma once

// Functions whose frames differ in shape, compiled without optimisation, with it, and into a shared
// object: each calls the given function from within.

namespace alloclab::record {

using Inner = void (*)(void* argument);

struct Shapes {
    void (*plain)(Inner inner, void* argument);
    void (*recursive)(unsigned depth, Inner inner, void* argument);
    void (*with_variable_array)(unsigned count, Inner inner, void* argument);
    void (*with_aligned_array)(Inner inner, void* argument);
    // The call is the last instruction of its function, so the return address lies in the next.
    void (*by_noreturn)(Inner inner, void* argument);
};

extern "C" const Shapes unoptimised_shapes;
extern "C" const Shapes optimised_shapes;
extern "C" __attribute__((visibility("default"))) const Shapes shared_shapes;

} // namespace alloclab::record
