// SPDX-License-Identifier: MIT

// The recorder's entry points in front of malloc and its kin. Each calls the program's own function
// and leaves an event; the way of a small block is a dozen instructions beside that call.

#include "preload_entry.hpp"
#include "preload_errno.hpp"

#include <alloclab/record/edges.hpp>
#include <alloclab/record/lane.hpp>
#include <alloclab/record/live_blocks.hpp>
#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/sites.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

using namespace alloclab::record;
using namespace alloclab::capture;

namespace {

void* first_malloc(std::size_t size);
void* first_calloc(std::size_t count, std::size_t size);
void first_free(void* p);
void* first_realloc(void* old, std::size_t size);

// Until the first call each leads to a function that looks the real ones up, so that no later call
// has to ask whether that was done.
void* (*real_malloc)(std::size_t) = first_malloc;
void* (*real_calloc)(std::size_t, std::size_t) = first_calloc;
void (*real_free)(void*) = first_free;
void* (*real_realloc)(void*, std::size_t) = first_realloc;

// Whether sites or edges are recorded: then allocations take a longer way. The first one does so
// too, which finds out.
bool is_watched = true;
void (*unwatched_free)(void*);

void watched_free(void* p) {
    note_death(p);
    unwatched_free(p);
}

bool adopt_real_calls() {
    if (is_resolving())
        return false;
    const RealCalls& calls = real_calls();
    real_malloc = calls.malloc;
    real_calloc = calls.calloc;
    real_free = calls.free;
    real_realloc = calls.realloc;
    prepare_sites();
    prepare_edges();
    note_calls_arrive();
    is_watched = has_sites() || has_edges();
    unwatched_free = calls.free;
    if (has_edges())
        real_free = watched_free;
    return true;
}

void* first_malloc(std::size_t size) {
    return adopt_real_calls() ? real_malloc(size) : nullptr;
}

void* first_calloc(std::size_t count, std::size_t size) {
    return adopt_real_calls() ? real_calloc(count, size) : nullptr;
}

void first_free(void* p) {
    if (adopt_real_calls())
        real_free(p);
}

void* first_realloc(void* old, std::size_t size) {
    return adopt_real_calls() ? real_realloc(old, size) : nullptr;
}

// What the lookup of the real functions asks for itself. Its blocks stay away from the real free.
void* bootstrap_block(std::size_t size, std::size_t alignment) {
    void* const p = bootstrap_allocate(size, alignment);
    if (p != nullptr)
        mark_in_filter(p);
    return p;
}

[[gnu::noinline]] void note_slowly(Call call, void* p, std::size_t size, std::size_t alignment) {
    if (is_bootstrap(p) && p != nullptr)
        return;
    const ErrnoKept kept;
    record_allocation(call, p, size, alignment);
}

[[gnu::noinline]] void free_slowly(void* p) {
    if (p == nullptr) {
        if (!append_code(Code::free_null))
            record_free_null();
    } else if (!is_bootstrap(p)) {
        const ErrnoKept kept;
        record_free(p);
    }
}

// Adds a block to those searched for references.
[[gnu::noinline]] void* note_block(void* p, std::size_t size) {
    if (has_edges() && p != nullptr && !is_bootstrap(p)) {
        const ErrnoKept kept;
        note_birth(p, size);
    }
    return p;
}

bool is_multiple_of_8(std::size_t size) {
    return (size & 7) == 0;
}

// The size as the real call takes it, or the largest where the product overflows.
std::size_t product(std::size_t count, std::size_t size) {
    std::size_t bytes = 0;
    return __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes;
}

// Appends an allocation's short form, with its site in front where there is one to look for.
template <std::uint64_t delta_max = short_delta_max, class Encode>
[[gnu::always_inline]] inline bool append_allocation(std::uint32_t* site, std::uint64_t granule,
                                                     Encode encode) {
    return site == nullptr ? append_short<delta_max>(granule, encode)
                           : append_short_at<delta_max>(*site, granule, encode);
}

// A block of a size that has no code byte of its own. Returns whether the lane took it.
[[gnu::always_inline]] inline bool append_sized(Code code, std::size_t size, std::uint64_t granule,
                                                std::uint32_t* site) {
    constexpr std::size_t two_byte_sizes = 1 << 14;
    if (size >= two_byte_sizes)
        return false;
    constexpr std::uint64_t five_byte_delta_max = (std::uint64_t{1} << 35) - 1;
    return append_allocation<five_byte_delta_max>(site, granule, [code, size](std::uint64_t delta) {
        const Word address = varint_word(delta);
        const Word sized = varint_word(size);
        const unsigned before = 1 + sized.bytes;
        return Word{static_cast<std::uint64_t>(code) << 1 | sized.bits << 8 |
                        address.bits << (8 * before),
                    before + address.bytes};
    });
}

// A block of the lookup itself gets a real one in its place.
void* move_bootstrap(void* old, std::size_t size) {
    void* const p = is_resolving() ? bootstrap_block(size, 0) : real_malloc(size);
    // How large the old one was is not known; all of it lies within the bootstrap blocks.
    if (p != nullptr && old != nullptr)
        std::memcpy(p, old, bootstrap_bytes_from(old, size));
    if (!is_bootstrap(p))
        note_slowly(Call::malloc, p, size, 0);
    return note_block(p, size);
}

void* allocate_by_realloc(Call call, std::size_t size) {
    void* const p = real_realloc(nullptr, size);
    const bool is_short = call == Call::realloc && p != nullptr && is_granule(p);
    if (!is_short || !append_sized(Code::realloc_new, size, granule_of(p), &thread_lanes.site))
        note_slowly(call, p, size, 0);
    return note_block(p, size);
}

void* reallocate(void* old, std::size_t size) {
    const bool is_short = is_granule(old) && !may_be_tracked(old);
    if (!is_short || !append_short(granule_of(old), [](std::uint64_t delta) {
            return coded_delta(static_cast<std::uint64_t>(Code::realloc_begin) << 1, delta);
        }))
        record_realloc_begin(old);
    const std::uint32_t entry = has_edges() ? note_realloc_begin(old) : 0;
    void* const p = real_realloc(old, size);
    if (p == nullptr || !is_granule(p) ||
        !append_sized(Code::realloc_end, size, granule_of(p), &thread_lanes.site)) {
        const ErrnoKept kept;
        record_realloc_end(p, size, old);
    }
    if (has_edges()) {
        const ErrnoKept kept;
        note_realloc_end(p, size, old, entry);
    }
    return p;
}

// Records what malloc returned, short if it can. Without a place for the site there is none.
[[gnu::always_inline]] inline void* note_malloc(void* p, std::size_t size, std::uint32_t* site) {
    const std::uint64_t granule = granule_of(p);
    if (__builtin_expect(is_granule(p) && p != nullptr, true)) {
        if (is_multiple_of_8(size) && size <= malloc_short_bytes) {
            const std::uint64_t code_byte =
                (static_cast<std::uint64_t>(Code::malloc_first) + size / 8) << 1;
            if (append_allocation(site, granule, [code_byte](std::uint64_t delta) {
                    return coded_delta(code_byte, delta);
                }))
                return p;
        } else if (append_sized(Code::malloc_sized, size, granule, site)) {
            return p;
        }
    } else if (p == nullptr && is_resolving()) {
        return bootstrap_block(size, 0);
    }
    note_slowly(Call::malloc, p, size, 0);
    return p;
}

[[gnu::always_inline]] inline void* note_calloc(void* p, std::size_t bytes, std::uint32_t* site) {
    const std::uint64_t granule = granule_of(p);
    if (__builtin_expect(is_granule(p) && p != nullptr, true)) {
        if (is_multiple_of_8(bytes) && bytes <= calloc_short_bytes) {
            const std::uint64_t code_byte =
                (static_cast<std::uint64_t>(Code::calloc_first) + bytes / 8) << 1;
            if (append_allocation(site, granule, [code_byte](std::uint64_t delta) {
                    return coded_delta(code_byte, delta);
                }))
                return p;
        } else if (append_sized(Code::calloc_sized, bytes, granule, site)) {
            return p;
        }
    } else if (p == nullptr && is_resolving()) {
        return bootstrap_block(bytes, 0);
    }
    note_slowly(Call::calloc, p, bytes, 0);
    return p;
}

// Functions of their own, entered by a jump, so that the way that watches nothing keeps no frame
// pointer.
[[gnu::noinline]] void* watched_malloc(std::size_t size) {
    void* const p = real_malloc(size);
    note_site(__builtin_frame_address(0));
    return note_block(note_malloc(p, size, &thread_lanes.site), size);
}

[[gnu::noinline]] void* watched_calloc(std::size_t count, std::size_t size) {
    void* const p = real_calloc(count, size);
    note_site(__builtin_frame_address(0));
    return note_block(note_calloc(p, product(count, size), &thread_lanes.site),
                      product(count, size));
}

} // namespace

