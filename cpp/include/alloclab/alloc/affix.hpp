// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/combinator_options.hpp>
#include <alloclab/alloc/layer.hpp>
#include <alloclab/base/bits.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <type_traits>

namespace alloclab {

// How many bytes stand before and after each block, known when the program is built.
template <class Prefix, class Suffix> struct FixedAffixes {
    template <class T> static constexpr std::size_t bytes_of() {
        if constexpr (std::is_void_v<T>) {
            return 0;
        } else {
            return sizeof(T);
        }
    }
    template <class T> static constexpr std::size_t alignment_of() {
        if constexpr (std::is_void_v<T>) {
            return 1;
        } else {
            return alignof(T);
        }
    }
    static constexpr std::size_t prefix_bytes = bytes_of<Prefix>();
    static constexpr std::size_t suffix_bytes = bytes_of<Suffix>();
    static constexpr std::size_t prefix_alignment = alignment_of<Prefix>();
    static constexpr std::size_t suffix_alignment = alignment_of<Suffix>();
};

// The same, known when the allocator is made. The suffix is not aligned.
struct SizedAffixes : AffixOptions {
    static constexpr std::size_t prefix_alignment = default_alignment;
    static constexpr std::size_t suffix_alignment = 1;
};

// Bytes of the caller's own before and after each block:
//   inner = [ ... prefix | block of `size` bytes | ... suffix ]
// The prefix ends where the block begins. Neither is touched here. AffixAllocator of
// std.experimental.allocator. `owns`, `usable_size` and frees without a size are not passed on: how
// far a block stands inside depends on its size and alignment.
template <Allocator A, class Affixes> class BasicAffix : public Layer<A> {
public:
    // Null when the sum does not fit. Cost: what the child's does.
    template <class... Site>
    requires TakesSite<A, Site...>
    [[gnu::always_inline]] void* allocate(std::size_t size, std::size_t alignment,
                                          Site... site) noexcept {
        const std::size_t inner_size = inner_size_of(size, alignment);
        if (inner_size == 0) [[unlikely]] {
            return nullptr;
        }
        return outer(this->upstream_.allocate(inner_size, inner_alignment(alignment), site...),
                     alignment);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        const std::size_t inner_size = inner_size_of(size, alignment);
        if (inner_size == 0) {
            return nullptr;
        }
        return outer(this->upstream_.allocate_zeroed(inner_size, inner_alignment(alignment)),
                     alignment);
    }
    [[gnu::always_inline]] void deallocate(void* block, std::size_t size,
                                           std::size_t alignment) noexcept {
        if (block == nullptr) [[unlikely]] {
            return;
        }
        this->upstream_.deallocate(inner(block, alignment), inner_size_of(size, alignment),
                                   inner_alignment(alignment));
    }
    void deallocate(void* block) noexcept = delete;

    // The suffix goes along to the block's new end.
    bool resize(void* block, std::size_t old_size, std::size_t new_size,
                std::size_t alignment) noexcept requires Resizable<A> {
        const std::size_t new_inner_size = inner_size_of(new_size, alignment);
        if (new_inner_size == 0 || (new_size < old_size && suffix_bytes() != 0)) {
            return false; // shrinking would have to move the suffix before knowing that it may
        }
        if (!this->upstream_.resize(inner(block, alignment), inner_size_of(old_size, alignment),
                                    new_inner_size, inner_alignment(alignment))) {
            return false;
        }
        std::memmove(suffix_at(block, new_size), suffix_at(block, old_size), suffix_bytes());
        return true;
    }
    bool owns(const void* block) const noexcept = delete;
    std::size_t usable_size(const void* block) const noexcept = delete;

    // Where the bytes before a block begin, and those after a block of that size.
    std::byte* prefix_at(void* block) const noexcept {
        return static_cast<std::byte*>(block) - prefix_bytes();
    }
    std::byte* suffix_at(void* block, std::size_t size) const noexcept {
        return static_cast<std::byte*>(block) + align_up(size, Affixes::suffix_alignment);
    }
    std::size_t prefix_bytes() const noexcept {
        return align_up(affixes_.prefix_bytes, Affixes::prefix_alignment);
    }
    std::size_t suffix_bytes() const noexcept { return affixes_.suffix_bytes; }

protected:
    template <class... Sources>
    BasicAffix(const Affixes& affixes, const OptionsOf<A>& child,
               const Sources&... sources) noexcept
        : Layer<A>(child, sources...), affixes_(affixes) {}
    BasicAffix(FromChildren, const Affixes& affixes, A child) noexcept
        : Layer<A>(from_children, std::forward<A>(child)), affixes_(affixes) {}
    ~BasicAffix() = default;

private:
    static std::size_t inner_alignment(std::size_t alignment) noexcept {
        return std::max({alignment, Affixes::prefix_alignment, Affixes::suffix_alignment});
    }
    // From the inner block to the outer one.
    std::size_t offset(std::size_t alignment) const noexcept {
        return align_up(affixes_.prefix_bytes, inner_alignment(alignment));
    }
    // Returns 0 when it does not fit.
    std::size_t inner_size_of(std::size_t size, std::size_t alignment) const noexcept {
        constexpr std::size_t limit = SIZE_MAX / 4;
        if (size > limit || alignment > limit) [[unlikely]] {
            return 0;
        }
        const std::size_t end =
            suffix_bytes() == 0 ? size : align_up(size, Affixes::suffix_alignment);
        const std::size_t inner_size = offset(alignment) + end + suffix_bytes();
        return std::max<std::size_t>(inner_size, 1);
    }
    void* outer(void* inner, std::size_t alignment) const noexcept {
        return inner != nullptr ? static_cast<std::byte*>(inner) + offset(alignment) : nullptr;
    }
    void* inner(void* block, std::size_t alignment) const noexcept {
        return static_cast<std::byte*>(block) - offset(alignment);
    }

    [[no_unique_address]] Affixes affixes_;
};

// Objects before and after each block, made with it and ended with it; a reset forgets them. Either
// may be void. A suffix is moved as bytes when its block grows in place.
template <Allocator A, class Prefix, class Suffix = void>
class Affix : public BasicAffix<A, FixedAffixes<Prefix, Suffix>> {
    using Base = BasicAffix<A, FixedAffixes<Prefix, Suffix>>;
    static_assert(std::is_void_v<Suffix> || std::is_trivially_copyable_v<Suffix>);

public:
    using Options = LayerOptions<NoOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit Affix(const Options& options = default_options, const Sources&... sources) noexcept
        : Base({}, options.upstream, sources...) {}
    Affix(FromChildren, A child) noexcept : Base(from_children, {}, std::forward<A>(child)) {}

