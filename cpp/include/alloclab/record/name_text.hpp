// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/names.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// A name being put together from characters, as UTF-8: of more than fits, the beginning.
class NameText {
public:
    void put(std::uint32_t c) {
        if (is_full())
            return;
        constexpr std::uint32_t replacement = 0xfffd; // of a lone surrogate, which UTF-8 has not
        if (c >= 0xd800 && c < 0xe000)
            c = replacement;
        if (c < 0x80) {
            put_byte(c);
        } else if (c < 0x800) {
            put_byte(0xc0 | c >> 6);
            put_tail(c, 0);
        } else if (c < 0x10000) {
            put_byte(0xe0 | c >> 12);
            put_tail(c, 1);
        } else {
            put_byte(0xf0 | c >> 18);
            put_tail(c, 2);
        }
    }
    // Whether there might be no room for a character.
    bool is_full() const { return used_ + most_character_bytes > sizeof bytes_; }
    const char* bytes() const { return bytes_; }
    std::size_t used() const { return used_; }

private:
    void put_byte(std::uint32_t value) { bytes_[used_++] = static_cast<char>(value); }
    void put_tail(std::uint32_t c, int sixes) {
        for (; sixes >= 0; --sixes)
            put_byte(0x80 | (c >> (6 * sixes) & 0x3f));
    }

    static constexpr std::size_t most_character_bytes = 4;
    char bytes_[name_most_bytes];
    std::size_t used_ = 0;
};

} // namespace alloclab::record
