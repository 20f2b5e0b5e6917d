// SPDX-License-Identifier: MIT

// The recorder's entry points in front of C++'s operator new and delete. The standard library's own
// call malloc and free, where they are recorded; an allocator that brings its own (jemalloc,
// mimalloc, tcmalloc) serves them past its malloc, so that they are recorded here.

#include "preload_entry.hpp"

#include <alloclab/record/edges.hpp>
#include <alloclab/record/lane.hpp>
#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/sites.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

using namespace alloclab::record;
using alloclab::capture::Call;

namespace {

// The next function of a name, looked up once.
template <class Function> struct Next {
    Function* function;
    bool is_allocators; // the program's allocator provides it
    // Whether it ends in another function that is recorded; told by the first call of each.
    enum class Way : unsigned char { unknown, past_malloc, by_malloc } way;

    void find(const char* name) {
        if (__builtin_expect(function != nullptr, true))
            return;
        real_calls();
        void* const found = next_function(name);
        is_allocators = is_allocator_code(found);
        __atomic_store_n(&function, reinterpret_cast<Function*>(found), __ATOMIC_RELEASE);
    }
};

// Changes with every event of this thread.
const unsigned char* event_position() {
    return thread_lanes.own.cursor;
}

template <class... Extra>
void* allocate(Next<void*(std::size_t, Extra...)>& next, const char* name, std::size_t alignment,
               std::size_t size, Extra... extra) {
    next.find(name);
    if (__builtin_expect(next.function == nullptr, false)) // a C++ library linked into a plugin
        return alignment == 0 ? malloc(size) : aligned_alloc(alignment, size);
    const unsigned char* const before = event_position();
    void* const p = next.function(size, extra...);
    if (next.is_allocators && event_position() == before) {
        record_allocation(alignment == 0 ? Call::malloc : Call::aligned_alloc, p, size, alignment);
        if (has_edges())
            note_birth(p, size);
    }
    return p;
}

// The same where sites are recorded: the site is the caller of operator new, not its call of
// malloc. Where it does not end in a malloc of ours, the event is here.
template <class... Extra>
void* allocate_at_site(const void* frame_address, Next<void*(std::size_t, Extra...)>& next,
                       const char* name, std::size_t alignment, std::size_t size, Extra... extra) {
    next.find(name);
    if (next.is_allocators)
        note_site(frame_address);
    else
        expect_inner_call(frame_address);
    void* const p = allocate(next, name, alignment, size, extra...);
    forget_inner_call();
    return p;
}

void record_delete(void* p) {
    p == nullptr ? record_free_null() : record_free(p);
    if (has_edges())
        note_death(p);
}

template <class... Extra>
void deallocate(Next<void(void*, Extra...)>& next, const char* name, void* p, Extra... extra) {
    using Way = typename Next<void(void*, Extra...)>::Way;
    next.find(name);
    if (__builtin_expect(next.function == nullptr, false))
        return free(p);
    if (next.is_allocators && next.way == Way::past_malloc)
        record_delete(p);
    const unsigned char* const before = event_position();
    next.function(p, extra...);
    if (!next.is_allocators || next.way != Way::unknown)
        return;
    const bool is_recorded = event_position() != before;
    if (!is_recorded)
        record_delete(p); // for once after the call
    if (p != nullptr)
        next.way = is_recorded ? Way::by_malloc : Way::past_malloc;
}

} // namespace

