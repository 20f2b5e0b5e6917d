// SPDX-License-Identifier: MIT
#include "byte_source.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/trace/chunk_columns.hpp>

// ZSTD_createDCtx_advanced: the decompressor's memory must come from operator new, which the replay
// child directs away from the malloc under test.
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <sys/stat.h>
#include <unistd.h>

namespace alloclab {

namespace {

void* allocate_by_new(void*, std::size_t bytes) {
    return ::operator new(bytes, std::nothrow);
}
void free_by_delete(void*, void* block) {
    ::operator delete(block);
}

ZSTD_DCtx* create_decompressor() {
    ZSTD_DCtx* const context = ZSTD_createDCtx_advanced({allocate_by_new, free_by_delete, nullptr});
    if (context == nullptr) {
        throw std::bad_alloc();
    }
    return context;
}

} // namespace

ByteSource::ByteSource(const std::filesystem::path& path) : name_(path.string()) {
    // Non-blocking: to open a pipe must not wait for a writer.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
        const int reason = errno;
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
        throw SystemError("open trace", name_, reason);
    }
    if (!S_ISREG(status.st_mode)) {
        ::close(descriptor_);
        throw TraceError(name_ + ": not a regular file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    decompressor_ = create_decompressor();
}

ByteSource::ByteSource(std::span<const std::uint8_t> bytes, std::string name)
    : name_(std::move(name)), memory_(bytes), size_(bytes.size()),
      decompressor_(create_decompressor()) {}

ByteSource::~ByteSource() {
    ZSTD_freeDCtx(decompressor_);
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

std::span<const std::uint8_t> ByteSource::read(std::uint64_t offset, std::size_t count) {
    if (descriptor_ < 0) {
        return memory_.subspan(offset, count);
    }
    stored_.resize(count);
    std::size_t done = 0;
    while (done < count) {
        const ssize_t got = ::pread(descriptor_, stored_.data() + done, count - done,
                                    static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            throw SystemError("read", name_, errno);
        }
        if (got == 0) {
            throw TraceError(name_ + ": offset " + std::to_string(offset + done) +
                             ": the file shrank while it was read");
        }
        done += static_cast<std::size_t>(got);
    }
    return stored_;
}

std::span<const std::uint8_t> ByteSource::decompress(std::uint64_t offset, std::size_t count,
                                                     std::size_t limit) {
    const std::span<const std::uint8_t> stored = read(offset, count);
    const auto fail = [&](const std::string& reason) -> void {
        throw TraceError(name_ + ": offset " + std::to_string(offset) + ": " + reason);
    };
    const unsigned long long promised = ZSTD_getFrameContentSize(stored.data(), stored.size());
    if (promised == ZSTD_CONTENTSIZE_ERROR || promised == ZSTD_CONTENTSIZE_UNKNOWN) {
        fail("not a zstd frame of known size");
    }
    // No frame unpacks to more than 131,072 bytes for each 3 it holds: a block header.
    const unsigned long long possible = (count / 3 + 1) * (1ull << 17);
    if (promised > limit || promised > possible) {
        fail("a frame of " + std::to_string(promised) + " bytes is beyond the limit");
    }
    if (ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) {
        fail("the zstd frame does not fill its place");
    }
    const auto raw_bytes = static_cast<std::size_t>(promised);
    if (raw_.size() < raw_bytes + ChunkColumns::padding_bytes) {
        raw_.resize(raw_bytes + ChunkColumns::padding_bytes);
    }
    const std::size_t got =
        ZSTD_decompressDCtx(decompressor_, raw_.data(), raw_bytes, stored.data(), stored.size());
    if (ZSTD_isError(got)) {
        fail(std::string("corrupt: ") + ZSTD_getErrorName(got));
    }
    if (got != raw_bytes) {
        fail("the zstd frame is shorter than it says");
    }
    std::fill_n(raw_.begin() + static_cast<std::ptrdiff_t>(raw_bytes), ChunkColumns::padding_bytes,
                std::uint8_t{0});
    return {raw_.data(), raw_bytes};
}

} // namespace alloclab
