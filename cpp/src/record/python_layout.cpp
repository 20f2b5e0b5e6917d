// SPDX-License-Identifier: MIT
#include <alloclab/record/python_frames.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace alloclab::record {

namespace {

// Structures are far smaller; what is read near an object's beginning is memory that is there.
constexpr unsigned most_offset = 4096;

constexpr unsigned first_version = 0x30b; // Py_Version is not there before it
constexpr unsigned last_version = 0x3ff;

bool is_offset(unsigned short offset, unsigned alignment) {
    return offset < most_offset && offset % alignment == 0;
}

template <class... Offsets> bool are_offsets(unsigned alignment, Offsets... offsets) {
    return (is_offset(offsets, alignment) && ...);
}

bool is_possible(const alloclab_python_layout& layout) {
    constexpr unsigned most_bit = 31;
    constexpr unsigned kind_bits = 3;
    constexpr unsigned most_owner = 255;
    return layout.version >= first_version && layout.version <= last_version &&
           are_offsets(sizeof(std::uint64_t), layout.state_cframe, layout.current_frame,
                       layout.frame_code, layout.frame_previous, layout.frame_instruction,
                       layout.code_filename, layout.code_qualname, layout.code_line_table,
                       layout.object_references, layout.text_length, layout.text_hash,
                       layout.text_characters, layout.type_basic_size, layout.text_type_bytes) &&
           are_offsets(sizeof(std::uint32_t), layout.code_first_traceable, layout.code_first_line,
                       layout.text_state, layout.text_ascii) &&
           are_offsets(sizeof(std::uint16_t), layout.code_instructions, layout.code_type_bytes) &&
           is_offset(layout.frame_owner, 1) && layout.generator_owner <= most_owner &&
           layout.c_stack_owner <= most_owner && layout.kind_shift + kind_bits <= most_bit &&
           layout.compact_bit <= most_bit && layout.ascii_bit <= most_bit;
}

} // namespace

bool parse_python_layout(const char* text, alloclab_python_layout& layout) {
    constexpr unsigned most_number = 0xffff;
    unsigned short numbers[alloclab_python_layout_numbers];
    for (std::size_t number_idx = 0; number_idx < alloclab_python_layout_numbers; ++number_idx) {
        if (number_idx != 0 && *text++ != ',')
            return false;
        unsigned number = 0;
        const char* const begin = text;
        for (; *text >= '0' && *text <= '9'; ++text) {
            number = number * 10 + static_cast<unsigned>(*text - '0');
            if (number > most_number)
                return false;
        }
        if (text == begin)
            return false;
        numbers[number_idx] = static_cast<unsigned short>(number);
    }
    alloclab_python_layout parsed{};
    static_assert(sizeof parsed == sizeof numbers);
    std::memcpy(&parsed, numbers, sizeof parsed);
    if (*text != '\0' || !is_possible(parsed))
        return false;
    layout = parsed;
    return true;
}

} // namespace alloclab::record
