// SPDX-License-Identifier: MIT
// A bump allocator as a plugin in C++, with an option and statistics. The same in C, Rust and Zig
// stands beside it. Replay it: `alloclab replay TRACE bump.cpp:region_bytes=1GiB`.
#include <alloclab/alloc/option_text.hpp>
#include <alloclab/plugin.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <sys/mman.h>

class Bump {
public:
    struct Options {
        std::size_t region_bytes = std::size_t{1} << 36;

        bool set(std::string_view name, std::string_view value) noexcept {
            return name == "region_bytes" && alloclab::parse_bytes(value, region_bytes);
        }
    };

    explicit Bump(Options options) : region_bytes_(options.region_bytes) {
        void* const region = ::mmap(nullptr, region_bytes_, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (region == MAP_FAILED) {
            throw std::runtime_error("the region cannot be mapped");
        }
        region_ = static_cast<char*>(region);
    }
    ~Bump() { ::munmap(region_, region_bytes_); }
    Bump(const Bump&) = delete;
    Bump& operator=(const Bump&) = delete;

    void* allocate(std::size_t size, std::size_t alignment) noexcept {
        const std::size_t first = (used_ + alignment - 1) & ~(alignment - 1);
        if (first >= region_bytes_ || size >= region_bytes_ - first) {
            return nullptr;
        }
        used_ = first + (size == 0 ? 1 : size); // a block of no bytes is a block of its own
        return region_ + first;
    }
    void deallocate(void*, std::size_t, std::size_t) noexcept {}

    // Everything from here on may be left out.
    bool resize(void* block, std::size_t old_size, std::size_t new_size, std::size_t) noexcept {
        char* const at = static_cast<char*>(block);
        const std::size_t rest = region_bytes_ - static_cast<std::size_t>(at - region_);
        if (new_size > old_size && (at + old_size != region_ + used_ || new_size >= rest)) {
            return false; // only the newest block can grow
        }
        if (at + old_size == region_ + used_ && new_size != 0) {
            written_ = std::max(written_, used_);
            used_ = static_cast<std::size_t>(at - region_) + new_size;
        }
        return true;
    }
    // What was never handed out still reads as zero, and is not touched to make it so.
    void* allocate_zeroed(std::size_t size, std::size_t alignment) noexcept {
        void* const block = allocate(size, alignment);
        const std::size_t first = block == nullptr ? 0 : used_ - std::max(size, std::size_t{1});
        if (block != nullptr && first < written_) {
            std::memset(block, 0, std::min(size, written_ - first));
        }
        return block;
    }
    void reset() noexcept {
        written_ = std::max(written_, used_);
        used_ = 0;
    }
    bool owns(const void* block) const noexcept {
        return block >= region_ && block < region_ + used_;
    }
    struct Stats {
        std::size_t reserved_bytes;
        std::size_t committed_bytes;
    };
    Stats stats() const noexcept { return {region_bytes_, used_}; }

private:
    char* region_;
    std::size_t region_bytes_;
    std::size_t used_ = 0;
    std::size_t written_ = 0; // what stands below may hold what an ended block left
};

ALLOCLAB_PLUGIN(Bump);
