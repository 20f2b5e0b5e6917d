// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

namespace alloclab {

// Gives nothing: the end of a chain of fallbacks, and the floor of every measurement of speed.
// See docs/allocators/null.md.
class Null {
public:
    struct Options {
        bool set(std::string_view, std::string_view) noexcept { return false; }
    };
    struct Stats {
        std::size_t reserved_bytes = 0;
        std::size_t committed_bytes = 0;
    };
    static constexpr Options default_options{};

    explicit Null(const Options& = default_options) noexcept {}

    void* allocate(std::size_t, std::size_t) noexcept { return nullptr; }
    void deallocate(void*, std::size_t, std::size_t) noexcept {}
    void reset() noexcept {}
    bool owns(const void*) const noexcept { return false; }
    Stats stats() const noexcept { return {}; }
};

static_assert(Resettable<Null> && Owning<Null> && Reporting<Null> && OptionSet<Null::Options>);

} // namespace alloclab
