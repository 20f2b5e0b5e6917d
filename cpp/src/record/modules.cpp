// SPDX-License-Identifier: MIT
#include <alloclab/record/modules.hpp>

#include <alloclab/record/append.hpp>
#include <alloclab/record/module_image.hpp>
#include <alloclab/record/names.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/python_frames.hpp>

#include <cstring>
#include <dlfcn.h>
#include <link.h>

namespace alloclab::record {

using namespace capture;

namespace {

constexpr std::size_t most_modules = 4096;
constexpr std::size_t most_tries = 10'000; // to read while another thread writes

// Sorted by address. Shared memory, because it does not count as the program's anonymous memory.
// Readers take no lock: they read `version` before and after, and again if it moved or is odd.
struct List {
    std::uint32_t version;
    std::uint32_t count;
    Module modules[most_modules];
};

List* list;
RareLock lock;
std::uint32_t generation = 1;
std::uint32_t closing_count;

#ifdef DLFO_STRUCT_HAS_EH_DBASE
using Find = int(void*, dl_find_object*);
Find* find_object;

bool ask_loader(std::uintptr_t address, Module& found) {
    dl_find_object object{};
    if (find_object == nullptr || find_object(reinterpret_cast<void*>(address), &object) != 0)
        return false;
    const link_map* const map = object.dlfo_link_map;
    found = Module{};
    found.begin = reinterpret_cast<std::uintptr_t>(object.dlfo_map_start);
    found.end = reinterpret_cast<std::uintptr_t>(object.dlfo_map_end);
    found.bias = map->l_addr;
    found.name = map->l_name;
    found.link_map = map;
    return true;
}
#else
bool ask_loader(std::uintptr_t, Module&) {
    return false;
}
#endif

void look_up_finder() {
#ifdef DLFO_STRUCT_HAS_EH_DBASE
    find_object = reinterpret_cast<Find*>(dlsym(RTLD_DEFAULT, "_dl_find_object"));
#endif
}

bool ensure_list() {
    if (list == nullptr)
        list = static_cast<List*>(map_shared(sizeof(List)));
    return list != nullptr;
}

// The first module that ends above `address`.
std::size_t first_above(const List& modules, std::uintptr_t address) {
    std::size_t low = 0;
    std::size_t high = modules.count < most_modules ? modules.count : most_modules;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (modules.modules[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// The following three change the list. Require: the lock is held.
void begin_change() {
    __atomic_store_n(&list->version, list->version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}
void end_change() {
    __atomic_store_n(&list->version, list->version + 1, __ATOMIC_RELEASE);
}
void insert(const Module& module) {
    const std::size_t at = first_above(*list, module.begin);
    const bool is_known = at < list->count && list->modules[at].begin < module.end;
    if (is_known || list->count == most_modules)
        return;
    begin_change();
    std::memmove(list->modules + at + 1, list->modules + at, (list->count - at) * sizeof(Module));
    list->modules[at] = module;
    ++list->count;
    end_change();
    meet_python(module);
}

bool find_listed(std::uintptr_t address, Module& found) {
    const List* const modules = __atomic_load_n(&list, __ATOMIC_ACQUIRE);
    if (modules == nullptr)
        return false;
    for (std::size_t try_idx = 0; try_idx < most_tries; ++try_idx) {
        const std::uint32_t before = __atomic_load_n(&modules->version, __ATOMIC_ACQUIRE);
        const std::size_t at = first_above(*modules, address);
        const bool is_found = at < most_modules && at < modules->count;
        if (is_found)
            found = modules->modules[at];
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (before % 2 == 0 && before == __atomic_load_n(&modules->version, __ATOMIC_RELAXED))
            return is_found && found.begin <= address && address < found.end;
        system_call(SYS_sched_yield); // the writer blocks signals: it is another thread
    }
    return false;
}

int list_object(dl_phdr_info* object, std::size_t, void*) {
    Module module{};
    module.bias = object->dlpi_addr;
    module.name = object->dlpi_name;
    if (read_headers(object->dlpi_phdr, object->dlpi_phnum, module))
        insert(module);
    return 0;
}

// Of the process whose capture this is, as Module::told_generation counts it.
std::uint64_t told_now() {
    return process.generation + std::uint64_t{1};
}

void append_change(const Module& module, ModuleChange change) {
    append_event(EventBytes(Code::module)
                     .put(static_cast<std::uint64_t>(change))
                     .put(std::uint64_t{module.begin})
                     .put(std::uint64_t{module.end})
                     .put(std::uint64_t{module.path_name})
                     .put(std::uint64_t{module.build_id_name})
                     .put(std::uint64_t{module.bias}));
}

// Requires: the lock is held. The signals it blocks keep handlers away from this thread's lane.
void append_mapped(Module& module) {
    static char text[4096]; // no thread's stack has to have room for it
    module.path_name = intern_name(text, module_path(module, text, sizeof text));
    module.build_id_name = intern_name(text, build_id_text(module, text, sizeof text));
    if (module.path_name == no_name || module.build_id_name == no_name)
        return;
    append_change(module, ModuleChange::mapped);
    module.told_generation = told_now();
}

// Whether the loader has another object at its place now, or none.
bool is_gone(const Module& module) {
    if (module.link_map == nullptr)
        return false;
    Module now{};
    return !ask_loader(module.begin, now) || now.link_map != module.link_map ||
           now.end != module.end;
}

// Requires: the lock is held.
void remove_if_gone(std::size_t at) {
    Module& module = list->modules[at];
    if (!is_gone(module))
        return;
    const Module gone = module;
    lose_python(gone);
    begin_change();
    std::memmove(&module, &module + 1, (list->count - at - 1) * sizeof(Module));
    --list->count;
    end_change();
    if (gone.told_generation == told_now())
        append_change(gone, ModuleChange::gone);
    __atomic_store_n(&generation, generation + 1, __ATOMIC_RELEASE);
}

// Requires: the lock is held. Takes the object of the address into the list, if it is not there.
void list_opened(std::uintptr_t address) {
    Module module{};
    if (!ask_loader(address, module))
        return;
    const std::uintptr_t end = module.end; // as is_gone() will be told it
    if (!read_image_headers(module))
        return;
    module.end = end;
    insert(module);
}

} // namespace

void list_modules() {
    RareGuard guard(lock);
    if (!ensure_list())
        return;
    look_up_finder();
    dl_iterate_phdr(list_object, nullptr);
    for (std::size_t module_idx = 0; module_idx < list->count && is_recording(); ++module_idx)
        if (list->modules[module_idx].told_generation != told_now())
            append_mapped(list->modules[module_idx]);
}

bool find_module(std::uintptr_t address, Module& found) {
    if (find_listed(address, found))
        return true;
    Module opened{};
    if (!ask_loader(address, opened) || is_closing_modules())
        return false;
    {
        RareGuard guard(lock);
        if (!ensure_list())
            return false;
        list_opened(address);
    }
    return find_listed(address, found);
}

void tell_module(std::uintptr_t address) {
    Module found{};
    if (!find_module(address, found))
        return;
    if (found.told_generation == told_now() && !is_gone(found))
        return;
    RareGuard guard(lock);
    std::size_t at = first_above(*list, address);
    if (at < list->count && list->modules[at].begin <= address)
        remove_if_gone(at);
    list_opened(address);
    at = first_above(*list, address);
    if (at < list->count && list->modules[at].begin <= address &&
        list->modules[at].told_generation != told_now())
        append_mapped(list->modules[at]);
}

void expect_module_gone() {
    __atomic_fetch_add(&closing_count, 1, __ATOMIC_ACQ_REL);
}

void forget_gone_modules() {
    {
        RareGuard guard(lock);
        for (std::size_t at = list != nullptr ? list->count : 0; at > 0; --at)
            remove_if_gone(at - 1);
    }
    __atomic_fetch_sub(&closing_count, 1, __ATOMIC_ACQ_REL);
}

bool is_closing_modules() {
    return __atomic_load_n(&closing_count, __ATOMIC_ACQUIRE) != 0;
}

std::uint32_t modules_generation() {
    return __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
}

void keep_modules_in_child() {
    lock.reset();
    closing_count = 0;
    List* const parents = list;
    list = nullptr;
    if (parents == nullptr || !ensure_list())
        return;
    // The parent may be changing its list at this very moment: then the loader's has to do.
    const std::uint32_t before = __atomic_load_n(&parents->version, __ATOMIC_ACQUIRE);
    const std::uint32_t count = parents->count < most_modules ? parents->count : most_modules;
    std::memcpy(list->modules, parents->modules, count * sizeof(Module));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (before % 2 == 0 && before == __atomic_load_n(&parents->version, __ATOMIC_RELAXED))
        list->count = count;
    unmap_memory(parents, sizeof(List));
}

} // namespace alloclab::record
