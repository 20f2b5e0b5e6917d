// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/combinator_options.hpp>
#include <alloclab/alloc/layer.hpp>
#include <alloclab/alloc/reallocate.hpp>

namespace alloclab {

// A segregator's settings and its children's, which are set by "small.<name>" and "large.<name>".
template <OptionSet Small, OptionSet Large> struct SegregatorTreeOptions : SegregatorOptions {
    Small small;
    Large large;

    bool set(std::string_view name, std::string_view value) noexcept {
        if (take_child(name, "small")) {
            return small.set(name, value);
        }
        return take_child(name, "large") ? large.set(name, value)
                                         : SegregatorOptions::set(name, value);
    }
};

// Small and large blocks by different allocators, told apart by size and alignment alone, so that a
// free costs one compare and needs no look-up. What std.experimental.allocator calls Segregator,
// and the core of Berger, Zorn and McKinley, "Composing High-Performance Memory Allocators" (PLDI
// 2001).
template <Allocator Small, Allocator Large> class Segregator {
public:
    using Options = SegregatorTreeOptions<OptionsOf<Small>, OptionsOf<Large>>;

    template <class... Sources>
    explicit Segregator(const Options& options, const Sources&... sources) noexcept
        : own_(options), small_(make_child<Small>(options.small, sources...)),
          large_(make_child<Large>(options.large, sources...)) {}
    Segregator() noexcept : Segregator(Options{}) {}
    Segregator(FromChildren, const SegregatorOptions& options, Small small, Large large) noexcept
        : own_(options), small_(std::forward<Small>(small)), large_(std::forward<Large>(large)) {}
    Segregator(const Segregator&) = delete;
    Segregator& operator=(const Segregator&) = delete;

    template <class... Site>
    requires(TakesSite<Small, Site...> || TakesSite<Large, Site...>)
        [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                              Site... site) noexcept {
        return is_small(size, alignment) ? allocate_from(small_, size, alignment, site...)
                                         : allocate_from(large_, size, alignment, site...);
    }
    void*
    allocate_zeroed(std::size_t size,
                    std::size_t alignment) noexcept requires Zeroing<Small> && Zeroing<Large> {
        return is_small(size, alignment) ? small_.allocate_zeroed(size, alignment)
                                         : large_.allocate_zeroed(size, alignment);
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        if (is_small(size, alignment)) {
            small_.deallocate(block, size, alignment);
        } else {
            large_.deallocate(block, size, alignment);
        }
    }
    // Asks the small one whether the block is its own.
    void deallocate(void* block) noexcept requires Owning<Small> && UnsizedDeallocating<Small> &&
        UnsizedDeallocating<Large> {
        if (small_.owns(block)) {
            small_.deallocate(block);
        } else {
            large_.deallocate(block);
        }
    }

    // Never across the threshold.
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<Small> || Resizable<Large> {
        const bool was_small = is_small(old_size, alignment);
        if (was_small != is_small(new_size, alignment)) {
            return false;
        }
        return was_small ? resize_in(small_, block, old_size, new_size, alignment)
                         : resize_in(large_, block, old_size, new_size, alignment);
    }

    // Across the threshold the block is moved from one to the other.
    void*
    reallocate(void* block, std::size_t old_size, std::size_t new_size,
               std::size_t alignment) noexcept requires Reallocating<Small> || Reallocating<Large> {
        const bool was_small = is_small(old_size, alignment);
        if (was_small == is_small(new_size, alignment)) {
            return was_small ? alloclab::reallocate(small_, block, old_size, new_size, alignment)
                             : alloclab::reallocate(large_, block, old_size, new_size, alignment);
        }
        return was_small ? move_block(small_, large_, block, old_size, new_size, alignment)
                         : move_block(large_, small_, block, old_size, new_size, alignment);
    }

    void reset() noexcept requires Resettable<Small> && Resettable<Large> {
        small_.reset();
        large_.reset();
    }
    bool owns(const void* block) const noexcept requires Owning<Small> && Owning<Large> {
        return small_.owns(block) || large_.owns(block);
    }
    std::size_t usable_size(const void* block) const noexcept requires Owning<Small> &&
        Measurable<Small> && Measurable<Large> {
        return small_.owns(block) ? small_.usable_size(block) : large_.usable_size(block);
    }
    HeldStats stats() const noexcept requires Reporting<Small> && Reporting<Large> {
        return held_by(small_) + held_by(large_);
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(small_, visitor);
        visit_stats_of(large_, visitor);
    }

    auto& small() noexcept { return small_; }
    auto& large() noexcept { return large_; }

private:
    bool is_small(std::size_t size, std::size_t alignment) const noexcept {
        return size <= own_.threshold_bytes && alignment <= own_.small_alignment_bytes;
    }
    template <Allocator A>
    static bool resize_in(A& allocator, void* block, std::size_t old_size, std::size_t new_size,
                          std::size_t alignment) noexcept {
        if constexpr (Resizable<A>) {
            return allocator.resize(block, old_size, new_size, alignment);
        } else {
            return false;
        }
    }

    SegregatorOptions own_;
    Small small_;
    Large large_;
};

} // namespace alloclab
