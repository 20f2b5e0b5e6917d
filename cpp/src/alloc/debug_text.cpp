// SPDX-License-Identifier: MIT
#include <alloclab/alloc/debug_text.hpp>

#include <cerrno>
#include <cstring>

#include <unistd.h>

namespace alloclab {

TextSink descriptor_sink(int descriptor) noexcept {
    return {[](void* context, std::string_view text) noexcept {
                const int saved_errno = errno;
                const auto to = static_cast<int>(reinterpret_cast<std::intptr_t>(context));
                while (!text.empty()) {
                    const ssize_t written = ::write(to, text.data(), text.size());
                    if (written <= 0 && errno != EINTR) {
                        break;
                    }
                    text.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
                }
                errno = saved_errno;
            },
            reinterpret_cast<void*>(static_cast<std::intptr_t>(descriptor))};
}

TextWriter& TextWriter::text(std::string_view text) noexcept {
    while (!text.empty()) {
        if (length_ == sizeof buffer_) {
            flush();
        }
        const std::size_t room = sizeof buffer_ - length_;
        const std::size_t taken = text.size() < room ? text.size() : room;
        std::memcpy(buffer_ + length_, text.data(), taken);
        length_ += taken;
        text.remove_prefix(taken);
    }
    return *this;
}

TextWriter& TextWriter::text(const char* text) noexcept {
    return text != nullptr ? this->text(std::string_view(text)) : *this;
}

TextWriter& TextWriter::number(std::uint64_t value, std::size_t width) noexcept {
    char digits[20];
    std::size_t first = sizeof digits;
    do {
        digits[--first] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    const std::size_t length = sizeof digits - first;
    for (std::size_t space = length; space < width; ++space) {
        text(std::string_view(" "));
    }
    return text(std::string_view(digits + first, length));
}

TextWriter& TextWriter::hex(std::uint64_t value) noexcept {
    char digits[18];
    std::size_t first = sizeof digits;
    do {
        digits[--first] = "0123456789abcdef"[value % 16];
        value /= 16;
    } while (value != 0);
    digits[--first] = 'x';
    digits[--first] = '0';
    return text(std::string_view(digits + first, sizeof digits - first));
}

TextWriter& TextWriter::padded(std::string_view text, std::size_t width) noexcept {
    this->text(text);
    for (std::size_t space = text.size(); space < width; ++space) {
        this->text(std::string_view(" "));
    }
    return *this;
}

void TextWriter::flush() noexcept {
    if (length_ != 0) {
        sink_.write(sink_.context, {buffer_, length_});
        length_ = 0;
    }
}

} // namespace alloclab
