// SPDX-License-Identifier: MIT
#include "bindings.hpp"
#include "sized_table.hpp"

#include <alloclab/alloc/chunked_store.hpp>
#include <alloclab/alloc/scratch_stack.hpp>
#include <alloclab/alloc/sealed_builder.hpp>
#include <alloclab/alloc/side_table.hpp>

#include <pybind11/numpy.h>

namespace py = pybind11;

// Items come and go as bytes: what they are, the package knows.

namespace alloclab::bindings {

namespace {

template <class T> using Stack = ScratchStack<T, TableMemory>;
template <class T> using Store = ChunkedStore<T, TableMemory>;
template <class T> using Builder = SealedBuilder<T, TableMemory>;
template <class T> using Side = SideTable<T, TableMemory>;

constexpr const char* stack_name = "ScratchStack";
constexpr const char* store_name = "ChunkedStore";
constexpr const char* builder_name = "SealedBuilder";
constexpr const char* side_name = "SideTable";

template <class ItemType> py::bytes bytes_of(std::span<const ItemType> items) {
    return {reinterpret_cast<const char*>(items.data()), items.size_bytes()};
}

template <class ItemType> ItemType item_at(std::string_view bytes, std::size_t place) {
    ItemType item;
    std::memcpy(&item, bytes.data() + place * sizeof item, sizeof item);
    return item;
}

template <class ItemType> void check_one(std::string_view bytes) {
    if (bytes.size() != sizeof(ItemType)) {
        throw py::value_error("not one item of " + std::to_string(sizeof(ItemType)) + " bytes");
    }
}

template <class Table> void check_place(const Table& table, std::size_t place) {
    if (place >= table.size()) {
        throw py::index_error("there is no item " + std::to_string(place) + " in a table of " +
                              std::to_string(table.size()));
    }
}

// Appends all items or none. Returns whether there was room.
template <class Held> bool append_all(Held& held, std::string_view bytes) {
    const std::size_t count = bytes.size() / sizeof(typename Held::item);
    if (!held.table.reserve_hint(count)) {
        return false;
    }
    for (std::size_t place = 0; place < count; ++place) {
        held.table.append(item_at<typename Held::item>(bytes, place));
    }
    return true;
}

void bind_stack(py::module_& module) {
    using Table = LiveTable<Stack>;
    py::class_<Table>(module, "ScratchStack")
        .def(py::init([](std::shared_ptr<LiveHeap> heap, std::size_t item_bytes) {
                 return std::make_unique<Table>(std::move(heap), item_bytes, stack_name);
             }),
             py::arg("heap"), py::arg("item_bytes"))
        .def(
            "append",
            [](Table& self, std::string_view items) {
                if (!self.use([&](auto& held) { return append_all(held, items); })) {
                    self.raise_refusal(stack_name);
                }
            },
            py::arg("items"))
        .def(
            "reserve_hint",
            [](Table& self, std::size_t more) {
                return self.use([&](auto& held) { return held.table.reserve_hint(more); });
            },
            py::arg("more"))
        .def(
            "span_from",
            [](Table& self, std::size_t mark) {
                return self.use([&](auto& held) {
                    return bytes_of<typename std::decay_t<decltype(held)>::item>(
                        held.table.span_from(mark));
                });
            },
            py::arg("mark"))
        .def(
            "clear_from",
            [](Table& self, std::size_t mark) {
                self.use([&](auto& held) { held.table.clear_from(mark); });
            },
            py::arg("mark"))
        .def("free_capacity",
             [](Table& self) { self.use([](auto& held) { held.table.free_capacity(); }); })
        .def_property_readonly(
            "top",
            [](Table& self) { return self.use([](auto& held) { return held.table.top(); }); })
        .def_property_readonly("capacity", [](Table& self) {
            return self.use([](auto& held) { return held.table.capacity(); });
        });
}

void bind_store(py::module_& module) {
    using Table = LiveTable<Store>;
    py::class_<Table>(module, "ChunkedStore")
        .def(py::init([](std::shared_ptr<LiveHeap> heap, std::size_t item_bytes) {
                 return std::make_unique<Table>(std::move(heap), item_bytes, store_name);
             }),
             py::arg("heap"), py::arg("item_bytes"))
        .def(
            "append",
            [](Table& self, std::string_view item) {
                const std::size_t id = self.use([&](auto& held) {
                    using ItemType = typename std::decay_t<decltype(held)>::item;
                    check_one<ItemType>(item);
                    return held.table.append(item_at<ItemType>(item, 0));
                });
                if (id == SIZE_MAX) {
                    self.raise_refusal(store_name);
                }
                return id;
            },
            py::arg("item"))
        .def(
            "item",
            [](Table& self, std::size_t id) {
                return self.use([&](auto& held) {
                    check_place(held.table, id);
                    using ItemType = typename std::decay_t<decltype(held)>::item;
                    return bytes_of(std::span<const ItemType>(&held.table[id], 1));
                });
            },
            py::arg("id"))
        .def(
            "address_of",
            [](Table& self, std::size_t id) {
                return self.use([&](auto& held) {
                    check_place(held.table, id);
                    return reinterpret_cast<std::uintptr_t>(&held.table[id]);
                });
            },
            py::arg("id"))
        .def_property_readonly(
            "size",
            [](Table& self) { return self.use([](auto& held) { return held.table.size(); }); })
        .def_property_readonly("chunk_count", [](Table& self) {
            return self.use([](auto& held) { return held.table.chunk_count(); });
        });
}

// The items as a block of the other allocator, or none where there are no items.
std::unique_ptr<Block> seal(LiveTable<Builder>& self, std::shared_ptr<LiveHeap> into) {
    TableMemory arena(std::move(into), "sealed");
    return self.use([&](auto& held) -> std::unique_ptr<Block> {
        if (held.table.is_sealed()) {
            throw LiveError("Error", "the table is sealed already");
        }
        std::span<const typename std::decay_t<decltype(held)>::item> sealed;
        if (!held.table.seal(arena, sealed)) {
            arena.rethrow();
            PyErr_Format(PyExc_MemoryError, "%s: no room for a sealed table of %zu bytes",
                         arena.heap().allocator()->name(),
                         held.table.size() * sizeof(*sealed.data()));
            throw py::error_already_set();
        }
        return sealed.empty() ? nullptr : arena.release(sealed.data());
    });
}

void bind_builder(py::module_& module) {
    using Table = LiveTable<Builder>;
    py::class_<Table>(module, "SealedBuilder")
        .def(py::init([](std::shared_ptr<LiveHeap> heap, std::size_t item_bytes) {
                 return std::make_unique<Table>(std::move(heap), item_bytes, builder_name);
             }),
             py::arg("heap"), py::arg("item_bytes"))
        .def(
            "append",
            [](Table& self, std::string_view items) {
                const bool is_appended = self.use([&](auto& held) {
                    if (held.table.is_sealed()) {
                        throw LiveError("Error", "the table is sealed: nothing can be appended");
                    }
                    return append_all(held, items);
                });
                if (!is_appended) {
                    self.raise_refusal(builder_name);
                }
            },
            py::arg("items"))
        .def("seal", &seal, py::arg("arena"))
        .def("restart", [](Table& self) { self.use([](auto& held) { held.table.restart(); }); })
        .def_property_readonly(
            "is_sealed",
            [](Table& self) { return self.use([](auto& held) { return held.table.is_sealed(); }); })
        .def_property_readonly("size", [](Table& self) {
            return self.use([](auto& held) { return held.table.size(); });
        });
}

// A sealed table, whatever its items are.
struct SealedBytes {
    std::span<const std::byte> bytes;
    template <class ItemType> operator std::span<const ItemType>() const {
        return {reinterpret_cast<const ItemType*>(bytes.data()), bytes.size() / sizeof(ItemType)};
    }
};

std::unique_ptr<LiveTable<Side>> make_side(std::shared_ptr<LiveHeap> heap,
                                           const py::array& sealed) {
    const auto item_bytes = static_cast<std::size_t>(sealed.itemsize());
    const auto address = reinterpret_cast<std::uintptr_t>(sealed.data());
    if (sealed.ndim() != 1 || (sealed.flags() & py::array::c_style) == 0 ||
        address % item_alignment(item_bytes) != 0) {
        throw LiveError("UsageError", "a sealed table is one row of items, side by side, at a "
                                      "multiple of what their size may need");
    }
    const SealedBytes bytes{
        {static_cast<const std::byte*>(sealed.data()), static_cast<std::size_t>(sealed.nbytes())}};
    return std::make_unique<LiveTable<Side>>(std::move(heap), item_bytes, side_name, bytes);
}

void bind_side(py::module_& module) {
    using Table = LiveTable<Side>;
    py::class_<Table>(module, "SideTable")
        .def(py::init(&make_side), py::arg("heap"), py::arg("sealed"), py::keep_alive<1, 3>())
        .def(
            "item",
            [](Table& self, std::size_t place) {
                return self.use([&](auto& held) {
                    using ItemType = typename std::decay_t<decltype(held)>::item;
                    check_place(held.table, place);
                    return bytes_of(std::span<const ItemType>(&held.table[place], 1));
                });
            },
            py::arg("place"))
        .def(
            "set",
            [](Table& self, std::size_t place, std::string_view item) {
                const bool is_set = self.use([&](auto& held) {
                    using ItemType = typename std::decay_t<decltype(held)>::item;
                    check_place(held.table, place);
                    check_one<ItemType>(item);
                    return held.table.set(place, item_at<ItemType>(item, 0));
                });
                if (!is_set) {
                    self.raise_refusal(side_name);
                }
            },
            py::arg("place"), py::arg("item"))
        .def("clear", [](Table& self) { self.use([](auto& held) { held.table.clear(); }); })
        .def_property_readonly(
            "size",
            [](Table& self) { return self.use([](auto& held) { return held.table.size(); }); })
        .def_property_readonly("changed_count", [](Table& self) {
            return self.use([](auto& held) { return held.table.changed_count(); });
        });
}

} // namespace

void bind_tables(py::module_& module) {
    bind_stack(module);
    bind_store(module);
    bind_builder(module);
    bind_side(module);
}

} // namespace alloclab::bindings
