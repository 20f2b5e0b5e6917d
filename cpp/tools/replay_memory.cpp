// SPDX-License-Identifier: MIT
//
// operator new and delete of the replay child. The child's own tables must not come from the malloc
// under test and must not count as anonymous memory, so they lie in a shared mapping of a memfd.
// Blocks are powers of two; a freed one is kept for its size.
#include <alloclab/alloc/spin_lock.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <sys/mman.h>
#include <unistd.h>

namespace {

using namespace alloclab;

constexpr std::size_t reserved_bytes = 256_GiB; // address space; the file grows as it is used
constexpr std::size_t grow_bytes = 16_MiB;

// What stands before each block.
struct Header {
    std::size_t power;  // of two: how large it is, all in all
    std::size_t offset; // of the block in it
};
static_assert(sizeof(Header) == 16, "keeps blocks aligned to 16");

constinit SpinLock lock; // the library under test may have threads that call operator new
char* memory = nullptr;
int descriptor = -1;
std::size_t used_bytes = 0;
std::size_t file_bytes = 0;
void* free_blocks[64] = {};

bool open_memory() {
    descriptor = ::memfd_create("alloclab-replay", MFD_CLOEXEC);
    void* const at = descriptor < 0 ? MAP_FAILED
                                    : ::mmap(nullptr, reserved_bytes, PROT_READ | PROT_WRITE,
                                             MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    memory = at == MAP_FAILED ? nullptr : static_cast<char*>(at);
    return memory != nullptr;
}

void* take_fresh(std::size_t bytes) {
    if (memory == nullptr && !open_memory()) {
        return nullptr;
    }
    if (bytes > reserved_bytes - used_bytes) {
        return nullptr;
    }
    if (used_bytes + bytes > file_bytes) {
        const std::size_t size = align_up(used_bytes + bytes, grow_bytes);
        if (::ftruncate(descriptor, static_cast<off_t>(size)) != 0) {
            return nullptr;
        }
        // Faulted in here, so that no table is faulted in while memory is measured.
        ::madvise(memory + file_bytes, size - file_bytes, MADV_POPULATE_WRITE);
        file_bytes = size;
    }
    void* const block = memory + used_bytes;
    used_bytes += bytes;
    return block;
}

// Requires: `alignment` is a power of two.
void* allocate(std::size_t size, std::size_t alignment = sizeof(Header)) noexcept {
    const LockGuard guard(lock);
    if (size > reserved_bytes / 4 || alignment > reserved_bytes / 4) {
        return nullptr;
    }
    const std::size_t slack = alignment > sizeof(Header) ? alignment : 0;
    const std::size_t bytes = std::bit_ceil(size + slack + sizeof(Header));
    const auto power = static_cast<std::size_t>(std::countr_zero(bytes));
    void* block = free_blocks[power];
    if (block != nullptr) {
        free_blocks[power] = *static_cast<void**>(block);
    } else if ((block = take_fresh(bytes)) == nullptr) {
        return nullptr;
    }
    const auto start = reinterpret_cast<std::uintptr_t>(block);
    const std::uintptr_t at = align_up(start + sizeof(Header), std::max(alignment, sizeof(Header)));
    auto* const header = reinterpret_cast<Header*>(at) - 1;
    *header = {power, at - start};
    return reinterpret_cast<void*>(at);
}

void release(void* pointer) noexcept {
    if (pointer == nullptr) {
        return;
    }
    const LockGuard guard(lock);
    const Header header = *(static_cast<Header*>(pointer) - 1);
    char* const block = static_cast<char*>(pointer) - header.offset;
    const std::size_t power = header.power;
    *reinterpret_cast<void**>(block) = free_blocks[power];
    free_blocks[power] = block;
}

} // namespace

void* operator new(std::size_t size) {
    void* const block = allocate(size);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    void* const block = allocate(size, static_cast<std::size_t>(alignment));
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}
void* operator new[](std::size_t size) {
    return operator new(size);
}
void operator delete(void* block, std::align_val_t) noexcept {
    release(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
    release(block);
}
void operator delete(void* block) noexcept {
    release(block);
}
void operator delete(void* block, std::size_t) noexcept {
    release(block);
}
void operator delete[](void* block) noexcept {
    release(block);
}
void operator delete[](void* block, std::size_t) noexcept {
    release(block);
}
