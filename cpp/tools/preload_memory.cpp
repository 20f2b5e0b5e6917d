// SPDX-License-Identifier: MIT

// The recorder's entry points in front of mmap and its kin: memory the program maps itself.

#include "preload_entry.hpp"

#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/recorder.hpp>
#include <alloclab/record/system_call.hpp>

#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <sys/mman.h>

using namespace alloclab::record;

namespace {

// As the C library does it.
long with_errno(long result) {
    if (!is_error(result))
        return result;
    errno = static_cast<int>(-result);
    return -1;
}

std::size_t whole_pages(std::size_t bytes) {
    return (bytes + 4095) & ~std::size_t{4095};
}

// What an allocator maps to serve malloc is its own affair: replay has another allocator.
bool is_programs_own(const void* caller) {
    real_calls();
    return !is_allocator_code(caller);
}

void* map(void* hint, std::size_t size, int protection, int flags, int fd, off_t offset,
          const void* caller) {
    const bool is_watched = is_programs_own(caller);
    if (is_watched && (flags & MAP_FIXED) != 0)
        record_unmap(hint, whole_pages(size));
    const long result = with_errno(system_call(
        SYS_mmap, address_argument(hint), static_cast<long>(size), protection, flags, fd, offset));
    const bool is_private_anonymous =
        (flags & MAP_ANONYMOUS) != 0 && (flags & MAP_TYPE) == MAP_PRIVATE;
    if (result != -1 && is_watched && is_private_anonymous)
        record_map(reinterpret_cast<void*>(result), whole_pages(size), protection == PROT_NONE,
                   (flags & (MAP_POPULATE | MAP_LOCKED)) != 0);
    return reinterpret_cast<void*>(result);
}

} // namespace

ALLOCLAB_ENTRY void* mmap(void* hint, std::size_t size, int protection, int flags, int fd,
                          off_t offset) {
    return map(hint, size, protection, flags, fd, offset, __builtin_return_address(0));
}

ALLOCLAB_ENTRY void* mmap64(void* hint, std::size_t size, int protection, int flags, int fd,
                            off_t offset) {
    return map(hint, size, protection, flags, fd, offset, __builtin_return_address(0));
}

ALLOCLAB_ENTRY int munmap(void* p, std::size_t size) {
    if (is_programs_own(__builtin_return_address(0)))
        record_unmap(p, whole_pages(size));
    return static_cast<int>(
        with_errno(system_call(SYS_munmap, address_argument(p), static_cast<long>(size))));
}

ALLOCLAB_ENTRY void* mremap(void* old, std::size_t old_size, std::size_t size, int flags, ...) {
    void* hint = nullptr;
    if ((flags & MREMAP_FIXED) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        hint = va_arg(arguments, void*);
        va_end(arguments);
    }
    const bool is_watched = is_programs_own(__builtin_return_address(0)) &&
                            is_tracked_region(old, whole_pages(old_size));
    const long result =
        with_errno(system_call(SYS_mremap, address_argument(old), static_cast<long>(old_size),
                               static_cast<long>(size), flags, address_argument(hint)));
    if (result != -1 && is_watched)
        record_remap(reinterpret_cast<void*>(result), whole_pages(size), old,
                     whole_pages(old_size));
    return reinterpret_cast<void*>(result);
}

ALLOCLAB_ENTRY int madvise(void* p, std::size_t size, int advice) {
    const long result =
        with_errno(system_call(SYS_madvise, address_argument(p), static_cast<long>(size), advice));
    const bool is_discard = advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE;
    if (result == 0 && is_discard && is_programs_own(__builtin_return_address(0)))
        record_discard(p, whole_pages(size));
    return static_cast<int>(result);
}
