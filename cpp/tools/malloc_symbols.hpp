// SPDX-License-Identifier: MIT
#pragma once

// Defines the C malloc family over `Face`, which the including file names first. One per library.

#define ALLOCLAB_EXPORT extern "C" __attribute__((visibility("default")))

ALLOCLAB_EXPORT void* malloc(std::size_t size) noexcept {
    return Face::malloc(size);
}
ALLOCLAB_EXPORT void free(void* block) noexcept {
    Face::free(block);
}
ALLOCLAB_EXPORT void cfree(void* block) noexcept {
    Face::free(block);
}
ALLOCLAB_EXPORT void* calloc(std::size_t count, std::size_t size) noexcept {
    return Face::calloc(count, size);
}
ALLOCLAB_EXPORT void* realloc(void* block, std::size_t size) noexcept {
    return Face::realloc(block, size);
}
ALLOCLAB_EXPORT void* reallocarray(void* block, std::size_t count, std::size_t size) noexcept {
    return Face::reallocarray(block, count, size);
}
ALLOCLAB_EXPORT void* memalign(std::size_t alignment, std::size_t size) noexcept {
    return Face::memalign(alignment, size);
}
ALLOCLAB_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return Face::aligned_alloc(alignment, size);
}
ALLOCLAB_EXPORT int posix_memalign(void** out, std::size_t alignment, std::size_t size) noexcept {
    return Face::posix_memalign(out, alignment, size);
}
ALLOCLAB_EXPORT void* valloc(std::size_t size) noexcept {
    return Face::valloc(size);
}
ALLOCLAB_EXPORT void* pvalloc(std::size_t size) noexcept {
    return Face::pvalloc(size);
}
ALLOCLAB_EXPORT std::size_t malloc_usable_size(void* block) noexcept {
    return Face::malloc_usable_size(block);
}
