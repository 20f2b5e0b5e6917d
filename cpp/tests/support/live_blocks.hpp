// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>

namespace alloclab {

// The reference model of an allocator: the live blocks in an ordered map, each filled with a byte
// of its own that must still be there when it ends. Every call returns what is wrong, or nothing.
class LiveBlocks {
public:
    struct Block {
        std::size_t size;
        std::size_t alignment;
        unsigned char fill;
    };
    using Map = std::map<std::uintptr_t, Block>;

    std::string add(void* memory, std::size_t size, std::size_t alignment) {
        const auto first = reinterpret_cast<std::uintptr_t>(memory);
        if (first % alignment != 0) {
            return "not a multiple of " + std::to_string(alignment);
        }
        // A block of zero bytes takes one in the model: its address must be its own.
        const std::size_t taken = size == 0 ? 1 : size;
        const auto after = blocks_.lower_bound(first);
        if (after != blocks_.end() && after->first < first + taken) {
            return "overlaps the block after it";
        }
        if (after != blocks_.begin()) {
            const auto before = std::prev(after);
            if (before->first + std::max<std::size_t>(before->second.size, 1) > first) {
                return "overlaps the block before it";
            }
        }
        const auto fill = static_cast<unsigned char>(++fill_ | 1);
        std::memset(memory, fill, size);
        blocks_.emplace(first, Block{size, alignment, fill});
        live_bytes_ += size;
        return {};
    }

    std::string remove(void* memory) {
        const auto found = blocks_.find(reinterpret_cast<std::uintptr_t>(memory));
        if (found == blocks_.end()) {
            return "no such block";
        }
        const std::string problem = check(memory, found->second.size, found->second.fill);
        live_bytes_ -= found->second.size;
        blocks_.erase(found);
        return problem;
    }

    // Takes a block out without looking at its bytes. Requires: it is there.
    void forget(void* memory) {
        const auto found = blocks_.find(reinterpret_cast<std::uintptr_t>(memory));
        live_bytes_ -= found->second.size;
        blocks_.erase(found);
    }

    // Whether the first `size` bytes of `memory` hold a block's fill.
    static std::string check(const void* memory, std::size_t size, unsigned char fill) {
        const auto* bytes = static_cast<const unsigned char*>(memory);
        for (std::size_t byte_idx = 0; byte_idx < size; ++byte_idx) {
            if (bytes[byte_idx] != fill) {
                return "byte " + std::to_string(byte_idx) + " was overwritten";
            }
        }
        return {};
    }

    const Map& blocks() const { return blocks_; }
    std::size_t live_bytes() const { return live_bytes_; }
    void clear() {
        blocks_.clear();
        live_bytes_ = 0;
    }

private:
    Map blocks_;
    std::size_t live_bytes_ = 0;
    unsigned fill_ = 0;
};

} // namespace alloclab
