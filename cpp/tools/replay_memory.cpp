// SPDX-License-Identifier: MIT
//
// operator new and delete of the replay child. The child's own tables must not come from the malloc
// under test and must not count as anonymous memory, so they lie in a shared mapping of a memfd.
// Blocks are powers of two; a freed one is kept for its size.
#include <alloclab/alloc/spin_lock.hpp>
#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

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
constexpr std::size_t header_bytes = 16;

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

void* allocate(std::size_t size) noexcept {
    const LockGuard guard(lock);
    if (size > reserved_bytes / 2) {
        return nullptr;
    }
    const std::size_t bytes = std::bit_ceil(size + header_bytes);
    const auto power = static_cast<std::size_t>(std::countr_zero(bytes));
    void* block = free_blocks[power];
    if (block != nullptr) {
        free_blocks[power] = *static_cast<void**>(block);
    } else if ((block = take_fresh(bytes)) == nullptr) {
        return nullptr;
    }
    *static_cast<std::size_t*>(block) = power;
    return static_cast<char*>(block) + header_bytes;
}

void release(void* pointer) noexcept {
    if (pointer == nullptr) {
        return;
    }
    const LockGuard guard(lock);
    char* const block = static_cast<char*>(pointer) - header_bytes;
    const std::size_t power = *reinterpret_cast<std::size_t*>(block);
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
void* operator new[](std::size_t size) {
    return operator new(size);
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
