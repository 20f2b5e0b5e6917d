// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/capture_format.hpp>
#include <alloclab/record/varint.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace alloclab {

// Puts a capture together by hand: a head, then windows whose blocks the test fills.
class CaptureBytes {
public:
    CaptureBytes() : file_(capture::head_bytes) {
        capture::FileHeader header{};
        std::memcpy(header.magic, capture::file_magic, sizeof header.magic);
        header.version = capture::format_version;
        header.process_id = 42;
        header.is_complete = 1;
        header.stop_reason = capture::StopReason::exit;
        header.start_ticks = 1000;
        header.start_monotonic_ns = 5000;
        header.latest_ticks = 2000; // two nanoseconds a tick
        header.latest_monotonic_ns = 7000;
        header.argument_count = 1;
        for (const char* const text : {"/bin/program", "/lib/libc.so.6", "0.1.0", "program"})
            put_text(header, text);
        put(0, header);
    }

    // Begins a window; its blocks follow at once. Returns where it begins.
    std::size_t begin_window(std::uint32_t thread, std::uint32_t sequence, std::uint32_t lane = 0) {
        window_ = file_.size();
        file_.resize(window_ + capture::window_granule_bytes);
        capture::WindowHeader header{};
        header.magic = capture::window_magic;
        header.bytes = capture::window_granule_bytes;
        header.thread = thread;
        header.lane = lane;
        header.sequence = sequence;
        put(window_, header);
        block_ = window_;
        return window_;
    }

    void begin_block(std::uint64_t ticks, bool is_timed = false) {
        block_ += capture::block_bytes;
        put(block_, is_timed ? ticks | capture::block_is_timed : ticks);
        at_ = block_ + capture::block_clock_bytes;
    }

    void put_code(capture::Code code, std::initializer_list<std::uint64_t> fields) {
        put_code_number(static_cast<unsigned>(code), fields);
    }

    // A code byte, then fields.
    void put_code_number(unsigned code, std::initializer_list<std::uint64_t> fields) {
        file_[at_++] = static_cast<std::byte>(code << 1);
        for (const std::uint64_t field : fields)
            put_field(field);
    }

    void put_field(std::uint64_t field) {
        at_ += capture::put_varint(reinterpret_cast<unsigned char*>(file_.data()) + at_, field);
    }

    void put_letter(char letter) { file_[at_++] = static_cast<std::byte>(letter); }

    void put_word(const capture::Word& word) {
        std::memcpy(file_.data() + at_, &word.bits, word.bytes);
        at_ += word.bytes;
    }

    template <class T> void put(std::size_t offset, const T& value) {
        std::memcpy(file_.data() + offset, &value, sizeof value);
    }

    // The whole, its size as the header says it.
    std::span<const std::byte> bytes() {
        capture::FileHeader header{};
        std::memcpy(&header, file_.data(), sizeof header);
        header.file_bytes = file_.size();
        put(0, header);
        return file_;
    }

    std::size_t end_of_events() const { return at_; }
    std::vector<std::byte>& file() { return file_; }

private:
    void put_text(capture::FileHeader& header, const std::string& text) {
        const auto length = static_cast<std::uint32_t>(text.size());
        std::byte* const out = file_.data() + capture::text_offset + header.text_used_bytes;
        std::memcpy(out, &length, sizeof length);
        std::memcpy(out + sizeof length, text.data(), text.size());
        header.text_used_bytes += static_cast<std::uint32_t>(sizeof length + text.size());
    }

    std::vector<std::byte> file_;
    std::size_t window_ = 0;
    std::size_t block_ = 0;
    std::size_t at_ = 0;
};

} // namespace alloclab
