// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/program.hpp>

#include <cstdint>
#include <vector>

#include <sys/mman.h>

namespace alloclab {

// The memory a program mapped itself, mapped again beside the allocator under test.
// Threads may use it at once, each for slots of its own.
class MappedRegions {
public:
    void reserve(std::uint32_t slots) { start_.resize(slots); }

    // Replays one map, unmap, split, remap or discard; a region that could not be mapped, and all
    // that follows from it, is passed over.
    template <class Touching> void run(std::uint32_t slot, const WideOp& wide) {
        switch (wide.code) {
        case WideCode::map: {
            start_[slot] = nullptr;
            void* const at = ::mmap(nullptr, wide.size, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (at != MAP_FAILED) {
                start_[slot] = static_cast<char*>(at);
                Touching::part(at, wide.size, wide.touch_pages, wide.is_prefix);
            }
            break;
        }
        case WideCode::unmap:
            if (char*& start = start_[slot]; start != nullptr) {
                ::munmap(start, wide.old_size);
                start = nullptr;
            }
            break;
        case WideCode::split:
            if (char*& start = start_[slot]; start != nullptr) {
                char* const upper = start + wide.offset;
                start_[wide.other_slot] = upper;
                Touching::part(upper, wide.size, wide.touch_pages, wide.is_prefix);
            }
            break;
        case WideCode::remap:
            if (char*& start = start_[slot]; start != nullptr) {
                void* const at = ::mremap(start, wide.old_size, wide.size, MREMAP_MAYMOVE);
                if (at != MAP_FAILED) {
                    start = static_cast<char*>(at);
                    Touching::part(at, wide.size, wide.touch_pages, wide.is_prefix);
                }
            }
            break;
        case WideCode::discard:
            if (char*& start = start_[slot]; start != nullptr) {
                ::madvise(start + wide.offset, wide.size, MADV_DONTNEED);
            }
            break;
        default:
            break;
        }
    }

private:
    std::vector<char*> start_; // by slot; null where there is none
};

} // namespace alloclab
