// SPDX-License-Identifier: MIT
#include <alloclab/record/head.hpp>

#include <alloclab/record/real_calls.hpp>
#include <alloclab/record/system_call.hpp>

#include <cstring>
#include <fcntl.h>
#include <sys/personality.h>
#include <sys/prctl.h>

namespace alloclab::record {

using namespace capture;

namespace {

// The text is a sequence of strings, each behind its length in four bytes.
class TextWriter {
public:
    explicit TextWriter(FileHeader& header)
        : begin_(reinterpret_cast<char*>(&header) + text_offset), at_(begin_) {}

    bool put(const char* text, std::size_t length) {
        if (at_ + sizeof(std::uint32_t) + length > begin_ + text_bytes)
            return false;
        const auto stored = static_cast<std::uint32_t>(length);
        std::memcpy(at_, &stored, sizeof stored);
        std::memcpy(at_ + sizeof stored, text, length);
        at_ += sizeof stored + length;
        return true;
    }
    std::uint32_t used_bytes() const { return static_cast<std::uint32_t>(at_ - begin_); }

private:
    char* begin_;
    char* at_;
};

void put_image_path(TextWriter& text) {
    char path[4096];
    const long length = system_call(SYS_readlink, address_argument("/proc/self/exe"),
                                    address_argument(path), sizeof path);
    text.put(path, is_error(length) ? 0 : static_cast<std::size_t>(length));
}

// The kernel's copy of the arguments, which the program's own writing to argv[0] may have changed.
void put_arguments(FileHeader& header, TextWriter& text) {
    static char bytes[text_bytes];
    const long fd = system_call(SYS_openat, AT_FDCWD, address_argument("/proc/self/cmdline"),
                                O_RDONLY | O_CLOEXEC);
    if (is_error(fd))
        return;
    std::size_t count = 0;
    for (long got = 1; got > 0 && count<sizeof bytes; count += got> 0 ? got : 0)
        got = system_call(SYS_read, fd, address_argument(bytes + count),
                          static_cast<long>(sizeof bytes - count));
    system_call(SYS_close, fd);
    for (std::size_t begin = 0; begin < count;) {
        const auto* const end =
            static_cast<const char*>(std::memchr(bytes + begin, '\0', count - begin));
        if (end == nullptr || !text.put(bytes + begin, end - (bytes + begin))) {
            header.has_cut_arguments = 1;
            break;
        }
        ++header.argument_count;
        begin = static_cast<std::size_t>(end - bytes) + 1;
    }
}

} // namespace

void fill_head_text(FileHeader& header) {
    TextWriter text(header);
    put_image_path(text);
    const char* const allocator = real_calls().allocator_path;
    text.put(allocator, std::strlen(allocator));
    text.put(ALLOCLAB_VERSION, std::strlen(ALLOCLAB_VERSION));
    put_arguments(header, text);
    header.text_used_bytes = text.used_bytes();
    header.has_own_malloc = real_calls().is_malloc_foreign;
    const long persona = system_call(SYS_personality, 0xffffffff);
    header.is_address_random = is_error(persona) || (persona & ADDR_NO_RANDOMIZE) == 0;
    header.has_huge_pages = system_call(SYS_prctl, PR_GET_THP_DISABLE) != 1;
}

} // namespace alloclab::record
