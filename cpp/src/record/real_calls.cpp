// SPDX-License-Identifier: MIT
#include <alloclab/record/real_calls.hpp>

#include <alloclab/base/bits.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/system_call.hpp>

#include <cstring>
#include <dlfcn.h>
#include <initializer_list>
#include <link.h>

namespace alloclab::record {

namespace {

RealCalls calls;
RareLock resolve_lock;
bool is_resolved;
__thread bool is_resolving_here;

constexpr std::size_t bootstrap_bytes = 16 << 10;
alignas(64) char bootstrap[bootstrap_bytes];
std::size_t bootstrap_used;

// Finds the object whose code holds the address in `wanted`.
struct ObjectSearch {
    std::uintptr_t wanted;
    std::uintptr_t begin;
    std::uintptr_t end;
    const char* path;
};

int look_into_object(dl_phdr_info* object, std::size_t, void* search_argument) {
    auto& search = *static_cast<ObjectSearch*>(search_argument);
    std::uintptr_t begin = UINTPTR_MAX;
    std::uintptr_t end = 0;
    for (int header_idx = 0; header_idx < object->dlpi_phnum; ++header_idx) {
        const auto& header = object->dlpi_phdr[header_idx];
        if (header.p_type != PT_LOAD)
            continue;
        const std::uintptr_t first = object->dlpi_addr + header.p_vaddr;
        begin = first < begin ? first : begin;
        end = first + header.p_memsz > end ? first + header.p_memsz : end;
    }
    if (search.wanted < begin || search.wanted >= end)
        return 0;
    search.begin = begin;
    search.end = end;
    search.path = object->dlpi_name;
    return 1;
}

ObjectSearch find_object(const void* address) {
    ObjectSearch search{reinterpret_cast<std::uintptr_t>(address), 0, 0, ""};
    dl_iterate_phdr(look_into_object, &search);
    return search;
}

template <class Function> void look_up(Function*& function, const char* name) {
    function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// Whether another copy of this library stands in front: where a recording is recorded.
bool is_of_our_name(const char* path, const char* our_path) {
    const char* const name = std::strrchr(path, '/');
    const char* const our_name = std::strrchr(our_path, '/');
    return name != nullptr && our_name != nullptr && std::strcmp(name, our_name) == 0;
}

// Whether calls of malloc reach another object's. An executable at a fixed place that takes
// malloc's address has a stub of that name, an undefined symbol: it leads to ours.
bool is_malloc_foreign() {
    const void* const seen = dlsym(RTLD_DEFAULT, "malloc");
    const ObjectSearch ours = find_object(reinterpret_cast<void*>(&find_object));
    const auto address = reinterpret_cast<std::uintptr_t>(seen);
    if (address >= ours.begin && address < ours.end)
        return false;
    if (is_of_our_name(find_object(seen).path, ours.path))
        return false;
    Dl_info object{};
    void* entry = nullptr;
    if (dladdr1(seen, &object, &entry, RTLD_DL_SYMENT) == 0 || entry == nullptr)
        return true;
    return static_cast<const ElfW(Sym)*>(entry)->st_shndx != SHN_UNDEF;
}

void find_allocator() {
    const ObjectSearch object = find_object(reinterpret_cast<void*>(calls.malloc));
    calls.allocator_begin = object.begin;
    calls.allocator_end = object.end;
    const char* const path = object.path;
    const std::size_t length = std::strlen(path);
    std::memcpy(calls.allocator_path, path,
                length < sizeof calls.allocator_path ? length : sizeof calls.allocator_path - 1);
    calls.is_malloc_foreign = is_malloc_foreign();
}

// A library that was loaded for some objects only (an interpreter's extension and the C++ library
// it needs) is not behind ours, though calls from there come to us. Such a library stays loaded
// then.
void* function_of_local_object(const char* name) {
    const ObjectSearch ours = find_object(reinterpret_cast<void*>(&find_object));
    for (const link_map* object = _r_debug.r_map; object != nullptr; object = object->l_next) {
        if (object->l_name == nullptr || object->l_name[0] == '\0')
            continue; // the program, whose scope was searched
        void* const handle = dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD);
        if (handle == nullptr)
            continue;
        void* const found = dlsym(handle, name);
        const auto address = reinterpret_cast<std::uintptr_t>(found);
        if (found != nullptr && (address < ours.begin || address >= ours.end))
            return found;
        dlclose(handle);
    }
    return nullptr;
}

} // namespace

void resolve_real_calls() {
    if (is_resolving_here || __atomic_load_n(&is_resolved, __ATOMIC_ACQUIRE))
        return;
    RareGuard guard(resolve_lock);
    if (is_resolved)
        return;
    is_resolving_here = true;
    look_up(calls.calloc, "calloc");
    look_up(calls.malloc, "malloc");
    look_up(calls.free, "free");
    look_up(calls.realloc, "realloc");
    look_up(calls.posix_memalign, "posix_memalign");
    look_up(calls.aligned_alloc, "aligned_alloc");
    look_up(calls.memalign, "memalign");
    look_up(calls.valloc, "valloc");
    look_up(calls.pvalloc, "pvalloc");
    find_allocator();
    is_resolving_here = false;
    __atomic_store_n(&is_resolved, true, __ATOMIC_RELEASE);
}

const RealCalls& real_calls() {
    resolve_real_calls();
    return calls;
}

void note_calls_arrive() {
    calls.is_malloc_foreign = false;
    if (process.header != nullptr)
        process.header->has_own_malloc = 0;
}

void* next_function(const char* name) {
    void* const found = dlsym(RTLD_NEXT, name);
    return found != nullptr ? found : function_of_local_object(name);
}

void* bootstrap_allocate(std::size_t size, std::size_t alignment) {
    const std::size_t step = alignment < 16 ? 16 : alignment;
    const std::size_t before = align_up(bootstrap_used, step);
    if (step > sizeof bootstrap || size > sizeof bootstrap || before + size > sizeof bootstrap)
        return nullptr;
    bootstrap_used = before + size;
    return bootstrap + before;
}

bool is_bootstrap(const void* p) {
    return reinterpret_cast<std::uintptr_t>(p) - reinterpret_cast<std::uintptr_t>(bootstrap) <
           sizeof bootstrap;
}

std::size_t bootstrap_bytes_from(const void* p, std::size_t size) {
    const auto rest =
        static_cast<std::size_t>(bootstrap + sizeof bootstrap - static_cast<const char*>(p));
    return size < rest ? size : rest;
}

bool is_resolving() {
    return is_resolving_here;
}

bool is_allocator_code(const void* address) {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    return at >= calls.allocator_begin && at < calls.allocator_end;
}

} // namespace alloclab::record
