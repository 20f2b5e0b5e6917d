// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

typedef struct ZSTD_DCtx_s ZSTD_DCtx;

namespace alloclab {

// The bytes of a trace, in a file or in memory, and the decompressor. Files are read, not mapped:
// a mapped file that shrinks kills its reader.
class ByteSource {
public:
    // Throws: SystemError; TraceError for what is no regular file, a pipe or a folder.
    explicit ByteSource(const std::filesystem::path& path);
    ByteSource(std::span<const std::uint8_t> bytes, std::string name);
    ~ByteSource();
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;

    const std::string& name() const { return name_; }
    std::uint64_t size() const { return size_; }

    // The bytes [offset, offset + count), valid until the next call.
    // Requires: they lie inside. Throws: SystemError; TraceError when the file has shrunk.
    std::span<const std::uint8_t> read(std::uint64_t offset, std::size_t count);

    // Decompresses the one zstd frame that [offset, offset + count) must be, of at most
    // `limit` bytes; what is returned is followed by ChunkColumns::padding_bytes zeros and valid
    // until the next call. Throws: as `read`, and TraceError for a bad frame.
    std::span<const std::uint8_t> decompress(std::uint64_t offset, std::size_t count,
                                             std::size_t limit);

private:
    std::string name_;
    int descriptor_ = -1;
    std::span<const std::uint8_t> memory_;
    std::uint64_t size_ = 0;
    ZSTD_DCtx* decompressor_ = nullptr;
    std::vector<std::uint8_t> stored_;
    std::vector<std::uint8_t> raw_;
};

} // namespace alloclab
