// SPDX-License-Identifier: MIT
#include <alloclab/alloc/shared_arena.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/base/units.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace alloclab {

namespace {

// A length that cannot shrink under the reader, who would be killed by touching what is gone, and
// bytes nobody can write any more.
constexpr int needed_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

} // namespace

SharedArena::SharedArena(std::size_t capacity_bytes) noexcept
    : capacity_bytes_(align_up(std::min(capacity_bytes, SIZE_MAX / 4), page_bytes)) {
    if (capacity_bytes < SharedArenaHeader::bytes) {
        problem_ = SharedArenaProblem::too_small;
        return;
    }
    problem_ = SharedArenaProblem::refused_by_system;
    fd_ = ::memfd_create("alloclab-shared-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(capacity_bytes_)) != 0) {
        return;
    }
    void* const mapped =
        ::mmap(nullptr, capacity_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (mapped == MAP_FAILED) {
        return;
    }
    first_ = static_cast<std::byte*>(mapped);
    used_bytes_ = SharedArenaHeader::bytes;
    problem_ = SharedArenaProblem::none;
}

SharedArena::~SharedArena() {
    if (first_ != nullptr) {
        ::munmap(first_, capacity_bytes_);
    }
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

void* SharedArena::allocate(std::size_t size, std::size_t alignment) noexcept {
    const std::size_t taken = std::max<std::size_t>(size, 1);
    // The mapping stands on a page in every process; a larger alignment would hold here only.
    if (problem_ != SharedArenaProblem::none || is_published_ || alignment > page_bytes) {
        return nullptr;
    }
    const std::size_t offset = align_up(used_bytes_, std::max(alignment, default_alignment));
    if (offset > capacity_bytes_ || taken > capacity_bytes_ - offset) {
        return nullptr;
    }
    used_bytes_ = offset + taken;
    return first_ + offset;
}

bool SharedArena::publish_at(std::uint64_t root) noexcept {
    const bool is_root_good = root == 0 || (root >= SharedArenaHeader::bytes && root < used_bytes_);
    if (problem_ != SharedArenaProblem::none || is_published_ || !is_root_good) {
        errno = EINVAL;
        return false;
    }
    const SharedArenaHeader header{SharedArenaHeader::magic_value, SharedArenaHeader::version_value,
                                   SharedArenaHeader::bytes, used_bytes_, root};
    std::memcpy(first_, &header, sizeof header);
    // The kernel seals writing only while no shared mapping stands that could ever write; a
    // read-only one counts before Linux 6.7. So the range is held by nothing meanwhile, and mapped
    // privately afterwards: the same pages, as long as nobody writes.
    void* const held = ::mmap(first_, capacity_bytes_, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (held == MAP_FAILED) {
        return false;
    }
    const std::size_t file_bytes = align_up(used_bytes_, page_bytes);
    is_published_ = ::ftruncate(fd_, static_cast<off_t>(file_bytes)) == 0 &&
                    ::fcntl(fd_, F_ADD_SEALS, needed_seals) == 0;
    if (!is_published_) {
        stay_unpublished();
        return false;
    }
    return ::mmap(first_, file_bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd_, 0) != MAP_FAILED;
}

void SharedArena::stay_unpublished() noexcept {
    const int reason = errno;
    const bool is_restored = ::ftruncate(fd_, static_cast<off_t>(capacity_bytes_)) == 0 &&
                             ::mmap(first_, capacity_bytes_, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_FIXED, fd_, 0) != MAP_FAILED;
    if (!is_restored) {
        problem_ = SharedArenaProblem::refused_by_system;
    }
    errno = reason;
}

SharedArenaView::SharedArenaView(int file_descriptor) noexcept : problem_(open(file_descriptor)) {}

SharedArenaView::~SharedArenaView() {
    if (first_ != nullptr) {
        ::munmap(const_cast<std::byte*>(first_), mapped_bytes_);
    }
}

SharedArenaProblem SharedArenaView::open(int file_descriptor) noexcept {
    struct stat status {};
    if (::fstat(file_descriptor, &status) != 0) {
        return SharedArenaProblem::refused_by_system;
    }
    const int seals = ::fcntl(file_descriptor, F_GET_SEALS);
    if (seals < 0 || (seals & needed_seals) != needed_seals) {
        return SharedArenaProblem::not_sealed;
    }
    const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
    if (file_bytes < SharedArenaHeader::bytes) {
        return SharedArenaProblem::too_small;
    }
    void* const mapped = ::mmap(nullptr, file_bytes, PROT_READ, MAP_PRIVATE, file_descriptor, 0);
    if (mapped == MAP_FAILED) {
        return SharedArenaProblem::refused_by_system;
    }
    first_ = static_cast<const std::byte*>(mapped);
    mapped_bytes_ = file_bytes;
    SharedArenaHeader header{};
    std::memcpy(&header, first_, sizeof header);
    if (header.magic != SharedArenaHeader::magic_value) {
        return SharedArenaProblem::no_arena;
    }
    if (header.version != SharedArenaHeader::version_value) {
        return SharedArenaProblem::other_version;
    }
    const bool is_root_good =
        header.root == 0 || (header.root >= header.header_bytes && header.root < header.used_bytes);
    if (header.header_bytes != SharedArenaHeader::bytes ||
        header.used_bytes < header.header_bytes || header.used_bytes > file_bytes ||
        !is_root_good) {
        return SharedArenaProblem::bad_header;
    }
    used_bytes_ = header.used_bytes;
    root_ = header.root;
    return SharedArenaProblem::none;
}

const void* SharedArenaView::find(std::uint64_t offset, std::size_t size,
                                  std::size_t alignment) const noexcept {
    if (problem_ != SharedArenaProblem::none || offset < SharedArenaHeader::bytes ||
        offset > used_bytes_ || size > used_bytes_ - offset || offset % alignment != 0) {
        return nullptr;
    }
    return first_ + offset;
}

} // namespace alloclab
