// SPDX-License-Identifier: MIT
// liballoclab_malloc.so: the general-purpose pool, or with ALLOCLAB_MALLOC=debug the full debugging
// stack. The pool's quick paths do not ask which: under the debugging stack its caches stay empty
// and nothing is its own, so every call comes to the slow path, and that one asks.

#include "malloc_new.hpp"
#include "malloc_pool_backend.hpp"

namespace {

enum class Choice : unsigned char { none, pool, debug };
constinit Choice choice = Choice::none;

// Not locked: whoever comes first at the same time reads the same environment.
[[gnu::noinline, gnu::cold]] Choice choose() noexcept {
    char buffer[32];
    const std::string_view value = read_environment("ALLOCLAB_MALLOC=", buffer, sizeof buffer);
    const bool is_debug = value == "debug";
    if (!value.empty() && !is_debug && value != "pool") {
        report_bad_choice(value);
    }
    library_name = "liballoclab_malloc";
    choice = is_debug ? Choice::debug : Choice::pool;
    return choice;
}

[[gnu::always_inline]] inline bool is_debug() noexcept {
    return choice != Choice::pool && (choice == Choice::debug || choose() == Choice::debug);
}

// The address the program called from: for functions that are inlined into an exported one.
#define ALLOCLAB_CALLER __builtin_extract_return_addr(__builtin_return_address(0))

struct Backend {
    [[gnu::always_inline]] static void* allocate(std::size_t size) noexcept {
        if (size <= pool::small_max_bytes) [[likely]] {
            void* const block = cache.allocate_cached(heap, size);
            if (block != nullptr) [[likely]] {
                return block;
            }
        }
        return allocate_slow(size, ALLOCLAB_CALLER);
    }
    [[gnu::noinline]] static void* allocate_slow(std::size_t size, const void* caller) noexcept {
        if (is_debug()) [[unlikely]] {
            return DebugMalloc::allocate(size, default_alignment, false, caller,
                                         MallocCall::malloc);
        }
        return PoolBackend::allocate_slow(size);
    }
    [[gnu::always_inline]] static void* allocate_zeroed(std::size_t size) noexcept {
        if (is_debug()) [[unlikely]] {
            return DebugMalloc::allocate(size, default_alignment, true, ALLOCLAB_CALLER,
                                         MallocCall::malloc);
        }
        return PoolBackend::allocate_zeroed(size);
    }
    [[gnu::always_inline]] static void* allocate_aligned(std::size_t size,
                                                         std::size_t alignment) noexcept {
        if (is_debug()) [[unlikely]] {
            return DebugMalloc::allocate(size, alignment, false, ALLOCLAB_CALLER,
                                         MallocCall::malloc);
        }
        return PoolBackend::allocate_aligned(size, alignment);
    }
    [[gnu::always_inline]] static void* reallocate(void* block, std::size_t size) noexcept {
        if (is_debug()) [[unlikely]] {
            return DebugMalloc::reallocate(block, size, ALLOCLAB_CALLER);
        }
        return PoolBackend::reallocate(block, size);
    }
    [[gnu::always_inline]] static void deallocate(void* block) noexcept {
        if (!PoolBackend::deallocate_own(block)) [[unlikely]] {
            deallocate_other(block, ALLOCLAB_CALLER);
        }
    }
    // Null, or not the pool's.
    [[gnu::noinline]] static void deallocate_other(void* block, const void* caller) noexcept {
        if (block != nullptr && is_debug()) {
            DebugMalloc::deallocate(block, caller, MallocCall::malloc);
        }
    }
    static std::size_t usable_size(void* block) noexcept {
        return is_debug() ? DebugMalloc::usable_size(block) : PoolBackend::usable_size(block);
    }
};

using Face = MallocFace<Backend>;

[[gnu::constructor]] void begin_process() {
    if (is_debug()) {
        DebugMalloc::watch_process();
    } else {
        begin_pool_process();
    }
}
[[gnu::destructor]] void end_process() {
    if (is_debug()) {
        DebugMalloc::end_process();
    }
}

} // namespace

#include "malloc_symbols.hpp"

// operator new and delete: see malloc_new.cpp, which may throw, as this file may not.
namespace alloclab {

void* allocate_for_new(std::size_t size, std::size_t alignment, MallocCall call,
                       const void* caller) noexcept {
    if (is_debug()) [[unlikely]] {
        return DebugMalloc::allocate(size, alignment, false, caller, call);
    }
    return alignment <= default_alignment ? Backend::allocate(size)
                                          : PoolBackend::allocate_aligned(size, alignment);
}

void deallocate_for_delete(void* block, MallocCall call, const void* caller) noexcept {
    if (!PoolBackend::deallocate_own(block) && block != nullptr && is_debug()) [[unlikely]] {
        DebugMalloc::deallocate(block, caller, call);
    }
}

void deallocate_for_sized_delete(void* block, std::size_t size, MallocCall call,
                                 const void* caller) noexcept {
    if (!PoolBackend::deallocate_own(block) && block != nullptr && is_debug()) [[unlikely]] {
        DebugMalloc::deallocate_sized(block, size, caller, call);
    }
}

} // namespace alloclab
