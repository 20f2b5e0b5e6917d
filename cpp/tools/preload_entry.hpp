// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/real_calls.hpp>

// What the recorded program calls in place of its own function.
#define ALLOCLAB_ENTRY extern "C" __attribute__((visibility("default")))

namespace alloclab::record {

// The function that an entry point stands in front of, looked up at its first call.
template <class Function> Function* next(Function*& cached, const char* name) {
    if (cached == nullptr)
        cached = reinterpret_cast<Function*>(next_function(name));
    return cached;
}

} // namespace alloclab::record