// The parameter types are the binary interface's: size_t, std::align_val_t and a reference to
// std::nothrow_t, under the names the compiler mangles them to.
#define ALLOCLAB_NEW(name)                                                                         \
    namespace {                                                                                    \
    Next<void*(std::size_t)> next##name;                                                           \
    [[gnu::noinline]] void* at_site##name(std::size_t size) {                                      \
        return allocate_at_site(__builtin_frame_address(0), next##name, #name, 0, size);           \
    }                                                                                              \
    }                                                                                              \
    ALLOCLAB_ENTRY void* name(std::size_t size) {                                                  \
        if (has_sites())                                                                           \
            return at_site##name(size);                                                            \
        return allocate(next##name, #name, 0, size);                                               \
    }
#define ALLOCLAB_NEW_WITH(name, Extra, alignment)                                                  \
    namespace {                                                                                    \
    Next<void*(std::size_t, Extra)> next##name;                                                    \
    [[gnu::noinline]] void* at_site##name(std::size_t size, Extra extra) {                         \
        return allocate_at_site(__builtin_frame_address(0), next##name, #name, alignment, size,    \
                                extra);                                                            \
    }                                                                                              \
    }                                                                                              \
    ALLOCLAB_ENTRY void* name(std::size_t size, Extra extra) {                                     \
        if (has_sites())                                                                           \
            return at_site##name(size, extra);                                                     \
        return allocate(next##name, #name, alignment, size, extra);                                \
    }
#define ALLOCLAB_NEW_ALIGNED_NOTHROW(name)                                                         \
    namespace {                                                                                    \
    Next<void*(std::size_t, std::size_t, const void*)> next##name;                                 \
    [[gnu::noinline]] void* at_site##name(std::size_t size, std::size_t alignment,                 \
                                          const void* nothrow) {                                   \
        return allocate_at_site(__builtin_frame_address(0), next##name, #name, alignment, size,    \
                                alignment, nothrow);                                               \
    }                                                                                              \
    }                                                                                              \
    ALLOCLAB_ENTRY void* name(std::size_t size, std::size_t alignment, const void* nothrow) {      \
        if (has_sites())                                                                           \
            return at_site##name(size, alignment, nothrow);                                        \
        return allocate(next##name, #name, alignment, size, alignment, nothrow);                   \
    }
#define ALLOCLAB_DELETE(name)                                                                      \
    ALLOCLAB_ENTRY void name(void* p) {                                                            \
        static Next<void(void*)> next;                                                             \
        deallocate(next, #name, p);                                                                \
    }
#define ALLOCLAB_DELETE_WITH(name, Extra)                                                          \
    ALLOCLAB_ENTRY void name(void* p, Extra extra) {                                               \
        static Next<void(void*, Extra)> next;                                                      \
        deallocate(next, #name, p, extra);                                                         \
    }
#define ALLOCLAB_DELETE_WITH_TWO(name, First, Second)                                              \
    ALLOCLAB_ENTRY void name(void* p, First first, Second second) {                                \
        static Next<void(void*, First, Second)> next;                                              \
        deallocate(next, #name, p, first, second);                                                 \
    }

ALLOCLAB_NEW(_Znwm)
ALLOCLAB_NEW(_Znam)
ALLOCLAB_NEW_WITH(_ZnwmRKSt9nothrow_t, const void*, 0)
ALLOCLAB_NEW_WITH(_ZnamRKSt9nothrow_t, const void*, 0)
ALLOCLAB_NEW_WITH(_ZnwmSt11align_val_t, std::size_t, extra)
ALLOCLAB_NEW_WITH(_ZnamSt11align_val_t, std::size_t, extra)
ALLOCLAB_NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t)
ALLOCLAB_NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t)

ALLOCLAB_DELETE(_ZdlPv)
ALLOCLAB_DELETE(_ZdaPv)
ALLOCLAB_DELETE_WITH(_ZdlPvm, std::size_t)
ALLOCLAB_DELETE_WITH(_ZdaPvm, std::size_t)
ALLOCLAB_DELETE_WITH(_ZdlPvRKSt9nothrow_t, const void*)
ALLOCLAB_DELETE_WITH(_ZdaPvRKSt9nothrow_t, const void*)
ALLOCLAB_DELETE_WITH(_ZdlPvSt11align_val_t, std::size_t)
ALLOCLAB_DELETE_WITH(_ZdaPvSt11align_val_t, std::size_t)
ALLOCLAB_DELETE_WITH_TWO(_ZdlPvmSt11align_val_t, std::size_t, std::size_t)
ALLOCLAB_DELETE_WITH_TWO(_ZdaPvmSt11align_val_t, std::size_t, std::size_t)
ALLOCLAB_DELETE_WITH_TWO(_ZdlPvSt11align_val_tRKSt9nothrow_t, std::size_t, const void*)
ALLOCLAB_DELETE_WITH_TWO(_ZdaPvSt11align_val_tRKSt9nothrow_t, std::size_t, const void*)
