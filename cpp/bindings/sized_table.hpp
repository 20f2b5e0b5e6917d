// SPDX-License-Identifier: MIT
#pragma once

#include "table_memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

namespace alloclab::bindings {

// The largest power of two that divides a size: what anything of that size may have to be aligned
// to.
constexpr std::size_t item_alignment(std::size_t size) {
    return std::min<std::size_t>(size & (~size + 1), 16);
}

template <std::size_t size> struct alignas(item_alignment(size)) Item {
    std::array<std::byte, size> content;
};

template <template <class> class Table, class ItemType> struct TableOf {
    using item = ItemType;
    template <class... More>
    explicit TableOf(TableMemory& memory, const More&... more) : table(memory, more...) {}
    Table<ItemType> table;
};

// The sizes the tables of the core are compiled for, the one in use chosen by number.
template <template <class> class Table, std::size_t... sizes> class TableOfSize {
public:
    // `more` is what a table needs beside memory. Throws: LiveError for a size that is not among
    // them.
    template <class... More>
    TableOfSize(std::size_t item_bytes, TableMemory& memory, const More&... more) {
        if (!((item_bytes == sizes && (place<sizes>(memory, more...), true)) || ...)) {
            std::string allowed;
            ((allowed += (allowed.empty() ? "" : ", ") + std::to_string(sizes)), ...);
            throw LiveError("UsageError", "a table has no items of " + std::to_string(item_bytes) +
                                              " bytes: it can have " + allowed);
        }
    }

    // Calls `use` with the `TableOf` the size has.
    template <class Use> decltype(auto) visit(Use&& use) {
        return std::visit([&](auto& held) -> decltype(auto) { return use(*held); }, held_);
    }

private:
    template <std::size_t size, class... More>
    void place(TableMemory& memory, const More&... more) {
        held_ = std::make_unique<TableOf<Table, Item<size>>>(memory, more...);
    }
    std::variant<std::unique_ptr<TableOf<Table, Item<sizes>>>...> held_;
};

template <template <class> class Table>
using AnyTable = TableOfSize<Table, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64>;

// A table over a live allocator, for one call at a time: what an allocator calls back (events,
// failures) must not find it half changed.
template <template <class> class Table> class LiveTable {
public:
    template <class... More>
    LiveTable(std::shared_ptr<LiveHeap> heap, std::size_t item_bytes, const char* name,
              const More&... more)
        : memory_(std::move(heap), name), table_(item_bytes, memory_, more...) {}

    template <class Use> decltype(auto) use(Use&& use) {
        if (is_busy_) {
            throw LiveError("Error", "the table is used within a call of its own");
        }
        memory_.forget_thrown();
        const Busy busy(is_busy_);
        return table_.visit(std::forward<Use>(use));
    }

    // What an append has failed of. Throws: that.
    [[noreturn]] void raise_refusal(const char* name) {
        memory_.rethrow();
        PyErr_Format(PyExc_MemoryError, "%s: no room for a longer %s",
                     memory_.heap().allocator()->name(), name);
        throw pybind11::error_already_set();
    }

private:
    struct Busy {
        explicit Busy(bool& flag) noexcept : flag(flag) { flag = true; }
        ~Busy() { flag = false; }
        Busy(const Busy&) = delete;
        Busy& operator=(const Busy&) = delete;
        bool& flag;
    };

    TableMemory memory_;
    AnyTable<Table> table_;
    bool is_busy_ = false;
};

} // namespace alloclab::bindings
