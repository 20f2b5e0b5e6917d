// SPDX-License-Identifier: MIT
//
// The shared object of chains.cpp.
#include <cstddef>

static volatile int one = 1;

extern "C" __attribute__((noinline)) void call_back(void (*function)(std::size_t),
                                                    std::size_t size) {
    function(size);
    one = 1;
}
