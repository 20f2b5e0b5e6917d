// SPDX-License-Identifier: MIT
#include <alloclab/record/thread_stacks.hpp>

#include <alloclab/record/memory_maps.hpp>
#include <alloclab/record/stack_reader.hpp>
#include <alloclab/record/system_call.hpp>
#include <alloclab/record/text.hpp>

namespace alloclab::record {

namespace {

struct SeenStack {
    std::int32_t thread; // 0: a free slot
    StackPlace place;
};
constexpr std::size_t most_seen = 1 << 16;

SeenStack* seen_stacks; // in shared memory, as all tables of the recorder
std::uint32_t seen_count;
RareLock lock;
__thread SeenStack* own_stack;

SeenStack* take_slot() {
    RareGuard guard(lock);
    if (seen_stacks == nullptr)
        seen_stacks = static_cast<SeenStack*>(map_shared(most_seen * sizeof(SeenStack)));
    if (seen_stacks == nullptr)
        return nullptr;
    std::uint32_t slot = 0;
    while (slot < seen_count && seen_stacks[slot].thread != 0)
        ++slot;
    if (slot == most_seen)
        return nullptr;
    seen_stacks[slot].place = {0, control_block()};
    seen_stacks[slot].thread = static_cast<std::int32_t>(system_call(SYS_gettid));
    if (slot == seen_count)
        __atomic_store_n(&seen_count, slot + 1, __ATOMIC_RELEASE);
    return &seen_stacks[slot];
}

StackPlace seen_place(long thread) {
    const std::uint32_t count = __atomic_load_n(&seen_count, __ATOMIC_ACQUIRE);
    for (std::uint32_t slot = 0; slot < count; ++slot)
        if (seen_stacks[slot].thread == thread)
            return seen_stacks[slot].place;
    return {};
}

// What is read of a file of /proc that a thread has.
struct ThreadFile {
    explicit ThreadFile(long thread) {
        char path[64];
        char* const end = put_text(path, "/proc/self/task/");
        put_text(put_number(end, static_cast<std::uint64_t>(thread)), "/syscall");
        const long file = open_read_only(path);
        if (is_error(file))
            return;
        const long got = system_call(SYS_read, file, address_argument(text), sizeof text);
        bytes = is_error(got) ? 0 : static_cast<std::size_t>(got);
        system_call(SYS_close, file);
    }

    char text[256];
    std::size_t bytes = 0;
};

// The last but one number of the line, the stack pointer; 0 where it says "running".
std::uintptr_t kernel_sp(const ThreadFile& file) {
    std::uintptr_t before = 0;
    std::uintptr_t number = 0;
    for (std::size_t at = 0; at < file.bytes && file.text[at] != '\n'; ++at) {
        const char c = file.text[at];
        if (c == ' ') {
            before = number;
            number = 0;
        } else if (c != 'x' && c != '-') {
            const bool is_letter = c >= 'a';
            if ((c < '0' || c > '9') && (!is_letter || c > 'f'))
                return 0;
            number = number * 16 + static_cast<std::uintptr_t>(is_letter ? c - 'a' + 10 : c - '0');
        }
    }
    return before;
}

long number_of(const char* name) {
    long number = 0;
    for (; *name >= '0' && *name <= '9'; ++name)
        number = number * 10 + (*name - '0');
    return *name == '\0' ? number : 0;
}

struct ListedFile { // as getdents64 gives it
    std::uint64_t inode;
    std::int64_t offset;
    std::uint16_t bytes;
    std::uint8_t type;
    char name[1]; // to its end
};

// Calls `visitor(name)` for each file of a folder.
template <class Visitor> void visit_files(const char* folder, Visitor&& visitor) {
    const long list = open_read_only(folder);
    alignas(ListedFile) char text[1024];
    for (long got = 0;
         !is_error(list) &&
         (got = system_call(SYS_getdents64, list, address_argument(text), sizeof text)) > 0;) {
        for (long at = 0; at < got;) {
            const auto& file = *reinterpret_cast<const ListedFile*>(text + at);
            visitor(static_cast<const char*>(file.name));
            at += file.bytes;
        }
    }
    if (!is_error(list))
        system_call(SYS_close, list);
}

} // namespace

void note_stack(const void* frame_address) {
    if (own_stack == nullptr && (own_stack = take_slot()) == nullptr)
        return;
    __atomic_store_n(&own_stack->place.sp, reinterpret_cast<std::uintptr_t>(frame_address),
                     __ATOMIC_RELAXED);
}

void forget_own_stack() {
    if (own_stack != nullptr)
        __atomic_store_n(&own_stack->thread, 0, __ATOMIC_RELEASE);
    own_stack = nullptr;
}

std::size_t find_stacks(const void* frame_address, StackPlace* places, std::size_t most) {
    std::size_t count = 0;
    const long own = system_call(SYS_gettid);
    places[count++] = {reinterpret_cast<std::uintptr_t>(frame_address), control_block()};
    visit_files("/proc/self/task", [&](const char* name) {
        const long thread = number_of(name);
        if (thread == 0 || thread == own || count == most)
            return;
        StackPlace place = seen_place(thread);
        if (const std::uintptr_t sp = kernel_sp(ThreadFile(thread)); sp != 0)
            place.sp = sp;
        if (place.sp != 0)
            places[count++] = place;
    });
    return count;
}

void forget_stacks() {
    lock.reset();
    if (seen_stacks != nullptr)
        unmap_memory(seen_stacks, most_seen * sizeof(SeenStack));
    seen_stacks = nullptr;
    seen_count = 0;
    own_stack = nullptr;
}

} // namespace alloclab::record
