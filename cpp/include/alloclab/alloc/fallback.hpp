// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/layer.hpp>

namespace alloclab {

// The children's settings, set by the names "primary.<name>" and "secondary.<name>".
template <OptionSet Primary, OptionSet Secondary> struct FallbackOptions {
    Primary primary;
    Secondary secondary;

    bool set(std::string_view name, std::string_view value) noexcept {
        if (take_child(name, "primary")) {
            return primary.set(name, value);
        }
        return take_child(name, "secondary") && secondary.set(name, value);
    }
};

// Takes from the first allocator while it has any, and from the second when it has not. A free
// asks the first whether the block is its own, so a free costs what that question costs.
// FallbackAllocator of std.experimental.allocator.
template <Allocator Primary, Allocator Secondary>
requires Owning<Primary>
class Fallback {
public:
    using Options = FallbackOptions<OptionsOf<Primary>, OptionsOf<Secondary>>;

    template <class... Sources>
    explicit Fallback(const Options& options, const Sources&... sources) noexcept
        : primary_(make_child<Primary>(options.primary, sources...)),
          secondary_(make_child<Secondary>(options.secondary, sources...)) {}
    Fallback() noexcept : Fallback(Options{}) {}
    Fallback(FromChildren, Primary primary, Secondary secondary) noexcept
        : primary_(std::forward<Primary>(primary)), secondary_(std::forward<Secondary>(secondary)) {
    }
    Fallback(const Fallback&) = delete;
    Fallback& operator=(const Fallback&) = delete;

    template <class... Site>
    requires(TakesSite<Primary, Site...> || TakesSite<Secondary, Site...>)
        [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                              Site... site) noexcept {
        void* const block = allocate_from(primary_, size, alignment, site...);
        return block != nullptr ? block : allocate_from(secondary_, size, alignment, site...);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires
        Zeroing<Primary> && Zeroing<Secondary> {
        void* const block = primary_.allocate_zeroed(size, alignment);
        return block != nullptr ? block : secondary_.allocate_zeroed(size, alignment);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        if (primary_.owns(block)) {
            primary_.deallocate(block, size, alignment);
        } else {
            secondary_.deallocate(block, size, alignment);
        }
    }
    void deallocate(void* block) noexcept requires UnsizedDeallocating<Primary> &&
        UnsizedDeallocating<Secondary> {
        if (primary_.owns(block)) {
            primary_.deallocate(block);
        } else {
            secondary_.deallocate(block);
        }
    }

    // Within the allocator that has the block.
    bool
    resize(void* block, std::size_t old_size, std::size_t new_size,
           std::size_t alignment) noexcept requires Resizable<Primary> || Resizable<Secondary> {
        if (primary_.owns(block)) {
            if constexpr (Resizable<Primary>) {
                return primary_.resize(block, old_size, new_size, alignment);
            }
        } else if constexpr (Resizable<Secondary>) {
            return secondary_.resize(block, old_size, new_size, alignment);
        }
        return false;
    }

    void reset() noexcept requires Resettable<Primary> && Resettable<Secondary> {
        primary_.reset();
        secondary_.reset();
    }
    bool owns(const void* block) const noexcept requires Owning<Secondary> {
        return primary_.owns(block) || secondary_.owns(block);
    }
    std::size_t usable_size(const void* block) const noexcept requires Measurable<Primary> &&
        Measurable<Secondary> {
        return primary_.owns(block) ? primary_.usable_size(block) : secondary_.usable_size(block);
    }
    HeldStats stats() const noexcept requires Reporting<Primary> && Reporting<Secondary> {
        return held_by(primary_) + held_by(secondary_);
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(primary_, visitor);
        visit_stats_of(secondary_, visitor);
    }

    auto& primary() noexcept { return primary_; }
    auto& secondary() noexcept { return secondary_; }

private:
    Primary primary_;
    Secondary secondary_;
};

} // namespace alloclab
