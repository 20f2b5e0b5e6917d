// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/replay/program.hpp>

#include <cstdint>
#include <unordered_map>

#include <sys/mman.h>

namespace alloclab {

// The memory a program mapped itself, mapped again beside the allocator under test.
class MappedRegions {
public:
    // Replays one map, unmap, split, remap or discard; a region that could not be mapped, and all
    // that follows from it, is passed over.
    template <class Touching> void run(std::uint32_t slot, const WideOp& wide) {
        switch (wide.code) {
        case WideCode::map: {
            void* const at = ::mmap(nullptr, wide.size, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (at != MAP_FAILED) {
                start_[slot] = static_cast<char*>(at);
                Touching::part(at, wide.size, wide.touch_pages, wide.is_prefix);
            }
            break;
        }
        case WideCode::unmap:
            if (const auto found = start_.find(slot); found != start_.end()) {
                ::munmap(found->second, wide.old_size);
                start_.erase(found);
            }
            break;
        case WideCode::split:
            if (const auto found = start_.find(slot); found != start_.end()) {
                char* const upper = found->second + wide.offset;
                start_[wide.other_slot] = upper;
                Touching::part(upper, wide.size, wide.touch_pages, wide.is_prefix);
            }
            break;
        case WideCode::remap:
            if (const auto found = start_.find(slot); found != start_.end()) {
                void* const at = ::mremap(found->second, wide.old_size, wide.size, MREMAP_MAYMOVE);
                if (at != MAP_FAILED) {
                    found->second = static_cast<char*>(at);
                    Touching::part(at, wide.size, wide.touch_pages, wide.is_prefix);
                }
            }
            break;
        case WideCode::discard:
            if (const auto found = start_.find(slot); found != start_.end()) {
                ::madvise(found->second + wide.offset, wide.size, MADV_DONTNEED);
            }
            break;
        default:
            break;
        }
    }

private:
    std::unordered_map<std::uint32_t, char*> start_; // by slot
};

} // namespace alloclab
