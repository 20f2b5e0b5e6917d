// SPDX-License-Identifier: MIT
// C++'s operator new and delete. The standard library's own would do, but could not say which of
// them a block came from. What they need of that library, they need only where it is loaded.

#include "malloc_new.hpp"

#include <cstdlib>
#include <new>

namespace std {
[[gnu::weak]] void __throw_bad_alloc();
[[gnu::weak]] new_handler get_new_handler() noexcept;
} // namespace std

namespace {

using namespace alloclab;

#define ALLOCLAB_CALLER __builtin_extract_return_addr(__builtin_return_address(0))
#define ALLOCLAB_EXPORT __attribute__((visibility("default")))

// What the standard asks for: the program's handler may find memory, or throw.
[[gnu::noinline, gnu::cold]] void* try_again(std::size_t size, std::size_t alignment,
                                             MallocCall call, const void* caller) {
    while (std::get_new_handler != nullptr) {
        const std::new_handler handler = std::get_new_handler();
        if (handler == nullptr) {
            break;
        }
        handler();
        void* const block = allocate_for_new(size, alignment, call, caller);
        if (block != nullptr) {
            return block;
        }
    }
    if (std::__throw_bad_alloc != nullptr) {
        std::__throw_bad_alloc();
    }
    std::abort();
}

[[gnu::always_inline]] inline void* make(std::size_t size, std::size_t alignment, MallocCall call,
                                         const void* caller) {
    void* const block = allocate_for_new(size, alignment, call, caller);
    return block != nullptr ? block : try_again(size, alignment, call, caller);
}

constexpr std::size_t of(std::align_val_t alignment) {
    return static_cast<std::size_t>(alignment);
}

} // namespace

// The eight ways to make and the twelve to end, once for one object and once for an array.
#define ALLOCLAB_NEW_AND_DELETE(suffix, call)                                                      \
    ALLOCLAB_EXPORT void* operator new suffix(std::size_t size) {                                  \
        return make(size, default_alignment, call, ALLOCLAB_CALLER);                               \
    }                                                                                              \
    ALLOCLAB_EXPORT void* operator new suffix(std::size_t size, std::align_val_t alignment) {      \
        return make(size, of(alignment), call, ALLOCLAB_CALLER);                                   \
    }                                                                                              \
    ALLOCLAB_EXPORT void* operator new suffix(std::size_t size, const std::nothrow_t&) noexcept {  \
        return allocate_for_new(size, default_alignment, call, ALLOCLAB_CALLER);                   \
    }                                                                                              \
    ALLOCLAB_EXPORT void* operator new suffix(std::size_t size, std::align_val_t alignment,        \
                                              const std::nothrow_t&) noexcept {                    \
        return allocate_for_new(size, of(alignment), call, ALLOCLAB_CALLER);                       \
    }                                                                                              \
    ALLOCLAB_EXPORT void operator delete suffix(void* block) noexcept {                            \
        deallocate_for_delete(block, call, ALLOCLAB_CALLER);                                       \
    }                                                                                              \
    ALLOCLAB_EXPORT void operator delete suffix(void* block, std::align_val_t) noexcept {          \
        deallocate_for_delete(block, call, ALLOCLAB_CALLER);                                       \
    }                                                                                              \
    ALLOCLAB_EXPORT void operator delete suffix(void* block, const std::nothrow_t&) noexcept {     \
        deallocate_for_delete(block, call, ALLOCLAB_CALLER);                                       \
    }                                                                                              \
    ALLOCLAB_EXPORT void operator delete suffix(void* block, std::align_val_t,                     \
                                                const std::nothrow_t&) noexcept {                  \
        deallocate_for_delete(block, call, ALLOCLAB_CALLER);                                       \
    }                                                                                              \
    ALLOCLAB_EXPORT void operator delete suffix(void* block, std::size_t size) noexcept {          \
        deallocate_for_sized_delete(block, size, call, ALLOCLAB_CALLER);                           \
    }                                                                                              \
    ALLOCLAB_EXPORT void operator delete suffix(void* block, std::size_t size,                     \
                                                std::align_val_t) noexcept {                       \
        deallocate_for_sized_delete(block, size, call, ALLOCLAB_CALLER);                           \
    }

ALLOCLAB_NEW_AND_DELETE(, MallocCall::operator_new)
ALLOCLAB_NEW_AND_DELETE([], MallocCall::operator_new_array)
