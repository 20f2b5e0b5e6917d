// SPDX-License-Identifier: MIT
#include <alloclab/subsystems/compat_custom.hpp>

#include <alloclab/alloc/arena.hpp>
#include <alloclab/compose/erase.hpp>

#include <cstdlib>
#include <unistd.h>

namespace alloclab::compat {

namespace {

ArenaScope* innermost = nullptr;

AnyAllocator make_arena(std::size_t first_bytes) {
    ArenaOptions options;
    options.initial_bytes = first_bytes;
    return erase<Arena<>>("arena", options);
}

[[noreturn]] void refuse(const void* block) noexcept {
    TextWriter(descriptor_sink(STDERR_FILENO))
        .text("FREE_SIMPLE: ")
        .hex(reinterpret_cast<std::uintptr_t>(block))
        .text(" is no live block of MALLOC or STRDUP\n");
    std::abort();
}

} // namespace

Subsystems& all() {
    static Subsystems* const made = [] {
        auto* const subsystems = new Subsystems("swiftlang", SubsystemsOptions::from_environment());
        std::atexit([] { all().shut_down(); });
        return subsystems;
    }();
    return *made;
}

System& current() noexcept {
    return innermost != nullptr ? innermost->system() : all().at(0);
}

void free_remembered(void* block) noexcept {
    if (block == nullptr) {
        return;
    }
    for (ArenaScope* scope = innermost; scope != nullptr; scope = scope->outer()) {
        if (scope->system().deallocate_remembered(block)) {
            return;
        }
    }
    if (!all().deallocate_remembered(block)) {
        refuse(block);
    }
}

ArenaScope::ArenaScope(const char* name, std::size_t first_bytes)
    : own_(SubsystemRow{name, name, "", "ended"}, make_arena(first_bytes),
           all().options().is_traced),
      outer_(innermost) {
    innermost = this;
}

ArenaScope::~ArenaScope() {
    innermost = outer_;
}

} // namespace alloclab::compat
