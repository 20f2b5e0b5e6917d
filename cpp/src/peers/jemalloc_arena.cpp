// SPDX-License-Identifier: MIT
#include <alloclab/peers/jemalloc_arena.hpp>

#include <alloclab/alloc/option_text.hpp>
#include <alloclab/base/error.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace alloclab {
namespace {

constexpr std::array library_names{"libjemalloc.so.2", "libjemalloc.so"};

JemallocFunctions load(const LibraryPath& path) {
    const SharedLibrary library("jemalloc_arena", path, library_names);
    JemallocFunctions functions;
    library.find("mallocx", functions.mallocx);
    library.find("dallocx", functions.dallocx);
    library.find("sdallocx", functions.sdallocx);
    library.find("xallocx", functions.xallocx);
    library.find("sallocx", functions.sallocx);
    library.find("nallocx", functions.nallocx);
    library.find("mallctl", functions.mallctl);
    return functions;
}

unsigned create(const JemallocFunctions& jemalloc, const char* name) {
    unsigned index = 0;
    std::size_t bytes = sizeof index;
    const int error_number = jemalloc.mallctl(name, &index, &bytes, nullptr, 0);
    if (error_number != 0) {
        throw SystemError(name, "jemalloc_arena", error_number);
    }
    return index;
}

} // namespace

bool JemallocArenaOptions::set(std::string_view name, std::string_view value) noexcept {
    if (name == "library") {
        return library.set(value);
    }
    return name == "cache" && parse_flag(value, has_cache);
}

JemallocArena::JemallocArena(const Options& options)
    : jemalloc_(load(options.library)), arena_idx_(create(jemalloc_, "arenas.create")),
      has_cache_(options.has_cache) {
    int cache_flag = no_cache_flag;
    if (has_cache_) {
        try {
            cache_idx_ = create(jemalloc_, "tcache.create");
        } catch (...) {
            control_arena("destroy"); // there is no destructor yet to do it
            throw;
        }
        cache_flag = static_cast<int>((cache_idx_ + 2) << 8);
    }
    flags_ = cache_flag | static_cast<int>((arena_idx_ + 1) << 20);
}

JemallocArena::~JemallocArena() {
    if (has_cache_) {
        jemalloc_.mallctl("tcache.destroy", nullptr, nullptr, &cache_idx_, sizeof cache_idx_);
    }
    control_arena("destroy");
}

void JemallocArena::control_arena(const char* verb) const noexcept {
    char name[64];
    std::snprintf(name, sizeof name, "arena.%u.%s", arena_idx_, verb);
    jemalloc_.mallctl(name, nullptr, nullptr, nullptr, 0);
}

bool JemallocArena::resize(void* block, std::size_t, std::size_t new_size,
                           std::size_t alignment) noexcept {
    // A sized free must name the block's own class, so a block of another one is not resized.
    const int flags = flags_ | alignment_flag(alignment);
    const std::size_t wanted = jemalloc_.nallocx(class_size(new_size), flags);
    return wanted != 0 && jemalloc_.xallocx(block, class_size(new_size), 0, flags) == wanted;
}

void JemallocArena::reset() noexcept {
    if (has_cache_) { // what it holds would outlive its arena's blocks
        unsigned cache_idx = cache_idx_;
        jemalloc_.mallctl("tcache.flush", nullptr, nullptr, &cache_idx, sizeof cache_idx);
    }
    control_arena("reset");
}

std::size_t JemallocArena::read_stat(const char* stat) const noexcept {
    char name[64];
    std::snprintf(name, sizeof name, "stats.arenas.%u.%s", arena_idx_, stat);
    std::size_t value = 0;
    std::size_t bytes = sizeof value;
    return jemalloc_.mallctl(name, &value, &bytes, nullptr, 0) == 0 ? value : 0;
}

JemallocArenaStats JemallocArena::stats() const noexcept {
    std::uint64_t epoch = 1;
    jemalloc_.mallctl("epoch", nullptr, nullptr, &epoch, sizeof epoch);
    Stats stats;
    stats.reserved_bytes = read_stat("mapped") + read_stat("retained");
    stats.committed_bytes = read_stat("resident");
    stats.block_live_bytes = read_stat("small.allocated") + read_stat("large.allocated");
    return stats;
}

} // namespace alloclab
