// SPDX-License-Identifier: MIT

// From a place in the code to its entry in .eh_frame, by the binary search table of .eh_frame_hdr
// (Linux Standard Base, 10.6).

#include <alloclab/record/unwind_rules.hpp>

#include <alloclab/record/modules.hpp>
#include <alloclab/record/unwind_program.hpp>

namespace alloclab::record {

namespace {

constexpr std::uint8_t no_pointer = 0xff;

struct Row {
    std::int32_t begin; // both relative to the header
    std::int32_t entry;
};

// The entry of the last function that begins at or before `pc`, or null.
std::uintptr_t find_entry(const Module& module, std::uintptr_t pc) {
    constexpr std::uint8_t rows_of_two_words = 0x3b; // relative to the header, signed, four bytes
    const auto header = reinterpret_cast<std::uintptr_t>(module.unwind_header);
    UnwindBytes bytes(header, header + module.unwind_header_bytes);
    const auto version = bytes.read<std::uint8_t>();
    const auto frames_encoding = bytes.read<std::uint8_t>();
    const auto count_encoding = bytes.read<std::uint8_t>();
    const auto rows_encoding = bytes.read<std::uint8_t>();
    if (version != 1 || count_encoding == no_pointer || rows_encoding != rows_of_two_words)
        return 0;
    bytes.read_encoded(frames_encoding);
    const std::uint64_t count = bytes.read_encoded(count_encoding);
    if (bytes.has_failed() || count == 0 || count > (bytes.end() - bytes.at()) / sizeof(Row))
        return 0;
    const auto* const rows = reinterpret_cast<const Row*>(bytes.at());
    const auto wanted = static_cast<std::int64_t>(pc - header);
    std::uint64_t low = 0; // rows before it begin at or before pc
    std::uint64_t high = count;
    while (low < high) {
        const std::uint64_t middle = (low + high) / 2;
        if (rows[middle].begin <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : header + static_cast<std::uintptr_t>(std::int64_t{rows[low - 1].entry});
}

// Opens a CIE or FDE: what follows its length. Failed where it is none we can read.
UnwindBytes open_entry(const Module& module, std::uintptr_t at) {
    constexpr std::uint32_t wide_length = 0xffffffff;
    const bool is_inside = at >= module.begin && at < module.end;
    UnwindBytes bytes(is_inside ? at : module.end, module.end);
    const auto length = bytes.read<std::uint32_t>();
    if (length == 0 || length == wide_length)
        bytes.fail();
    UnwindBytes entry = bytes.take(length);
    if (bytes.has_failed())
        entry.fail();
    return entry;
}

// Reads what the augmentation says. Returns whether all of it was understood.
bool read_augmentation(UnwindBytes& bytes, std::uintptr_t letters, FrameTable& table) {
    const auto* letter = reinterpret_cast<const char*>(letters);
    if (*letter == '\0')
        return true;
    if (*letter++ != 'z')
        return false;
    UnwindBytes values = bytes.take(bytes.read_uleb());
    for (; *letter != '\0'; ++letter) {
        switch (*letter) {
        case 'R':
            table.pointer_encoding = values.read<std::uint8_t>();
            break;
        case 'P': {
            const auto encoding = values.read<std::uint8_t>();
            values.read_encoded(encoding & 0x0f); // not followed
            break;
        }
        case 'L':
            values.read<std::uint8_t>();
            break;
        case 'S':
            table.is_signal = true;
            break;
        default:
            return false;
        }
    }
    return !values.has_failed();
}

// Returns whether FDEs of this CIE have an augmentation too, by reference.
bool read_common(const Module& module, std::uintptr_t at, FrameTable& table, bool& is_augmented) {
    UnwindBytes bytes = open_entry(module, at);
    const auto id = bytes.read<std::uint32_t>();
    const auto version = bytes.read<std::uint8_t>();
    if (bytes.has_failed() || id != 0 || (version != 1 && version != 3))
        return false;
    const std::uintptr_t letters = bytes.at();
    while (bytes.read<char>() != '\0') {
    }
    if (bytes.has_failed())
        return false;
    table.code_alignment = bytes.read_uleb();
    table.data_alignment = bytes.read_sleb();
    table.return_register = version == 1 ? bytes.read<std::uint8_t>() : bytes.read_uleb();
    is_augmented = *reinterpret_cast<const char*>(letters) == 'z';
    if (!read_augmentation(bytes, letters, table) || bytes.has_failed())
        return false;
    table.initial = bytes;
    return true;
}

// Returns whether the entry is the one of the function that holds `pc`; then the table is filled.
bool read_entry(const Module& module, std::uintptr_t at, std::uintptr_t pc, FrameTable& table) {
    UnwindBytes bytes = open_entry(module, at);
    const std::uintptr_t place = bytes.at();
    const auto back = bytes.read<std::uint32_t>();
    bool is_augmented = false;
    if (bytes.has_failed() || back == 0 || back > place ||
        !read_common(module, place - back, table, is_augmented))
        return false;
    table.begin = bytes.read_encoded(table.pointer_encoding);
    const std::uint64_t size = bytes.read_encoded(table.pointer_encoding & 0x0f);
    if (is_augmented)
        bytes.skip(bytes.read_uleb());
    table.program = bytes;
    return !bytes.has_failed() && pc >= table.begin && pc - table.begin < size;
}

} // namespace

Rule read_rule(const Module& module, std::uintptr_t pc) {
    constexpr Rule by_frame_pointer{16, -16, SavedRbp::at_cfa, RuleKind::frame_pointer};
    const std::uintptr_t entry = module.unwind_header != nullptr ? find_entry(module, pc) : 0;
    const UnwindBytes none(0, 0);
    FrameTable table{0, 0, 0, 0, false, none, none, 0};
    if (entry == 0)
        return by_frame_pointer;
    if (!read_entry(module, entry, pc, table))
        return table.begin != 0 ? by_frame_pointer : Rule{};
    return run_frame_program(table, pc);
}

} // namespace alloclab::record
