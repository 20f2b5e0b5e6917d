// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/record/system_call.hpp>

#include <cstdint>
#include <fcntl.h>

namespace alloclab::record {

inline long open_read_only(const char* path) {
    return system_call(SYS_openat, AT_FDCWD, address_argument(path), O_RDONLY | O_CLOEXEC);
}

// One line of /proc/self/maps, as far as it matters here.
struct Mapping {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    bool is_private = false;
    bool is_writable = false;
    bool is_executable = false;
    char name = '\0'; // '/' a file, '[' a special one, '\0' none
    bool is_stack = false;
    bool is_bss = false; // zeroed data right behind an object's

    // A shared file mapping, like the recorder's own, is no object with a bss behind it.
    bool is_object() const { return name == '/' && is_private; }
};

// Takes the file apart byte by byte: a line may be longer than any buffer.
class MapsParser {
public:
    // Returns true when `byte` ended a line, which `mapping()` then describes.
    bool put(char byte) {
        if (byte == '\n') {
            field_ = position_ = 0;
            finished_ = mapping_;
            mapping_ = {};
            return true;
        }
        if (byte == ' ') {
            if (position_ != 0)
                ++field_;
            position_ = 0;
            return false;
        }
        take(byte);
        ++position_;
        return false;
    }
    const Mapping& mapping() const { return finished_; }

private:
    void take(char byte) {
        switch (field_) {
        case 0:
            if (byte == '-')
                is_end_ = true;
            else
                put_digit(is_end_ ? mapping_.end : mapping_.start, byte);
            break;
        case 1:
            is_end_ = false;
            mapping_.is_writable |= position_ == 1 && byte == 'w';
            mapping_.is_executable |= position_ == 2 && byte == 'x';
            mapping_.is_private |= position_ == 3 && byte == 'p';
            break;
        case 5:
            if (position_ == 0)
                mapping_.name = byte;
            mapping_.is_stack |= position_ == 1 && mapping_.name == '[' && byte == 's';
            break;
        default: // offset, device, inode
            break;
        }
    }
    static void put_digit(std::uint64_t& number, char digit) {
        number =
            number * 16 + static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }

    Mapping mapping_;
    Mapping finished_;
    unsigned field_ = 0;
    unsigned position_ = 0;
    bool is_end_ = false;
};

// Calls `visitor(mapping)` for each mapping of this process, as far as /proc tells.
template <class Visitor> void visit_mappings(Visitor&& visitor) {
    const long maps = open_read_only("/proc/self/maps");
    MapsParser parser;
    std::uint64_t object_end = 0; // where zeroed data of the object before would begin
    char text[1024];
    for (long got = 0; !is_error(maps) && (got = system_call(SYS_read, maps, address_argument(text),
                                                             sizeof text)) > 0;) {
        for (long at = 0; at < got; ++at) {
            if (!parser.put(text[at]))
                continue;
            Mapping mapping = parser.mapping();
            mapping.is_bss = mapping.name == '\0' && mapping.start == object_end;
            object_end = mapping.is_object() ? mapping.end : 0;
            visitor(mapping);
        }
    }
    if (!is_error(maps))
        system_call(SYS_close, maps);
}

} // namespace alloclab::record
