// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <cerrno>
#include <cstdint>

namespace alloclab {

// What the C malloc family is built from. All is static: a process has one. Sizes are at most
// PTRDIFF_MAX, except for `allocate` and `allocate_zeroed`, which refuse larger ones themselves;
// alignments are powers of two; nothing sets errno on success.
//   allocate(size)                          a 16-aligned block, or null, errno then being ENOMEM
//   allocate_zeroed(size)                   a 16-aligned block that reads as zero, or null
//   allocate_aligned(size, alignment)       alignment above 16
//   reallocate(block, size)                 block not null, size not 0; null leaves the block be
//   deallocate(block)                       null is ignored
//   usable_size(block)                      at least what was asked for; 0 for null
template <class B>
concept MallocBackend = requires(void* block, std::size_t size) {
    { B::allocate(size) }
    noexcept->std::same_as<void*>;
    { B::allocate_zeroed(size) }
    noexcept->std::same_as<void*>;
    { B::allocate_aligned(size, size) }
    noexcept->std::same_as<void*>;
    { B::reallocate(block, size) }
    noexcept->std::same_as<void*>;
    { B::deallocate(block) }
    noexcept->std::same_as<void>;
    { B::usable_size(block) }
    noexcept->std::same_as<std::size_t>;
};

// The rules of the C malloc family, as glibc keeps them, over any backend: which sizes fail, what
// errno says, what zero and null mean. `cpp/tools/malloc_symbols.hpp` gives them their C names.
template <MallocBackend Backend> class MallocFace {
public:
    [[gnu::always_inline]] static void* malloc(std::size_t size) noexcept {
        return Backend::allocate(size);
    }

    [[gnu::always_inline]] static void free(void* block) noexcept { Backend::deallocate(block); }

    static void* calloc(std::size_t count, std::size_t size) noexcept {
        std::size_t bytes = 0;
        if (__builtin_mul_overflow(count, size, &bytes)) [[unlikely]] {
            return out_of_memory();
        }
        void* const block = Backend::allocate_zeroed(bytes);
        return block != nullptr ? block : out_of_memory();
    }

    // A size of zero frees and returns null, as glibc does; null allocates.
    static void* realloc(void* block, std::size_t size) noexcept {
        if (block == nullptr) {
            return malloc(size);
        }
        if (size == 0) {
            Backend::deallocate(block);
            return nullptr;
        }
        void* const moved = size <= size_limit ? Backend::reallocate(block, size) : nullptr;
        return moved != nullptr ? moved : out_of_memory();
    }

    static void* reallocarray(void* block, std::size_t count, std::size_t size) noexcept {
        std::size_t bytes = 0;
        if (__builtin_mul_overflow(count, size, &bytes)) [[unlikely]] {
            return out_of_memory();
        }
        return realloc(block, bytes);
    }

    // Takes any alignment, rounded up to a power of two.
    static void* memalign(std::size_t alignment, std::size_t size) noexcept {
        if (alignment > alignment_limit) {
            errno = EINVAL;
            return nullptr;
        }
        std::size_t rounded = default_alignment;
        while (rounded < alignment) {
            rounded *= 2;
        }
        void* const block = allocate_at(rounded, size);
        return block != nullptr ? block : out_of_memory();
    }

    static void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
        if (!is_power_of_two(alignment)) {
            errno = EINVAL;
            return nullptr;
        }
        return memalign(alignment, size);
    }

    // Returns the error and leaves `*out` alone where it fails; without memory it sets errno too,
    // as glibc does.
    static int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
        if (!is_power_of_two(alignment) || alignment < sizeof(void*)) {
            return EINVAL;
        }
        void* const block = allocate_at(alignment, size);
        if (block == nullptr) {
            errno = ENOMEM;
            return ENOMEM;
        }
        *out = block;
        return 0;
    }

    static void* valloc(std::size_t size) noexcept { return memalign(page_bytes, size); }

    // Whole pages, at least one.
    static void* pvalloc(std::size_t size) noexcept {
        if (size > size_limit) {
            return out_of_memory();
        }
        return memalign(page_bytes, align_up(size == 0 ? 1 : size, page_bytes));
    }

    static std::size_t malloc_usable_size(void* block) noexcept {
        return Backend::usable_size(block);
    }

private:
    static constexpr std::size_t size_limit = PTRDIFF_MAX;
    static constexpr std::size_t alignment_limit = SIZE_MAX / 2 + 1;

    static void* allocate_at(std::size_t alignment, std::size_t size) noexcept {
        if (size > size_limit || alignment > alignment_limit / 2) {
            return nullptr;
        }
        return alignment <= default_alignment ? Backend::allocate(size)
                                              : Backend::allocate_aligned(size, alignment);
    }
    [[gnu::noinline, gnu::cold]] static void* out_of_memory() noexcept {
        errno = ENOMEM;
        return nullptr;
    }
};

} // namespace alloclab
