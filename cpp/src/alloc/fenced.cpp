// SPDX-License-Identifier: MIT
#include <alloclab/alloc/fenced.hpp>

#include <alloclab/alloc/debug_fill.hpp>
#include <alloclab/alloc/guard.hpp>
#include <alloclab/base/units.hpp>

#include <cerrno>

#include <sys/mman.h>

namespace alloclab {
namespace {

// System calls that fail here only say so in errno, which a free must keep.
class ErrnoKept {
public:
    ErrnoKept() noexcept = default;
    ~ErrnoKept() { errno = saved_; }
    ErrnoKept(const ErrnoKept&) = delete;
    ErrnoKept& operator=(const ErrnoKept&) = delete;

private:
    int saved_ = errno;
};

constexpr int private_pages = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

} // namespace

std::byte* Fenced::pages_begin(const void* block) noexcept {
    return reinterpret_cast<std::byte*>(
        align_down(reinterpret_cast<std::uintptr_t>(block), page_bytes));
}
std::byte* Fenced::pages_end(const void* block, std::size_t size) noexcept {
    return reinterpret_cast<std::byte*>(
        align_up(reinterpret_cast<std::uintptr_t>(block) + size, page_bytes));
}

void Fenced::unmap(const Waiting& waiting) noexcept {
    std::byte* const first = pages_begin(waiting.block) - fence_bytes;
    std::byte* const last = pages_end(waiting.block, waiting.size) + fence_bytes;
    ::munmap(first, static_cast<std::size_t>(last - first));
}

Fenced::~Fenced() {
    const ErrnoKept kept;
    for (const Waiting& waiting : waiting_) {
        if (waiting.block != nullptr) {
            unmap(waiting);
        }
    }
}

void* Fenced::allocate(std::size_t size, std::size_t alignment) noexcept {
    const std::size_t wanted = size == 0 ? 1 : size;
    if (wanted > SIZE_MAX / 4 || alignment > SIZE_MAX / 8) {
        return nullptr;
    }
    // Above a page the block starts the pages, which then start where they must.
    const bool is_page_aligned = alignment > page_bytes;
    const std::size_t used_bytes =
        align_up(align_up(wanted, is_page_aligned ? 1 : alignment), page_bytes);
    const std::size_t spare_bytes = is_page_aligned ? alignment : 0;
    const std::size_t all_bytes = used_bytes + spare_bytes + 2 * fence_bytes;
    void* const memory = ::mmap(nullptr, all_bytes, PROT_NONE, private_pages, -1, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    auto* const mapped = static_cast<std::byte*>(memory);
    std::byte* const pages = reinterpret_cast<std::byte*>(align_up(
        reinterpret_cast<std::uintptr_t>(mapped + fence_bytes), std::max(alignment, page_bytes)));
    // What alignment left over on either side goes back, so that a free can tell the bounds.
    std::byte* const first = pages - fence_bytes;
    std::byte* const last = pages + used_bytes + fence_bytes;
    if (first != mapped) {
        ::munmap(mapped, static_cast<std::size_t>(first - mapped));
    }
    if (last != mapped + all_bytes) {
        ::munmap(last, static_cast<std::size_t>(mapped + all_bytes - last));
    }
    if (::mprotect(pages, used_bytes, PROT_READ | PROT_WRITE) != 0) {
        ::munmap(first, static_cast<std::size_t>(last - first));
        return nullptr;
    }
    std::byte* const end = pages + used_bytes;
    std::byte* const block =
        is_page_aligned ? pages : end - align_up(wanted, std::max(alignment, default_alignment));
    std::memset(block + wanted, guard_fill, static_cast<std::size_t>(end - (block + wanted)));
    live_bytes_ += used_bytes;
    return block;
}

void Fenced::deallocate(void* block, std::size_t size, std::size_t) noexcept {
    if (block == nullptr) {
        return;
    }
    const ErrnoKept kept;
    const std::size_t wanted = size == 0 ? 1 : size;
    check(block, wanted);
    std::byte* const first = pages_begin(block);
    const auto bytes = static_cast<std::size_t>(pages_end(block, wanted) - first);
    live_bytes_ -= bytes;
    // Mapped anew, not protected: the memory behind it is free at once. Where the kernel has no
    // more mappings to give, it stays as it is, protected if that goes.
    if (::mmap(first, bytes, PROT_NONE, private_pages | MAP_FIXED, -1, 0) == MAP_FAILED) {
        ::mprotect(first, bytes, PROT_NONE);
    }
    Waiting& oldest = waiting_[freed_count_++ % waiting_blocks];
    if (oldest.block != nullptr) {
        unmap(oldest);
    }
    oldest = {static_cast<std::byte*>(block), wanted};
}

bool Fenced::check(const void* block, std::size_t size) const noexcept {
    const std::byte* const end = static_cast<const std::byte*>(block) + size;
    const DamagedBytes damage =
        find_damage(end, static_cast<std::size_t>(pages_end(block, size) - end), guard_fill);
    if (damage.count == 0) {
        return true;
    }
    Defect defect;
    defect.kind = DefectKind::overflow;
    defect.block = block;
    defect.size_bytes = size;
    defect.offset = static_cast<std::ptrdiff_t>(size + damage.first);
    defect.damaged_bytes = damage.count;
    handler_(defect);
    return false;
}

bool Fenced::find_waiting(const void* address, const void*& block,
                          std::size_t& size) const noexcept {
    for (const Waiting& waiting : waiting_) {
        if (waiting.block != nullptr && address >= pages_begin(waiting.block) - fence_bytes &&
            address < pages_end(waiting.block, waiting.size) + fence_bytes) {
            block = waiting.block;
            size = waiting.size;
            return true;
        }
    }
    return false;
}

} // namespace alloclab
