// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/layer.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace alloclab {

enum class AllocationEventKind : std::uint8_t {
    allocate,
    allocate_failed,
    deallocate,
    resize,
    resize_refused,
    reset,
};
inline constexpr std::size_t allocation_event_kinds = 6;
// The names of their counts, in order.
inline constexpr std::array<const char*, allocation_event_kinds> allocation_event_names{
    "callback_allocate_events", "callback_allocate_failed_events", "callback_deallocate_events",
    "callback_resize_events",   "callback_resize_refused_events",  "callback_reset_events",
};

// One call that went through a `Callback`.
struct AllocationEvent {
    void* block; // null where there is none
    std::size_t size;
    std::size_t old_size; // of a resize
    std::uint32_t alignment;
    AllocationEventKind kind;
};

// Gets events in the order they happened. Called in the middle of a call on the allocator: it must
// not use the allocator.
using AllocationSink = void (*)(void* context, std::span<const AllocationEvent> events) noexcept;

// What a `Callback` saw, and what stands under it.
struct CallbackStats : HeldStats {
    std::array<std::uint64_t, allocation_event_kinds> event_counts{};
    std::uint64_t batch_count = 0; // handed to the sink

    std::uint64_t count(AllocationEventKind kind) const noexcept {
        return event_counts[static_cast<std::size_t>(kind)];
    }
};

// Tells somebody of every call, `batch_events` at a time: an event costs a few stores, the sink is
// called when the batch is full, and by `flush`. Without a sink events are only counted. For one
// thread at a time. Frees of null are not events.
template <Allocator A, std::size_t batch_events = 256> class Callback : public Layer<A> {
public:
    using Options = LayerOptions<NoOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit Callback(const Options& options = default_options, const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...) {}
    Callback(FromChildren, A child) noexcept : Layer<A>(from_children, std::forward<A>(child)) {}
    ~Callback() { flush(); }

    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        void* const block = this->upstream_.allocate(size, alignment, site...);
        note_born(block, size, alignment);
        return block;
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        void* const block = this->upstream_.allocate_zeroed(size, alignment);
        note_born(block, size, alignment);
        return block;
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        if (block != nullptr) [[likely]] {
            note(AllocationEventKind::deallocate, block, size, 0, alignment);
        }
        this->upstream_.deallocate(block, size, alignment);
    }
    // The event has neither size nor alignment.
    void deallocate(void* block) noexcept requires UnsizedDeallocating<A> {
        if (block != nullptr) {
            note(AllocationEventKind::deallocate, block, 0, 0, 0);
        }
        this->upstream_.deallocate(block);
    }
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        const bool is_done = this->upstream_.resize(block, old_size, new_size, alignment);
        note(is_done ? AllocationEventKind::resize : AllocationEventKind::resize_refused, block,
             new_size, old_size, alignment);
        return is_done;
    }
    void reset() noexcept requires Resettable<A> {
        this->upstream_.reset();
        note(AllocationEventKind::reset, nullptr, 0, 0, 0);
    }
    auto mark() const noexcept = delete; // a rewind would end blocks nobody was told of
    auto rewind(const auto& to) noexcept = delete;

    // Hands all later events to `sink`; null only counts them. Events not yet handed over go to the
    // sink before.
    void on_events(AllocationSink sink, void* context) noexcept {
        flush();
        sink_ = sink;
        context_ = context;
    }
    // Hands over what the batch holds.
    void flush() noexcept {
        if (pending_ != 0) {
            const std::size_t count = pending_;
            pending_ = 0;
            ++stats_.batch_count;
            sink_(context_, std::span<const AllocationEvent>(events_.data(), count));
        }
    }
    void visit_stats(StatVisitor visitor) const noexcept {
        visit_stats_of(this->upstream_, visitor);
        for (std::size_t kind_idx = 0; kind_idx < allocation_event_kinds; ++kind_idx) {
            visitor(allocation_event_names[kind_idx], stats_.event_counts[kind_idx]);
        }
    }
    CallbackStats stats() const noexcept {
        CallbackStats all = stats_;
        static_cast<HeldStats&>(all) = held_by(this->upstream_);
        return all;
    }

private:
    [[gnu::always_inline]] void note_born(void* block, std::size_t size,
                                          std::size_t alignment) noexcept {
        note(block != nullptr ? AllocationEventKind::allocate
                              : AllocationEventKind::allocate_failed,
             block, size, 0, alignment);
    }
    [[gnu::always_inline]] void note(AllocationEventKind kind, void* block, std::size_t size,
                                     std::size_t old_size, std::size_t alignment) noexcept {
        ++stats_.event_counts[static_cast<std::size_t>(kind)];
        if (sink_ == nullptr) {
            return;
        }
        events_[pending_] = {block, size, old_size, static_cast<std::uint32_t>(alignment), kind};
        if (++pending_ == batch_events) [[unlikely]] {
            flush();
        }
    }

    CallbackStats stats_;
    AllocationSink sink_ = nullptr;
    void* context_ = nullptr;
    std::size_t pending_ = 0; // not 0 only with a sink
    std::array<AllocationEvent, batch_events> events_;
};

} // namespace alloclab
