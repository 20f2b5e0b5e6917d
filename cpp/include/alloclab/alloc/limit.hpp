// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/combinator_options.hpp>
#include <alloclab/alloc/layer.hpp>

namespace alloclab {

// What a budget refused.
struct LimitRefusal {
    std::size_t size;       // asked for; of a resize the growth
    std::size_t used_bytes; // taken at that moment
    std::size_t limit_bytes;
};
// Called in the middle of an allocation: it must not use the allocator.
using LimitCallback = void (*)(void* context, const LimitRefusal& refusal) noexcept;

// What a budget holds, and what stands under it.
struct LimitStats : HeldStats {
    std::size_t used_bytes = 0; // as asked for, of live blocks
    std::size_t limit_bytes = 0;
    std::size_t refused_ops = 0; // over budget; failures of the child are not counted
    std::size_t refused_bytes = 0;
};

// A budget: what would bring the live bytes, as asked for, above the limit is null, and reported.
//   used_bytes_ = sum of the sizes of the live blocks <= limit
// A free without its size is not passed on: nobody would know what to take off.
template <Allocator A> class Limit : public Layer<A> {
public:
    using Options = LayerOptions<LimitOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit Limit(const Options& options = default_options, const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...), own_(options) {}
    Limit(FromChildren, const LimitOptions& options, A child) noexcept
        : Layer<A>(from_children, std::forward<A>(child)), own_(options) {}

    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        return has_room(size) ? charge(this->upstream_.allocate(size, alignment, site...), size)
                              : refuse(size);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        return has_room(size) ? charge(this->upstream_.allocate_zeroed(size, alignment), size)
                              : refuse(size);
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        used_bytes_ -= block != nullptr ? size : 0;
        this->upstream_.deallocate(block, size, alignment);
    }
    void deallocate(void* block) noexcept = delete;
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        if (new_size > old_size && !has_room(new_size - old_size)) {
            refuse(new_size - old_size);
            return false;
        }
        const bool is_done = this->upstream_.resize(block, old_size, new_size, alignment);
        used_bytes_ += is_done ? new_size - old_size : 0; // wraps where it shrinks
        return is_done;
    }
    void reset() noexcept requires Resettable<A> {
        this->upstream_.reset();
        used_bytes_ = 0;
    }
    auto mark() const noexcept = delete;
    auto rewind(const auto& to) noexcept = delete;

    // Tells `callback` of every refusal from now on; null tells nobody.
    void on_refusal(LimitCallback callback, void* context) noexcept {
        callback_ = callback;
        context_ = context;
    }
    // May be below what is used: nothing is taken away, but nothing more is given.
    void set_limit(std::size_t limit_bytes) noexcept { own_.limit_bytes = limit_bytes; }
    std::size_t used_bytes() const noexcept { return used_bytes_; }
    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(this->upstream_, visitor);
        visitor("limit_used_bytes", used_bytes_);
        visitor("limit_refused_ops", refused_ops_);
        visitor("limit_refused_bytes", refused_bytes_);
    }
    LimitStats stats() const noexcept {
        return {held_by(this->upstream_), used_bytes_, own_.limit_bytes, refused_ops_,
                refused_bytes_};
    }

private:
    bool has_room(std::size_t size) const noexcept {
        return used_bytes_ <= own_.limit_bytes && size <= own_.limit_bytes - used_bytes_;
    }
    void* charge(void* block, std::size_t size) noexcept {
        used_bytes_ += block != nullptr ? size : 0;
        return block;
    }
    [[gnu::noinline, gnu::cold]] void* refuse(std::size_t size) noexcept {
        ++refused_ops_;
        refused_bytes_ += size;
        if (callback_ != nullptr) {
            callback_(context_, {size, used_bytes_, own_.limit_bytes});
        }
        return nullptr;
    }

    LimitOptions own_;
    std::size_t used_bytes_ = 0;
    std::size_t refused_ops_ = 0;
    std::size_t refused_bytes_ = 0;
    LimitCallback callback_ = nullptr;
    void* context_ = nullptr;
};

} // namespace alloclab
