// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/layer.hpp>

namespace alloclab {

// An allocator that never changes a block's size where it stands, so that every reallocation moves:
// addresses kept across one are found out at once, and two runs of one program move alike.
template <Allocator A> class Deterministic : public Layer<A> {
public:
    using Options = LayerOptions<NoOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit Deterministic(const Options& options = default_options,
                           const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...) {}
    Deterministic(FromChildren, A child) noexcept
        : Layer<A>(from_children, std::forward<A>(child)) {}

    bool resize(void*, std::size_t, std::size_t, std::size_t) noexcept = delete;
};

} // namespace alloclab