    template <class... Site>
    requires TakesSite<A, Site...>
    void* allocate(std::size_t size, std::size_t alignment, Site... site) noexcept {
        return with_affixes(Base::allocate(size, alignment, site...), size);
    }
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept requires Zeroing<A> {
        return with_affixes(Base::allocate_zeroed(size, alignment), size);
    }
    void deallocate(void* block, std::size_t size, std::size_t alignment) noexcept {
        if (block == nullptr) {
            return;
        }
        if constexpr (!std::is_void_v<Prefix>) {
            prefix(block).~Prefix();
        }
        if constexpr (!std::is_void_v<Suffix>) {
            suffix(block, size).~Suffix();
        }
        Base::deallocate(block, size, alignment);
    }

    // Requires: the block is live and has that size.
    auto& prefix(void* block) const noexcept requires(!std::is_void_v<Prefix>) {
        return *std::launder(reinterpret_cast<Prefix*>(this->prefix_at(block)));
    }
    auto& suffix(void* block, std::size_t size) const noexcept requires(!std::is_void_v<Suffix>) {
        return *std::launder(reinterpret_cast<Suffix*>(this->suffix_at(block, size)));
    }

private:
    void* with_affixes(void* block, std::size_t size) noexcept {
        if (block == nullptr) {
            return nullptr;
        }
        if constexpr (!std::is_void_v<Prefix>) {
            ::new (this->prefix_at(block)) Prefix();
        }
        if constexpr (!std::is_void_v<Suffix>) {
            ::new (this->suffix_at(block, size)) Suffix();
        }
        return block;
    }
};

// Raw bytes before and after each block, as many as the options say.
template <Allocator A> class SizedAffix : public BasicAffix<A, SizedAffixes> {
    using Base = BasicAffix<A, SizedAffixes>;

public:
    using Options = LayerOptions<AffixOptions, OptionsOf<A>>;
    static constexpr Options default_options{};

    template <class... Sources>
    explicit SizedAffix(const Options& options = default_options,
                        const Sources&... sources) noexcept
        : Base(SizedAffixes{options}, options.upstream, sources...) {}
    SizedAffix(FromChildren, const AffixOptions& options, A child) noexcept
        : Base(from_children, SizedAffixes{options}, std::forward<A>(child)) {}
};

} // namespace alloclab