ALLOCLAB_ENTRY void* malloc(std::size_t size) {
    if (__builtin_expect(is_watched, false))
        return watched_malloc(size);
    return note_malloc(real_malloc(size), size, nullptr);
}

ALLOCLAB_ENTRY void* calloc(std::size_t count, std::size_t size) {
    if (__builtin_expect(is_watched, false))
        return watched_calloc(count, size);
    return note_calloc(real_calloc(count, size), product(count, size), nullptr);
}

ALLOCLAB_ENTRY void free(void* p) {
    const bool is_short = is_granule(p) && p != nullptr && !may_be_tracked(p);
    if (__builtin_expect(is_short, true) && append_short(granule_of(p), free_word)) {
        real_free(p);
        return;
    }
    free_slowly(p);
    if (!is_bootstrap(p))
        real_free(p);
}

ALLOCLAB_ENTRY void* realloc(void* old, std::size_t size) {
    if (__builtin_expect(is_resolving() || is_bootstrap(old), false))
        return move_bootstrap(old, size);
    note_site(__builtin_frame_address(0));
    return old == nullptr ? allocate_by_realloc(Call::realloc, size) : reallocate(old, size);
}

// By way of the program's realloc: the C library's own reallocarray would come back through ours.
ALLOCLAB_ENTRY void* reallocarray(void* old, std::size_t count, std::size_t size) {
    const std::size_t bytes = product(count, size);
    note_site(__builtin_frame_address(0));
    if (bytes != SIZE_MAX)
        return old == nullptr ? allocate_by_realloc(Call::reallocarray, bytes)
                              : reallocate(old, bytes);
    if (old == nullptr) {
        note_slowly(Call::reallocarray, nullptr, bytes, 0);
    } else {
        record_realloc_begin(old);
        record_realloc_end(nullptr, bytes, old);
    }
    errno = ENOMEM;
    return nullptr;
}

