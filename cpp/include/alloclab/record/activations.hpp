// SPDX-License-Identifier: MIT
#pragma once

// The hooked functions that are being run, a stack of them for each thread. The return address of
// each leads to the recorder first, where its scope ends.

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// Where hooked functions come in: behind them stands the number of the hook, pushed by its stub.
extern "C" void alloclab_hook_entry();

struct Hook {
    const char* symbol;
    const void* moved; // the function's first instructions, and the way to the rest
    bool is_frame;
    bool is_scope;
    bool is_called;
};
inline constexpr std::uint32_t most_hooks = 256;
extern Hook hooks[most_hooks];

} // namespace alloclab::record
