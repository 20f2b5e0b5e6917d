// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/concept.hpp>

#include <cstdint>
#include <span>
#include <type_traits>

namespace alloclab {

// Why a shared arena could not be made or opened.
enum class SharedArenaProblem : std::uint8_t {
    none,
    refused_by_system, // see errno
    too_small,         // no room for a header
    no_arena,          // another magic number
    other_version,
    bad_header, // sizes that contradict each other or the file
    not_sealed, // the file could still change under the reader
};

// The first bytes of the file, all little-endian.
//   header_bytes <= used_bytes <= file size; root is 0 or within [header_bytes, used_bytes)
struct SharedArenaHeader {
    static constexpr std::uint32_t magic_value = 0x41536c41; // "AlSA"
    static constexpr std::uint32_t version_value = 1;
    static constexpr std::size_t bytes = 64; // blocks begin behind it, aligned to a cache line

    std::uint32_t magic;
    std::uint32_t version;
    std::uint64_t header_bytes;
    std::uint64_t used_bytes;
    std::uint64_t root; // offset of the object to start from, or 0
};

// A pointer that means the same wherever the arena is mapped: an offset from its first byte. 0 is
// null.
template <class T> struct SharedPointer { std::uint64_t offset = 0; };

// A bump allocator in a file without a name, written by one process and then published for others
// to map and read (row R76): nothing is serialised, and unmapping is all the freeing there is. What
// is stored there must not hold plain pointers. One thread at a time.
class SharedArena {
public:
    // Requires: nothing; ask `problem()`. Address space for `capacity_bytes` is taken at once,
    // memory as it is written.
    explicit SharedArena(std::size_t capacity_bytes) noexcept;
    ~SharedArena();
    SharedArena(const SharedArena&) = delete;
    SharedArena& operator=(const SharedArena&) = delete;

    SharedArenaProblem problem() const noexcept { return problem_; }

    // Returns null when the capacity is used up, or it was published.
    void* allocate(std::size_t size, std::size_t alignment) noexcept;
    void deallocate(void*, std::size_t, std::size_t) noexcept {} // everything dies with the file

    // Requires: `object` is null or was allocated here.
    template <class T> SharedPointer<T> share(const T* object) const noexcept {
        return {object == nullptr ? 0
                                  : static_cast<std::uint64_t>(
                                        reinterpret_cast<const std::byte*>(object) - first_)};
    }

    // Cuts the file to what is used and seals it: from then on neither this process nor any other
    // can change a byte or its length. Pointers into the arena stay good for reading. Returns
    // whether it did; otherwise errno says why and the arena is as it was: EBUSY where another
    // process may write to it, as a child of fork may.
    template <class T> bool publish(const T* root) noexcept {
        return publish_at(share(root).offset);
    }

    // The same for an offset, as the readers will see it; 0 is no root. One that is not in the
    // arena is EINVAL.
    bool publish_at(std::uint64_t root) noexcept;

    // The file, to be inherited or sent to another process; -1 when there is none.
    int file_descriptor() const noexcept { return fd_; }
    std::size_t used_bytes() const noexcept { return used_bytes_; }
    std::size_t capacity_bytes() const noexcept { return capacity_bytes_; }

    bool is_published() const noexcept { return is_published_; }

private:
    void stay_unpublished() noexcept;

    int fd_ = -1;
    std::byte* first_ = nullptr;
    std::size_t capacity_bytes_ = 0;
    std::size_t used_bytes_ = 0;
    bool is_published_ = false;
    SharedArenaProblem problem_ = SharedArenaProblem::none;
};

static_assert(Allocator<SharedArena>);

// The reader's side: the file mapped read-only, its header not believed but checked. There is
// nothing to allocate from.
class SharedArenaView {
public:
    // Requires: nothing; ask `problem()`. The descriptor stays the caller's.
    explicit SharedArenaView(int file_descriptor) noexcept;
    ~SharedArenaView();
    SharedArenaView(const SharedArenaView&) = delete;
    SharedArenaView& operator=(const SharedArenaView&) = delete;

    SharedArenaProblem problem() const noexcept { return problem_; }

    // The object an offset leads to, or null where it is not wholly within the arena or not
    // aligned: an offset from the file is not to be trusted either.
    template <class T> const T* at(SharedPointer<T> pointer) const noexcept {
        static_assert(std::is_trivially_copyable_v<T>);
        return static_cast<const T*>(find(pointer.offset, sizeof(T), alignof(T)));
    }
    template <class T>
    std::span<const T> at(SharedPointer<T> pointer, std::size_t count) const noexcept {
        static_assert(std::is_trivially_copyable_v<T>);
        if (count > used_bytes_ / sizeof(T)) {
            return {};
        }
        const void* const found = find(pointer.offset, count * sizeof(T), alignof(T));
        return {static_cast<const T*>(found), found != nullptr ? count : 0};
    }
    template <class T> const T* root() const noexcept { return at(SharedPointer<T>{root_}); }

    // The offset `root` follows, 0 for none.
    std::uint64_t root_offset() const noexcept { return root_; }
    // Everything, the header included: an offset is an index into it.
    std::span<const std::byte> bytes() const noexcept { return {first_, used_bytes_}; }
    std::size_t used_bytes() const noexcept { return used_bytes_; }

private:
    const void* find(std::uint64_t offset, std::size_t size, std::size_t alignment) const noexcept;
    SharedArenaProblem open(int file_descriptor) noexcept;

    const std::byte* first_ = nullptr;
    std::size_t mapped_bytes_ = 0;
    std::size_t used_bytes_ = 0;
    std::uint64_t root_ = 0;
    SharedArenaProblem problem_;
};

} // namespace alloclab