ALLOCLAB_ENTRY int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
    note_site(__builtin_frame_address(0));
    const int result = real_calls().posix_memalign(out, alignment, size);
    note_slowly(Call::posix_memalign, result == 0 ? *out : nullptr, size, alignment);
    if (result == 0)
        note_block(*out, size);
    return result;
}

ALLOCLAB_ENTRY void* aligned_alloc(std::size_t alignment, std::size_t size) {
    note_site(__builtin_frame_address(0));
    void* const p = real_calls().aligned_alloc(alignment, size);
    note_slowly(Call::aligned_alloc, p, size, alignment);
    return note_block(p, size);
}

ALLOCLAB_ENTRY void* memalign(std::size_t alignment, std::size_t size) {
    note_site(__builtin_frame_address(0));
    void* const p = real_calls().memalign(alignment, size);
    note_slowly(Call::memalign, p, size, alignment);
    return note_block(p, size);
}

ALLOCLAB_ENTRY void* valloc(std::size_t size) {
    note_site(__builtin_frame_address(0));
    void* const p = real_calls().valloc(size);
    note_slowly(Call::valloc, p, size, 4096);
    return note_block(p, size);
}

ALLOCLAB_ENTRY void* pvalloc(std::size_t size) {
    note_site(__builtin_frame_address(0));
    void* const p = real_calls().pvalloc(size);
    note_slowly(Call::pvalloc, p, size, 4096);
    return note_block(p, size);
}
