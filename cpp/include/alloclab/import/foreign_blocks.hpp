// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/seal/address_map.hpp>
#include <alloclab/seal/raw_event.hpp>
#include <alloclab/trace/builder.hpp>

#include <cstdint>
#include <string>
#include <unordered_map>

namespace alloclab {

// Who made a call and when, as far as the source says; zeros where it does not.
struct ForeignCaller {
    std::uint32_t thread = 0;
    std::uint64_t time_ns = 0;
    std::uint32_t site = 0;
    std::uint32_t tag = 0;
};

// Writes calls that name blocks by address as events that name objects. It repairs what such
// sources get wrong: an address handed out while its block lives has its free written ahead; a
// free of an address that holds nothing is left out. Both are counted.
// Cost: O(1) expected, whatever the addresses; memory follows the live blocks.
class ForeignBlocks {
public:
    struct Counts {
        std::uint64_t unknown_frees = 0;         // of addresses that hold nothing: left out
        std::uint64_t unknown_reallocations = 0; // the same; their new block is an allocation
        std::uint64_t missed_frees = 0;          // whose block's address was handed out again
        std::uint64_t inversions = 0;            // of these, the frees that came a little later
        std::uint64_t rounded_alignments = 0;    // up, to a power of two
        std::uint64_t cut_sizes = 0;             // of failed calls: more than a trace can say
        std::uint64_t cut_alignments = 0;        // the same
    };

    explicit ForeignBlocks(TraceBuilder& builder);

    // `alignment` in bytes, 0 where none was asked for; it is written for the calls that have one.
    // A null address: the call failed.
    // Throws: TraceError, here and below, when TraceBuilder refuses the event.
    void allocate(std::uint64_t address, std::uint64_t size, std::uint64_t alignment,
                  AllocationCall call, const ForeignCaller& caller);
    void allocate_failed(std::uint64_t size, std::uint64_t alignment, AllocationCall call,
                         const ForeignCaller& caller);
    // calloc. Throws: TraceError when the product is no size and the address not null.
    void allocate_array(std::uint64_t address, std::uint64_t count, std::uint64_t size,
                        const ForeignCaller& caller);
    // A null address: free(NULL).
    void free(std::uint64_t address, const ForeignCaller& caller);
    // With all the meanings of C's: from null it allocates, to null with a size it failed, to null
    // with none it freed.
    void reallocate(std::uint64_t old_address, std::uint64_t new_address, std::uint64_t size,
                    const ForeignCaller& caller);

    // Counts frees that a format itself found to be of nothing.
    void count_unknown_frees(std::uint64_t count) { counts_.unknown_frees += count; }

    // A realloc whose begin and end the source tells apart, since other threads may be handed the
    // old address in between.
    struct Reallocation {
        std::uint64_t old_key = 0; // 0: from null
        bool is_known = false;
        LiveBlock block;
    };
    Reallocation begin_reallocation(std::uint64_t old_address);
    void end_reallocation(Reallocation begun, std::uint64_t new_address, std::uint64_t size,
                          const ForeignCaller& caller);

    // The object at an address, or null; valid until the next change.
    const LiveBlock* find(std::uint64_t address);

    const Counts& counts() const { return counts_; }

private:
    // The free of a block that was written ahead, at event `event`, since its address was handed
    // out to `thread`: it may follow.
    struct Debt {
        std::uint64_t event = 0;
        std::uint32_t thread = 0;
    };

    std::uint64_t told_size(std::uint64_t size);
    std::uint64_t told_alignment(std::uint64_t alignment);
    std::uint64_t key_of(std::uint64_t address) const;
    std::uint64_t write(EventKind kind, const ForeignCaller& caller, std::uint64_t object,
                        std::uint64_t size = 0);
    void settle(std::uint64_t key, const ForeignCaller& caller);
    bool repays(std::uint64_t key, const ForeignCaller& caller);

    TraceBuilder& builder_;
    AddressMap blocks_; // by key_of(address)
    std::unordered_map<std::uint64_t, Debt> debts_;
    std::uint64_t secret_[2];
    Counts counts_;
};

} // namespace alloclab
