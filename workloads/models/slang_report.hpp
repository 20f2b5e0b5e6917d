// SPDX-License-Identifier: MIT
#pragma once

// The figures of the document's own example reports, as allocations: what a report over a recording
// of them has to say is known beforehand.

#include "slang_memory.hpp"

namespace slang {

// What one line of a report says of a part or a purpose, in bytes and blocks.
struct ReportRow {
    const char* tag;
    std::uint64_t blocks_at_end;
    std::uint64_t bytes_at_end;
    std::uint64_t blocks_more_at_peak;
    std::uint64_t bytes_more_at_peak;
    std::uint64_t blocks_one_by_one;
    std::uint64_t bytes_one_by_one;
};

// VM Core: 524,288 bytes in 1,543 allocations, at most 204,800, in the end 102,400. By tag: what is
// there in the end, and the most at any time.
inline constexpr ReportRow report_rows[] = {
    {"vm", 400, 102400, 400, 102400, 743, 319488},
    {"game-state", 15, 4096, 16, 4096, 0, 0},
    {"player-data", 3, 1024, 0, 0, 0, 0},
    {"ai-pathfinding", 8, 2048, 8, 2048, 0, 0},
};

class Report {
public:
    explicit Report(Memory& memory) : memory_(memory) { held_.reserve(512); }

    // Allocates and frees what the row says; what is there in the end stays.
    void act(const ReportRow& row) {
        allocate(row.tag, row.blocks_at_end, row.bytes_at_end);
        held_.clear();
        allocate(row.tag, row.blocks_more_at_peak, row.bytes_more_at_peak);
        free_held();
        for (std::uint64_t each = 0; each < row.blocks_one_by_one; ++each) {
            allocate(row.tag, 1, share(row.bytes_one_by_one, row.blocks_one_by_one, each));
            free_held();
        }
    }

    // AST: 65,536 bytes, at most 32,768, in the end none: two compilations, each with its reset.
    void compile_twice() {
        for (int each = 0; each < 2; ++each) {
            const Lifetime compilation(memory_, "stage", "compilation", {Part::ast});
            for (int node = 0; node < 128; ++node) {
                memory_.allocate(Part::ast, 256);
            }
        }
    }

private:
    static std::uint64_t share(std::uint64_t bytes, std::uint64_t count, std::uint64_t which) {
        return bytes / count + (which < bytes % count);
    }
    void allocate(const char* tag, std::uint64_t count, std::uint64_t bytes) {
        for (std::uint64_t each = 0; each < count; ++each) {
            held_.push_back(memory_.allocate_tagged(Part::vm, tag, share(bytes, count, each)));
        }
    }
    void free_held() {
        for (void* const block : held_) {
            memory_.free(block);
        }
        held_.clear();
    }

    Memory& memory_;
    std::vector<void*> held_;
};

} // namespace slang
