// SPDX-License-Identifier: MIT
#include <alloclab/vm/os_page_source.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <cerrno>
#include <cstdint>

#include <sys/mman.h>
#include <time.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14; older kernels answer EINVAL, which costs nothing
#endif

namespace alloclab {
namespace {

// free() and realloc() of a program must not change errno, so advice keeps it.
class ErrnoKeeper {
public:
    ErrnoKeeper() : saved_(errno) {}
    ~ErrnoKeeper() { errno = saved_; }
    ErrnoKeeper(const ErrnoKeeper&) = delete;
    ErrnoKeeper& operator=(const ErrnoKeeper&) = delete;

private:
    int saved_;
};

void* map_with_flags(std::size_t bytes, std::size_t alignment, int flags) {
    const std::size_t slack_bytes = alignment > page_bytes ? alignment - page_bytes : 0;
    if (bytes + slack_bytes < bytes) {
        errno = ENOMEM;
        return nullptr;
    }
    void* const mapped = ::mmap(nullptr, bytes + slack_bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (mapped == MAP_FAILED) {
        return nullptr;
    }
    if (slack_bytes == 0) {
        return mapped;
    }
    auto* const first = static_cast<std::byte*>(mapped);
    const auto address = reinterpret_cast<std::uintptr_t>(mapped);
    const std::size_t before_bytes = align_up(address, alignment) - address;
    if (before_bytes != 0) {
        ::munmap(first, before_bytes);
    }
    if (before_bytes != slack_bytes) {
        ::munmap(first + before_bytes + bytes, slack_bytes - before_bytes);
    }
    return first + before_bytes;
}

} // namespace

void* OsPageSource::map(std::size_t bytes, std::size_t alignment) noexcept {
    return map_with_flags(bytes, alignment, 0);
}

void* OsPageSource::reserve(std::size_t bytes, std::size_t alignment) noexcept {
    return map_with_flags(bytes, alignment, MAP_NORESERVE);
}

void OsPageSource::unmap(void* memory, std::size_t bytes) noexcept {
    const ErrnoKeeper keeper;
    ::munmap(memory, bytes);
}

void OsPageSource::purge(void* memory, std::size_t bytes) noexcept {
    const ErrnoKeeper keeper;
    ::madvise(memory, bytes, MADV_DONTNEED);
}

void OsPageSource::populate(void* memory, std::size_t bytes) noexcept {
    const ErrnoKeeper keeper;
    ::madvise(memory, bytes, MADV_POPULATE_WRITE);
}

void OsPageSource::use_huge_pages(void* memory, std::size_t bytes) noexcept {
    const ErrnoKeeper keeper;
    ::madvise(memory, bytes, MADV_HUGEPAGE);
}

bool OsPageSource::move(void* from, void* to, std::size_t bytes) noexcept {
    const ErrnoKeeper keeper;
    return ::mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == to;
}

bool OsPageSource::extend(void* memory, std::size_t bytes, std::size_t new_bytes) noexcept {
    const ErrnoKeeper keeper;
    return ::mremap(memory, bytes, new_bytes, 0) == memory;
}

void OsPageSource::protect(void* memory, std::size_t bytes) noexcept {
    const ErrnoKeeper keeper;
    ::mprotect(memory, bytes, PROT_NONE);
}

void OsPageSource::unprotect(void* memory, std::size_t bytes) noexcept {
    const ErrnoKeeper keeper;
    ::mprotect(memory, bytes, PROT_READ | PROT_WRITE);
}

std::uint64_t OsPageSource::now_ns() noexcept {
    timespec now{}; // the coarse clock is a plain read of memory
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace alloclab
