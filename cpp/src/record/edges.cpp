// SPDX-License-Identifier: MIT
#include <alloclab/record/edges.hpp>

#include <alloclab/record/block_map.hpp>
#include <alloclab/record/edge_roots.hpp>
#include <alloclab/record/marks.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/thread_stacks.hpp>

#include <cstring>

namespace alloclab::record {

Edges edges_mode;

namespace {

constexpr std::size_t read_bytes = 64 << 10;

std::uint64_t births; // since the epoch before
bool is_scanning;
unsigned char* bytes_read; // where what is searched is copied to
// Where the set of blocks is taken to lie when chance hits are counted: beside every heap.
constexpr std::uintptr_t displacement = (std::uintptr_t{0x2b} << 36) + 0x51f3a8;

// Copies memory that may be gone or closed to reading. Returns the bytes that could be had.
std::size_t read_memory(std::uintptr_t from, std::size_t bytes) {
    struct Part {
        std::uintptr_t begin;
        std::size_t bytes;
    };
    const Part here{reinterpret_cast<std::uintptr_t>(bytes_read), bytes};
    const Part there{from, bytes};
    const long pid = system_call(SYS_getpid);
    const long got = system_call(SYS_process_vm_readv, pid, address_argument(&here), 1,
                                 address_argument(&there), 1, 0);
    return is_error(got) ? 0 : static_cast<std::size_t>(got);
}

struct Holder {
    std::uintptr_t begin;
    bool is_new; // nothing is known of its words
};

void search_word(const Holder& holder, std::uintptr_t place, std::uintptr_t word) {
    const WordId target = find_block(word);
    const WordId before = holder.is_new ? 0 : target_of(place);
    capture::FileHeader& header = *process.header;
    ++header.edge_words;
    header.edge_hits += target != 0;
    header.edge_chance_hits += find_block(word - displacement) != 0;
    if (target != before || (target != 0 && is_fresh_block(target))) {
        record_reference(reinterpret_cast<const void*>(holder.begin), (place - holder.begin) / 8,
                         target != 0 ? reinterpret_cast<const void*>(address_of(target)) : nullptr);
        ++header.edge_references;
    }
    if (target != before || holder.is_new)
        set_target(place, target);
}

// Memory that cannot be read refers to nothing.
void search_block(const Holder& holder, std::size_t size) {
    for (std::size_t done = 0; done + 8 <= size;) {
        const std::size_t wanted =
            size - done < read_bytes ? (size - done) & ~std::size_t{7} : read_bytes;
        const std::size_t got = read_memory(holder.begin + done, wanted);
        if (got < wanted)
            std::memset(bytes_read + got, 0, wanted - got);
        for (std::size_t at = 0; at < wanted; at += 8) {
            std::uintptr_t word = 0;
            std::memcpy(&word, bytes_read + at, sizeof word);
            search_word(holder, holder.begin + done + at, word);
        }
        done += wanted;
    }
}

void search_blocks() {
    for (std::uint32_t number = 1; number <= chunk_count(); ++number) {
        Chunk& chunk = chunk_at(number);
        for (std::size_t group = 0; group < chunk_words / 64; ++group) {
            for (std::uint64_t bits = chunk.starts[group]; bits != 0; bits &= bits - 1) {
                const std::size_t word =
                    group * 64 + static_cast<std::size_t>(__builtin_ctzll(bits));
                std::uint32_t entry = __atomic_load_n(&chunk.sizes[word], __ATOMIC_RELAXED);
                if ((entry & size_mask) == 0)
                    continue; // freed meanwhile
                const bool is_born = (chunk.fresh[group] & (bits & -bits)) != 0;
                search_block({chunk.begin + word * 8, is_born && (entry & is_moved) == 0},
                             (entry & size_mask) - 1);
                if ((entry & is_moved) != 0)
                    __atomic_compare_exchange_n(&chunk.sizes[word], &entry, entry & ~is_moved,
                                                false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
            }
        }
    }
}

void count_unseen() {
    __atomic_fetch_add(&process.header->edge_unseen_blocks, 1, __ATOMIC_RELAXED);
}

} // namespace

void prepare_edges() {
    static bool is_prepared;
    if (is_prepared)
        return;
    is_prepared = true;
    if (!ensure_capture() || options().edges == Edges::none)
        return;
    bytes_read = static_cast<unsigned char*>(map_shared(read_bytes));
    if (bytes_read == nullptr || !prepare_block_map() ||
        read_memory(reinterpret_cast<std::uintptr_t>(&process), 8) != 8) {
        warn_of("edges: not recorded", "no memory, or process_vm_readv is not allowed");
        return;
    }
    edges_mode = options().edges;
}

void note_birth(const void* p, std::size_t size) {
    if (p == nullptr || !is_recording())
        return;
    if (!thread_lanes.has_exited)
        note_stack(__builtin_frame_address(0));
    if (edges_mode == Edges::every &&
        __atomic_add_fetch(&births, 1, __ATOMIC_RELAXED) >= options().edge_interval)
        record_edges();
    if (!add_block(p, size, is_fresh))
        count_unseen();
}

void note_death(const void* p) {
    take_block(p);
}

std::uint32_t note_realloc_begin(const void* old) {
    return take_block(old);
}

void note_realloc_end(const void* p, std::size_t size, const void* old, std::uint32_t entry) {
    if (p == nullptr && (size == 0 || entry == 0))
        return;
    if (entry == 0)
        return note_birth(p, size);
    if (p == nullptr) {
        add_block(old, (entry & size_mask) - 1, entry & ~size_mask);
        return;
    }
    const auto from = reinterpret_cast<std::uintptr_t>(old);
    const auto to = reinterpret_cast<std::uintptr_t>(p);
    const std::size_t old_words = ((entry & size_mask) - 1) / 8;
    const std::size_t words = size / 8;
    const bool is_known = (entry & is_fresh) == 0 || (entry & is_moved) != 0;
    if (!add_block(p, size, p == old ? entry & ~size_mask : is_fresh | (is_known ? is_moved : 0)))
        return count_unseen();
    if (!is_known)
        return;
    for (std::size_t word = words; word < old_words; ++word)
        if (target_of(from + word * 8) != 0) {
            record_reference(p, word, nullptr);
            ++process.header->edge_references;
        }
    const std::size_t kept = words < old_words ? words : old_words;
    const bool is_upward = to > from;
    for (std::size_t word = 0; p != old && word < kept; ++word) {
        const std::size_t at = (is_upward ? kept - 1 - word : word) * 8;
        set_target(to + at, target_of(from + at));
    }
    for (std::size_t word = kept; word < (words > old_words ? words : old_words); ++word)
        if (p == old || word < words)
            set_target(to + word * 8, 0);
}

bool is_epoch_kind(const char* kind) {
    const char* const wanted = edges_mode == Edges::frame   ? "frame"
                               : edges_mode == Edges::phase ? "phase"
                                                            : nullptr;
    return wanted != nullptr && kind != nullptr && std::strcmp(kind, wanted) == 0;
}

void note_last_epoch() {
    if (edges_mode == Edges::every && births != 0)
        record_edges();
}

void record_edges() {
    if (!has_edges() || !is_recording() || thread_lanes.own.is_busy || thread_lanes.has_exited)
        return;
    if (__atomic_exchange_n(&is_scanning, true, __ATOMIC_ACQUIRE))
        return;
    {
        const SignalsBlocked blocked;
        __atomic_store_n(&births, 0, __ATOMIC_RELAXED);
        begin_epoch();
        search_blocks();
        search_roots(__builtin_frame_address(0), bytes_read, read_bytes, read_memory);
        ++process.header->edge_epochs;
    }
    __atomic_store_n(&is_scanning, false, __ATOMIC_RELEASE);
}

void forget_edges() {
    if (!has_edges())
        return;
    forget_block_map();
    forget_roots();
    is_scanning = false;
    births = 0;
    bytes_read = static_cast<unsigned char*>(map_shared(read_bytes));
    if (bytes_read == nullptr || !prepare_block_map())
        edges_mode = Edges::none;
}

} // namespace alloclab::record
