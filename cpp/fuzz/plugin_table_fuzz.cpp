// SPDX-License-Identifier: MIT
// Any bytes as the table a plugin hands over: refused with a reason, or every function that must be
// there is. The first byte says how many of the next are the name's; the rest is the table, whose
// pointers are told from null and never followed.
#include <alloclab/base/error.hpp>
#include <alloclab/compose/plugin_table.hpp>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace alloclab;
    if (size == 0) {
        return 0;
    }
    const std::size_t name_bytes = data[0] < size ? data[0] : size - 1;
    const std::string name(reinterpret_cast<const char*>(data) + 1, name_bytes);
    std::vector<std::uint8_t> table(data + 1 + name_bytes, data + size);
    constexpr std::size_t name_at = offsetof(alloclab_allocator, name);
    const char* name_pointer = nullptr;
    if (table.size() >= name_at + sizeof name_pointer) {
        std::memcpy(&name_pointer, table.data() + name_at, sizeof name_pointer);
        name_pointer = name_pointer == nullptr ? nullptr : name.c_str();
        std::memcpy(table.data() + name_at, &name_pointer, sizeof name_pointer);
    }
    try {
        const alloclab_allocator read = read_plugin_table(table.data(), table.size());
        const bool is_usable = read.create != nullptr && read.destroy != nullptr &&
                               read.allocate != nullptr && read.deallocate != nullptr &&
                               read.name == name_pointer && read.table_bytes == sizeof read &&
                               (read.mark == nullptr) == (read.rewind == nullptr);
        if (!is_usable) {
            std::abort();
        }
    } catch (const Error&) {
        // Refused, as most bytes must be.
    }
    return 0;
}
