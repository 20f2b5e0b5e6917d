// SPDX-License-Identifier: MIT
// The malloc family on the lab's Arena, to be preloaded: an arena a thread, and nearly nothing ever
// freed. A measuring instrument, not an allocator to live with.

#include "malloc_environment.hpp"
#include "malloc_fork.hpp"

#include <alloclab/alloc/arena.hpp>
#include <alloclab/alloc/malloc_face.hpp>
#include <alloclab/alloc/option_list.hpp>
#include <alloclab/alloc/spin_lock.hpp>

#include <new>

#include <pthread.h>

namespace {

using namespace alloclab;

// Stands before every block: C's realloc and malloc_usable_size do not say what was asked for.
// 16 bytes, because blocks are 16-aligned.
struct Header {
    std::size_t size;
    std::uint32_t offset; // from the start of the arena's block to the program's
    std::uint32_t mark;
};
static_assert(sizeof(Header) == default_alignment);
constexpr std::uint32_t header_mark = 0xA11C0DE5; // a block without it is not ours

// Arenas outlive their threads, because blocks do; a new thread goes on with one that was left.
struct ThreadArena {
    Arena<> arena;
    ThreadArena* next = nullptr;
};

constinit SpinLock left_lock;
constinit ThreadArena* left_arenas = nullptr; // of threads that have ended
constinit thread_local ThreadArena* own_arena = nullptr;
pthread_key_t thread_end_key;
pthread_once_t start_once = PTHREAD_ONCE_INIT;
constinit ArenaOptions arena_options;

void end_thread(void* left) {
    const LockGuard guard(left_lock);
    auto* const arena = static_cast<ThreadArena*>(left);
    arena->next = left_arenas;
    left_arenas = arena;
    own_arena = nullptr;
}

void start() {
    char buffer[512];
    const auto bad_item = set_options(arena_options, read_malloc_options(buffer, sizeof buffer));
    if (!bad_item.empty()) {
        report_bad_option("liballoclab_malloc_arena", bad_item);
    }
    pthread_key_create(&thread_end_key, end_thread);
    hold_over_forks<[] { left_lock.lock(); }, [] { left_lock.unlock(); }>();
}

ThreadArena* take_left_arena() {
    const LockGuard guard(left_lock);
    ThreadArena* const taken = left_arenas;
    if (taken != nullptr) {
        left_arenas = taken->next;
    }
    return taken;
}

[[gnu::noinline, gnu::cold]] Arena<>* begin_thread() {
    pthread_once(&start_once, start);
    ThreadArena* arena = take_left_arena();
    if (arena == nullptr) {
        void* const memory = OsPageSource{}.map(page_bytes, page_bytes);
        if (memory == nullptr) {
            return nullptr;
        }
        arena = new (memory) ThreadArena{Arena<>(arena_options)};
    }
    own_arena = arena;
    pthread_setspecific(thread_end_key, arena); // may allocate
    return &arena->arena;
}

Arena<>* find_arena() {
    return own_arena != nullptr ? &own_arena->arena : begin_thread();
}

Header* header_of(void* block) {
    return static_cast<Header*>(block) - 1;
}

void* place(void* start, std::size_t size, std::size_t offset) {
    if (start == nullptr) {
        return nullptr;
    }
    void* const block = static_cast<std::byte*>(start) + offset;
    *header_of(block) = {size, static_cast<std::uint32_t>(offset), header_mark};
    return block;
}

struct Backend {
    static void* allocate(std::size_t size) noexcept {
        void* const block = allocate_aligned(size, default_alignment);
        if (block == nullptr) {
            errno = ENOMEM;
        }
        return block;
    }

    static void* allocate_zeroed(std::size_t size) noexcept {
        Arena<>* const arena = find_arena();
        std::size_t bytes = 0;
        if (arena == nullptr || __builtin_add_overflow(size, sizeof(Header), &bytes)) {
            return nullptr;
        }
        return place(arena->allocate_zeroed(bytes, default_alignment), size, sizeof(Header));
    }

    static void* allocate_aligned(std::size_t size, std::size_t alignment) noexcept {
        Arena<>* const arena = find_arena();
        std::size_t bytes = 0;
        if (arena == nullptr || alignment > UINT32_MAX ||
            __builtin_add_overflow(size, alignment, &bytes)) {
            return nullptr;
        }
        return place(arena->allocate(bytes, alignment), size, alignment);
    }

    static void* reallocate(void* block, std::size_t size) noexcept {
        Header* const header = header_of(block);
        Arena<>* const arena = find_arena();
        if (header->mark != header_mark || arena == nullptr) {
            return nullptr;
        }
        const std::size_t old_size = header->size;
        void* const start = static_cast<std::byte*>(block) - header->offset;
        if (arena->resize(start, header->offset + old_size, header->offset + size,
                          default_alignment)) {
            header->size = size;
            return block;
        }
        void* const moved = allocate(size);
        if (moved != nullptr) {
            __builtin_memcpy(moved, block, size < old_size ? size : old_size);
            deallocate(block);
        }
        return moved;
    }

    // Another thread's block never ends where this thread's arena stands, so it is let be.
    static void deallocate(void* block) noexcept {
        if (block == nullptr || own_arena == nullptr) {
            return;
        }
        Header* const header = header_of(block);
        if (header->mark == header_mark) {
            own_arena->arena.deallocate(static_cast<std::byte*>(block) - header->offset,
                                        header->offset + header->size, default_alignment);
        }
    }

    static std::size_t usable_size(void* block) noexcept {
        return block != nullptr && header_of(block)->mark == header_mark ? header_of(block)->size
                                                                         : 0;
    }
};

using Face = MallocFace<Backend>;

} // namespace

#include "malloc_symbols.hpp"
