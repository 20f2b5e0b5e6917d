// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace alloclab {

// Where a report goes, piece by piece, so that nothing is ever cut off: a function and what it is
// told. It must not allocate from the allocator that reports.
struct TextSink {
    void (*write)(void* context, std::string_view text) noexcept;
    void* context = nullptr;
};

// Writes to a file descriptor, keeping errno.
TextSink descriptor_sink(int descriptor) noexcept;

// Puts text and numbers together without heap or locale and hands them to the sink in pieces of at
// most 512 bytes; a line shorter than that goes in one piece.
class TextWriter {
public:
    explicit TextWriter(const TextSink& sink) noexcept : sink_(sink) {}
    ~TextWriter() { flush(); }
    TextWriter(const TextWriter&) = delete;
    TextWriter& operator=(const TextWriter&) = delete;

    TextWriter& text(std::string_view text) noexcept;
    // A C text; nothing for null.
    TextWriter& text(const char* text) noexcept;
    TextWriter& number(std::uint64_t value, std::size_t width = 0) noexcept;
    TextWriter& hex(std::uint64_t value) noexcept; // with 0x before it
    // Text, then spaces up to the width; longer text stays whole.
    TextWriter& padded(std::string_view text, std::size_t width) noexcept;
    void flush() noexcept;

private:
    TextSink sink_;
    std::size_t length_ = 0;
    char buffer_[512];
};

} // namespace alloclab
