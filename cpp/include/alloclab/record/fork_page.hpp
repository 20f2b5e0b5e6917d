// SPDX-License-Identifier: MIT
#pragma once

// What a child that is a copy of this process must not believe. The kernel gives such a child the
// page zeroed (MADV_WIPEONFORK), whichever way it was made: the clone system call runs no handler
// of pthread_atfork, and the child's first store would go into its parent's window.

#include <cstdint>

namespace alloclab::record {

enum class Phase : std::uint32_t { fresh, opening, active, stopped, off };
static_assert(static_cast<std::uint32_t>(Phase::fresh) == 0, "what a wiped page says");

inline constexpr unsigned fork_page_bytes = 4096;

struct alignas(fork_page_bytes) ForkPage {
    Phase phase;
    bool is_ours; // what the lanes hold is this process's: looked at once an event
};

// Hidden, so that one instruction compares it where it lies.
extern ForkPage fork_page __attribute__((visibility("hidden")));

} // namespace alloclab::record
