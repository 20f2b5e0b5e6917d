// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace alloclab::record {

// Reads the bytes of unwind tables, never beyond their end: then it has failed, and what it
// returns is zero.
class UnwindBytes {
public:
    UnwindBytes(std::uintptr_t at, std::uintptr_t end) : at_(at), end_(end) {}

    bool has_failed() const { return has_failed_; }
    bool is_at_end() const { return at_ >= end_ || has_failed_; }
    std::uintptr_t at() const { return at_; }
    std::uintptr_t end() const { return end_; }

    void skip(std::uint64_t bytes) {
        if (bytes > end_ - at_)
            fail();
        else
            at_ += bytes;
    }

    // The rest of an entry of `bytes` bytes, which this one skips.
    UnwindBytes take(std::uint64_t bytes) {
        const std::uintptr_t begin = at_;
        skip(bytes);
        return {has_failed_ ? end_ : begin, has_failed_ ? end_ : at_};
    }

    template <class Number> Number read() {
        Number value{};
        if (sizeof value > end_ - at_) {
            fail();
            return Number{};
        }
        std::memcpy(&value, reinterpret_cast<const void*>(at_), sizeof value);
        at_ += sizeof value;
        return value;
    }

    std::uint64_t read_uleb() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && !has_failed_; shift += 7) {
            const auto byte = read<std::uint8_t>();
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0)
                return value;
        }
        fail();
        return 0;
    }

    std::int64_t read_sleb() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && !has_failed_;) {
            const auto byte = read<std::uint8_t>();
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            shift += 7;
            if ((byte & 0x80) != 0)
                continue;
            if ((byte & 0x40) != 0 && shift < 64)
                value |= ~std::uint64_t{0} << shift;
            return static_cast<std::int64_t>(value);
        }
        fail();
        return 0;
    }

    // A pointer as an encoding byte (DW_EH_PE_*) says it: absolute or relative to itself.
    std::uint64_t read_encoded(std::uint8_t encoding) {
        constexpr std::uint8_t relative_to_itself = 0x10;
        const std::uintptr_t place = at_;
        std::uint64_t value = 0;
        switch (encoding & 0x0f) {
        case 0x00:
        case 0x04:
        case 0x0c:
            value = read<std::uint64_t>();
            break;
        case 0x01:
            value = read_uleb();
            break;
        case 0x02:
            value = read<std::uint16_t>();
            break;
        case 0x03:
            value = read<std::uint32_t>();
            break;
        case 0x09:
            value = static_cast<std::uint64_t>(read_sleb());
            break;
        case 0x0a:
            value = static_cast<std::uint64_t>(std::int64_t{read<std::int16_t>()});
            break;
        case 0x0b:
            value = static_cast<std::uint64_t>(std::int64_t{read<std::int32_t>()});
            break;
        default:
            fail();
        }
        if ((encoding & 0xf0) == relative_to_itself)
            return value + place;
        if ((encoding & 0xf0) != 0)
            fail();
        return value;
    }

    void fail() {
        has_failed_ = true;
        at_ = end_;
    }

private:
    std::uintptr_t at_;
    std::uintptr_t end_;
    bool has_failed_ = false;
};

} // namespace alloclab::record
