// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/allocation_site.hpp>
#include <alloclab/alloc/debug_text.hpp>

#include <cstddef>

namespace alloclab {

enum class DefectKind : unsigned char {
    double_free,
    foreign_free,        // of memory that was never allocated here
    interior_free,       // of an address within a live block
    wrong_allocator,     // of a block that another tracing allocator gave
    size_mismatch,       // the size told is not the block's
    free_after_transfer, // the block has another owner
    overflow,            // bytes after the block were written
    underflow,           // bytes before it
    use_after_free,      // a freed block was written
    use_after_reset,     // a block that a reset ended was written or freed
    mismatched_call,     // new and free, new[] and delete ...
    wrong_thread,
};

// What is known of one mistake of the program. Parts that are not known are zero.
struct Defect {
    DefectKind kind = DefectKind::foreign_free;
    const void* block = nullptr;
    std::size_t size_bytes = 0;  // what the block was allocated with
    std::size_t given_bytes = 0; // what the free was told
    std::ptrdiff_t offset = 0; // from the block to the first damaged byte, or to the address freed
    std::size_t damaged_bytes = 0; // from the first to the last one
    AllocationSite allocated = {};
    AllocationSite freed = {};   // also: transferred, reset
    AllocationSite found = {};   // the offending call
    const char* other = nullptr; // the allocator it belongs to, or the call it came from
};

// What to do about one. Without one, the defect is written to stderr and the process aborts.
struct DefectHandler {
    void (*handle)(void* context, const Defect& defect) noexcept = nullptr;
    void* context = nullptr;

    void operator()(const Defect& defect) const noexcept;
};

// The kind in a few words, "double free" for instance.
std::string_view defect_name(DefectKind kind) noexcept;

// One line: the kind, the block, its sizes, every site that is known.
void write_defect(const TextSink& sink, const Defect& defect) noexcept;
// "player.swift:42 [game-state]"; the folders are left out.
void write_site(TextWriter& writer, const AllocationSite& site) noexcept;

} // namespace alloclab
