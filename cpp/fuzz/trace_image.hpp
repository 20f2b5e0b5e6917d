// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/format.hpp>

#include <zstd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace alloclab {

using Bytes = std::vector<std::uint8_t>;

template <class Number> void put(Bytes& file, Number value) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(&value);
    file.insert(file.end(), from, from + sizeof value);
}

// Appends `raw` as one zstd frame; returns the bytes it takes.
inline std::size_t put_frame(Bytes& file, std::span<const std::uint8_t> raw) {
    const std::size_t at = file.size();
    file.resize(at + ZSTD_compressBound(raw.size()));
    const std::size_t stored =
        ZSTD_compress(file.data() + at, file.size() - at, raw.data(), raw.size(), 1);
    file.resize(at + stored);
    return stored;
}

// Makes a trace file whose outside is right of what shall lie inside: a fuzzer cannot mend zstd's
// checks after each mutation. The input is the chunk's count of events (4 bytes) and the length of
// its columns (2 bytes), little-endian; the columns; the footer.
inline Bytes trace_image(std::span<const std::uint8_t> input) {
    namespace format = trace_format;
    std::uint32_t events = 0;
    std::uint16_t columns_bytes = 0;
    if (input.size() < sizeof events + sizeof columns_bytes) {
        return {};
    }
    std::memcpy(&events, input.data(), sizeof events);
    std::memcpy(&columns_bytes, input.data() + sizeof events, sizeof columns_bytes);
    const auto rest = input.subspan(sizeof events + sizeof columns_bytes);
    const auto columns = rest.first(std::min<std::size_t>(columns_bytes, rest.size()));
    const auto footer = rest.subspan(columns.size());

    Bytes file(format::file_magic.begin(), format::file_magic.end());
    put(file, format::version);
    put(file, std::uint32_t{0});
    put(file, format::chunk_magic);
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
    file.insert(file.end(), format::end_magic.begin(), format::end_magic.end());
    return file;
}

} // namespace alloclab
