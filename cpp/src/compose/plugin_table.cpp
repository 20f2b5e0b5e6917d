// SPDX-License-Identifier: MIT
#include <alloclab/base/error.hpp>
#include <alloclab/compose/plugin_table.hpp>

#include <cstring>
#include <string>

namespace alloclab {

namespace {

constexpr std::size_t head_bytes = offsetof(alloclab_allocator, name);
// A table may end before the first function that is optional.
constexpr std::size_t least_bytes = offsetof(alloclab_allocator, resize);
// No table will ever be this large; a number above it was never meant as a size.
constexpr std::size_t most_bytes = 4096;

void check_head(const alloclab_allocator& head) {
    if (head.abi_version != ALLOCLAB_ABI_VERSION) {
        throw Error("its table is of version " + std::to_string(head.abi_version) +
                    " of plugin.h, and version " + std::to_string(ALLOCLAB_ABI_VERSION) +
                    " is understood");
    }
    if (head.table_bytes < least_bytes || head.table_bytes > most_bytes ||
        head.table_bytes % sizeof(void*) != 0) {
        throw Error("its table cannot be of " + std::to_string(head.table_bytes) +
                    " bytes (sizeof(alloclab_allocator) is " +
                    std::to_string(sizeof(alloclab_allocator)) + ")");
    }
}

void check_name(const char* name) {
    if (name == nullptr) {
        throw Error("its table has no name");
    }
    const std::size_t length = ::strnlen(name, plugin_name_max_length + 1);
    bool is_printable = length > 0 && length <= plugin_name_max_length;
    for (std::size_t at = 0; is_printable && at < length; ++at) {
        is_printable = name[at] >= ' ' && name[at] <= '~';
    }
    if (!is_printable) {
        throw Error("the name in its table is not 1 to " + std::to_string(plugin_name_max_length) +
                    " printable characters");
    }
}

void check_functions(const alloclab_allocator& table) {
    const auto require = [](bool is_there, const char* what) {
        if (!is_there) {
            throw Error(std::string("its table has no ") + what);
        }
    };
    require(table.create != nullptr, "create");
    require(table.destroy != nullptr, "destroy");
    require(table.allocate != nullptr, "allocate");
    require(table.deallocate != nullptr, "deallocate");
    if ((table.mark == nullptr) != (table.rewind == nullptr)) {
        throw Error(table.mark == nullptr ? "its table has rewind and no mark"
                                          : "its table has mark and no rewind");
    }
}

} // namespace

alloclab_allocator read_plugin_table(const void* table, std::size_t readable_bytes) {
    if (table == nullptr) {
        throw Error("alloclab_plugin() returned null");
    }
    alloclab_allocator result{};
    if (readable_bytes < head_bytes) {
        throw Error("its table has no head");
    }
    std::memcpy(&result, table, head_bytes);
    check_head(result);
    const std::size_t table_bytes = result.table_bytes;
    if (table_bytes > readable_bytes) {
        throw Error("its table ends before the " + std::to_string(table_bytes) +
                    " bytes it claims");
    }
    std::memcpy(&result, table, table_bytes < sizeof result ? table_bytes : sizeof result);
    if (result.reserved != 0) {
        throw Error("the reserved field of its table is not 0");
    }
    check_name(result.name);
    check_functions(result);
    result.table_bytes = sizeof result;
    return result;
}

} // namespace alloclab
