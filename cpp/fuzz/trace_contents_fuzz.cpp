// SPDX-License-Identifier: MIT
//
// What lies inside the frames. A fuzzer cannot mend checks of zstd after each mutation, so this
// target compresses its input into a file whose outside is right: one chunk and a footer.

#include "read_all.hpp"

#include <zstd.h>

#include <cstring>
#include <vector>

namespace {

using namespace alloclab::trace_format;
using Bytes = std::vector<std::uint8_t>;

template <class Number> void put(Bytes& file, Number value) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
    file.insert(file.end(), from, from + sizeof value);
}

// Appends `raw` as one zstd frame; returns the bytes it takes.
std::size_t put_frame(Bytes& file, std::span<const std::uint8_t> raw) {
    const std::size_t at = file.size();
    file.resize(at + ZSTD_compressBound(raw.size()));
    const std::size_t stored =
        ZSTD_compress(file.data() + at, file.size() - at, raw.data(), raw.size(), 1);
    file.resize(at + stored);
    return stored;
}

} // namespace

// Input: the chunk's events (4 bytes) and the length of its columns (2 bytes), little-endian; the
// columns; the footer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
    if (count < 6) {
        return 0;
    }
    std::uint32_t events = 0;
    std::uint16_t columns_bytes = 0;
    std::memcpy(&events, bytes, sizeof events);
    std::memcpy(&columns_bytes, bytes + 4, sizeof columns_bytes);
    const std::span<const std::uint8_t> rest{bytes + 6, count - 6};
    const auto columns = rest.first(std::min<std::size_t>(columns_bytes, rest.size()));
    const auto footer = rest.subspan(columns.size());

    Bytes file(file_magic.begin(), file_magic.end());
    put(file, version);
    put(file, std::uint32_t{0});
    put(file, chunk_magic);
    put(file, events);
    put(file, static_cast<std::uint32_t>(columns.size()));
    const std::size_t stored_at = file.size();
    put(file, std::uint32_t{0});
    const auto stored = static_cast<std::uint32_t>(put_frame(file, columns));
    std::memcpy(file.data() + stored_at, &stored, sizeof stored);
    const std::uint64_t footer_offset = file.size();
    const std::uint64_t footer_bytes = put_frame(file, footer);
    put(file, footer_offset);
    put(file, footer_bytes);
    file.insert(file.end(), end_magic.begin(), end_magic.end());
    alloclab::read_all(file);
    return 0;
}
