// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/debug_defect.hpp>
#include <alloclab/alloc/layer.hpp>
#include <alloclab/base/bits.hpp>

#include <algorithm>
#include <cstdint>
#include <utility>

#include <emmintrin.h>

namespace alloclab {

// 16 bytes before a block and 16 to 31 after it, which nobody should write. They hold a byte that
// stray writes seldom leave: no zero, no text, no small number.
inline constexpr std::size_t guard_bytes = 16;
inline constexpr unsigned char guard_fill = 0xFB;

// Which guard bytes were written, from the start of the block.
struct GuardDamage {
    bool is_before = false;
    std::ptrdiff_t first = 0;
    std::size_t count = 0; // 0: all is well
};
GuardDamage find_guard_damage(const void* block, std::size_t size) noexcept;

// `check_waiting()` looks at freed blocks that wait to be used again: see Quarantine.
template <class A>
concept ChecksWaiting = requires(std::remove_reference_t<A>& allocator) {
    { allocator.check_waiting() } -> std::same_as<bool>;
};
// `check(p, size)` looks at what surrounds a live block: see Guard.
template <class A>
concept ChecksBlocks = requires(std::remove_reference_t<A>& allocator, const void* block) {
    { allocator.check(block, std::size_t{}) } -> std::same_as<bool>;
};

// Puts guards around every block of another allocator and looks at them when the block is freed or
// resized: whether it was written before its start or after its end, how far, how many bytes. See
// docs/allocators/guard.md. A block of alignment A above 16 costs A bytes in front.
template <Allocator A> class Guard : public Layer<A> {
public:
    using Options = LayerOptions<NoOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit Guard(const Options& options = default_options, const Sources&... sources) noexcept
        : Layer<A>(options.upstream, sources...) {}
    Guard(FromChildren, const NoOptions&, A child) noexcept
        : Layer<A>(from_children, std::forward<A>(child)) {}

    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        const std::size_t front = front_bytes(alignment);
        if (size > SIZE_MAX / 2 || front > SIZE_MAX / 4) [[unlikely]] {
            return nullptr;
        }
        return put_guards(this->upstream_.allocate(outer_bytes(size, front), front, site...), front,
                          size);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        const std::size_t front = front_bytes(alignment);
        if (size > SIZE_MAX / 2 || front > SIZE_MAX / 4) [[unlikely]] {
            return nullptr;
        }
        return put_guards(this->upstream_.allocate_zeroed(outer_bytes(size, front), front), front,
                          size);
    }

    // Reports damage to the handler before the block goes back.
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        if (block == nullptr) {
            return;
        }
        check(block, size);
        const std::size_t front = front_bytes(alignment);
        this->upstream_.deallocate(static_cast<std::byte*>(block) - front, outer_bytes(size, front),
                                   front);
    }

    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        const std::size_t front = front_bytes(alignment);
        std::byte* const outer = static_cast<std::byte*>(block) - front;
        check(block, old_size);
        if (new_size > SIZE_MAX / 2 ||
            !this->upstream_.resize(outer, outer_bytes(old_size, front),
                                    outer_bytes(new_size, front), front)) {
            return false;
        }
        put_guards(outer, front, new_size);
        return true;
    }

    // A block does not start where the child's does, and how far in it does is not known.
    void deallocate(void* block) noexcept = delete;
    bool owns(const void* block) const noexcept = delete;
    std::size_t usable_size(const void* block) const noexcept = delete;

    // Looks at a live block's guards without freeing it. Returns whether they are whole; damage
    // goes to the handler.
    [[gnu::always_inline]] bool check(const void* block, std::size_t size) const noexcept {
        if (are_guards_whole(block, size)) [[likely]] {
            return true;
        }
        report_damage(block, size);
        return false;
    }
    bool check_waiting() noexcept requires ChecksWaiting<A> {
        return this->upstream_.check_waiting();
    }
    // Also told to the child, if it has one.
    void set_defect_handler(const DefectHandler& handler) noexcept {
        handler_ = handler;
        if constexpr (requires { this->upstream_.set_defect_handler(handler); }) {
            this->upstream_.set_defect_handler(handler);
        }
    }
    // What a block of `size` bytes takes from the child.
    static constexpr std::size_t outer_bytes(std::size_t size, std::size_t front) noexcept {
        return front + align_up(size, guard_bytes) + guard_bytes;
    }
    static constexpr std::size_t front_bytes(std::size_t alignment) noexcept {
        return std::max(alignment, guard_bytes);
    }

private:
    // Two stores after the block, which may overlap, cover what is left of its last 16 bytes.
    static void* put_guards(void* outer, std::size_t front, std::size_t size) noexcept {
        if (outer == nullptr) [[unlikely]] {
            return nullptr;
        }
        std::byte* const block = static_cast<std::byte*>(outer) + front;
        const __m128i fill = _mm_set1_epi8(static_cast<char>(guard_fill));
        const auto store = [fill](std::byte* place) {
            _mm_storeu_si128(reinterpret_cast<__m128i*>(place), fill);
        };
        store(block - guard_bytes);
        store(block + size);
        store(block + align_up(size, guard_bytes));
        return block;
    }
    static bool are_guards_whole(const void* block, std::size_t size) noexcept {
        const auto* const bytes = static_cast<const std::byte*>(block);
        const auto load = [](const std::byte* place) {
            return _mm_loadu_si128(reinterpret_cast<const __m128i*>(place));
        };
        const __m128i fill = _mm_set1_epi8(static_cast<char>(guard_fill));
        const __m128i before = _mm_cmpeq_epi8(load(bytes - guard_bytes), fill);
        const __m128i after =
            _mm_and_si128(_mm_cmpeq_epi8(load(bytes + size), fill),
                          _mm_cmpeq_epi8(load(bytes + align_up(size, guard_bytes)), fill));
        return _mm_movemask_epi8(_mm_and_si128(before, after)) == 0xFFFF;
    }
    [[gnu::noinline, gnu::cold]] void report_damage(const void* block,
                                                    std::size_t size) const noexcept {
        const GuardDamage damage = find_guard_damage(block, size);
        Defect defect;
        defect.kind = damage.is_before ? DefectKind::underflow : DefectKind::overflow;
        defect.block = block;
        defect.size_bytes = size;
        defect.offset = damage.first;
        defect.damaged_bytes = damage.count;
        handler_(defect);
    }

    DefectHandler handler_;
};

template <class A>
inline constexpr bool leaves_ended_memory_alone<Guard<A>> = leaves_ended_memory_alone<A>;

} // namespace alloclab
