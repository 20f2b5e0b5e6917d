// SPDX-License-Identifier: MIT
#include <alloclab/peers/mimalloc_heap.hpp>

#include <alloclab/base/error.hpp>

#include <array>
#include <atomic>

namespace alloclab {
namespace {

constexpr std::array library_names{"libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so.3",
                                   "libmimalloc.so"};

// How mimalloc describes a page to a visitor, the fields all its versions begin with.
struct Area {
    void* blocks;
    std::size_t reserved_bytes;
    std::size_t committed_bytes;
};

MimallocFunctions load(const LibraryPath& path) {
    const SharedLibrary library("mimalloc_heap", path, library_names);
    MimallocFunctions functions;
    library.find("mi_heap_new", functions.heap_new);
    library.find("mi_heap_destroy", functions.heap_destroy);
    library.find("mi_heap_malloc", functions.heap_malloc);
    library.find("mi_heap_malloc_aligned", functions.heap_malloc_aligned);
    library.find("mi_heap_zalloc", functions.heap_zalloc);
    library.find("mi_heap_zalloc_aligned", functions.heap_zalloc_aligned);
    library.find("mi_heap_check_owned", functions.heap_check_owned);
    library.find("mi_heap_visit_blocks", functions.heap_visit_blocks);
    library.find("mi_free", functions.free);
    library.find("mi_usable_size", functions.usable_size);
    return functions;
}

} // namespace

bool MimallocHeapOptions::set(std::string_view name, std::string_view value) noexcept {
    return name == "library" && library.set(value);
}

MimallocHeap::MimallocHeap(const Options& options)
    : mimalloc_(load(options.library)), heap_(mimalloc_.heap_new()), owner_(this_thread_serial()) {
    if (heap_ == nullptr) {
        throw Error("mimalloc_heap: mi_heap_new gave no heap");
    }
}

MimallocHeap::~MimallocHeap() {
    if (heap_ != nullptr && is_own_thread()) {
        mimalloc_.heap_destroy(heap_);
    }
}

void* MimallocHeap::refuse() noexcept {
    std::atomic_ref(refused_calls_).fetch_add(1, std::memory_order_relaxed);
    return nullptr;
}

void MimallocHeap::reset() noexcept {
    if (!is_own_thread()) {
        refuse();
        return;
    }
    mimalloc_.heap_destroy(heap_);
    heap_ = mimalloc_.heap_new();
    if (heap_ == nullptr) {
        owner_ = 0; // nobody's: every call is refused from here on
    }
}

bool MimallocHeap::owns(const void* block) const noexcept {
    return is_own_thread() && mimalloc_.heap_check_owned(heap_, block);
}

MimallocHeapStats MimallocHeap::stats() const noexcept {
    Stats stats;
    stats.refused_calls = refused_calls_;
    if (!is_own_thread()) {
        return stats;
    }
    const auto add = [](const void*, const void* page, void*, std::size_t, void* context) {
        const auto& area = *static_cast<const Area*>(page);
        auto& sums = *static_cast<Stats*>(context);
        sums.reserved_bytes += area.reserved_bytes;
        sums.committed_bytes += area.committed_bytes;
        return true;
    };
    mimalloc_.heap_visit_blocks(heap_, false, add, &stats);
    return stats;
}

} // namespace alloclab
