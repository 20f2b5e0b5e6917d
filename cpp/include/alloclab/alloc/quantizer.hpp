// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/combinator_options.hpp>
#include <alloclab/alloc/layer.hpp>

namespace alloclab {

// Asks for sizes in steps only, so that a block grows within its step where it stands, and what is
// below sees few sizes. Quantizer of std.experimental.allocator.
template <Allocator A> class Quantizer : public Layer<A> {
public:
    using Options = LayerOptions<QuantizerOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit Quantizer(const Options& options = default_options, const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...), steps_(options.steps) {}
    Quantizer(FromChildren, const QuantizerOptions& options, A child) noexcept
        : Layer<A>(from_children, std::forward<A>(child)), steps_(options.steps) {}

    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        const std::size_t rounded = steps_.round_up(size);
        return rounded != 0 ? this->upstream_.allocate(rounded, alignment, site...) : nullptr;
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        const std::size_t rounded = steps_.round_up(size);
        return rounded != 0 ? this->upstream_.allocate_zeroed(rounded, alignment) : nullptr;
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        this->upstream_.deallocate(block, steps_.round_up(size), alignment);
    }
    void deallocate(void* block) noexcept requires UnsizedDeallocating<A> {
        this->upstream_.deallocate(block);
    }

    // Within the step always; beyond it where the child can.
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept {
        const std::size_t old_rounded = steps_.round_up(old_size);
        const std::size_t new_rounded = steps_.round_up(new_size);
        if (old_rounded == new_rounded) {
            return true;
        }
        if constexpr (Resizable<A>) {
            return new_rounded != 0 &&
                   this->upstream_.resize(block, old_rounded, new_rounded, alignment);
        } else {
            return false;
        }
    }

private:
    SizeSteps steps_;
};

} // namespace alloclab
