// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace alloclab {

// What an event of a sealed trace is. The number is the byte in the file (docs/trace-format.md);
// an allocation's low four bits say which call it came from (AllocationCall).
enum class EventKind : std::uint8_t {
    allocate = 0x00,          // creates an object: size, alignment
    allocate_failed = 0x10,   // returned null: size, alignment; no object
    free = 0x20,              // object ends
    free_null = 0x21,         // free(NULL): counted, nothing ends
    reallocate = 0x22,        // object, new size; the id stays
    reallocate_failed = 0x23, // object, size that was not to be had
    reallocate_zero = 0x24,   // realloc(p, 0) that freed: object ends
    map = 0x30,               // creates an object, a region: size
    map_reserved = 0x31,      // the same without access (PROT_NONE)
    split = 0x32,             // region object, size: what lies from there on is a new object
    unmap = 0x33,             // region object ends; part of a region is split off first
    remap = 0x34,             // region object, new size
    discard = 0x35,           // region object, size given back (MADV_DONTNEED); values: offset
    scope_enter = 0x40,       // values: instance, kind name, name
    scope_exit = 0x41,        // values: instance
    reset = 0x42,             // values: scope instance
    transfer = 0x43,          // object; values: scope instance or no_scope
    mark = 0x44,              // values: name
    reference = 0x50,         // object; values: slot, target object + 1 (0: null)
    root_push = 0x51,         // values: object + 1
    root_pop = 0x52,          // values: count
    root_set = 0x53,          // values: index, object + 1
    thread_start = 0x60,      // the event's thread
    thread_exit = 0x61,
    footprint = 0x70, // values: resident anonymous bytes, resident file bytes, page faults
    gap = 0x71,       // values: events lost here
};

// In place of a scope instance: the block belongs to none from here on.
inline constexpr std::uint64_t no_scope = ~std::uint64_t{0};

// Which columns an event draws operands from, in this order.
struct Operands {
    bool object = false;
    bool size = false;
    bool alignment = false;
    std::uint8_t values = 0;
    bool is_known = true;
    bool creates_object = false;
    bool ends_object = false;
};

constexpr std::uint8_t allocation_call_count = 9;

// True for the four calls that name an alignment of their own.
constexpr bool call_has_alignment(std::uint8_t call) {
    return call >= 4 && call <= 6;
}

// The operands of the event whose code is `code`; `is_known` is false for a code this version does
// not define.
constexpr Operands operands_of(std::uint8_t code) {
    if (code < 0x20) {
        const std::uint8_t call = code & 0x0f;
        return {.size = true,
                .alignment = call_has_alignment(call),
                .is_known = call < allocation_call_count,
                .creates_object = code < 0x10};
    }
    switch (static_cast<EventKind>(code)) {
    case EventKind::free:
    case EventKind::reallocate_zero:
    case EventKind::unmap:
        return {.object = true, .ends_object = true};
    case EventKind::reallocate:
    case EventKind::reallocate_failed:
    case EventKind::remap:
        return {.object = true, .size = true};
    case EventKind::map:
    case EventKind::map_reserved:
        return {.size = true, .creates_object = true};
    case EventKind::split:
        return {.object = true, .size = true, .creates_object = true};
    case EventKind::discard:
        return {.object = true, .size = true, .values = 1};
    case EventKind::scope_enter:
        return {.values = 3};
    case EventKind::transfer:
        return {.object = true, .values = 1};
    case EventKind::reference:
        return {.object = true, .values = 2};
    case EventKind::scope_exit:
    case EventKind::reset:
    case EventKind::mark:
    case EventKind::root_push:
    case EventKind::root_pop:
    case EventKind::gap:
        return {.values = 1};
    case EventKind::root_set:
        return {.values = 2};
    case EventKind::footprint:
        return {.values = 3};
    case EventKind::free_null:
    case EventKind::thread_start:
    case EventKind::thread_exit:
        return {};
    default:
        return {.is_known = false};
    }
}

// True for the events that may have a call site and a tag: those that ask for memory.
constexpr bool has_site(std::uint8_t code) {
    return code < 0x20 || code == static_cast<std::uint8_t>(EventKind::reallocate);
}

// True for the events that are one call to the program's allocator, the denominator of every
// per-event figure.
constexpr bool is_allocator_call(std::uint8_t code) {
    return code < 0x30;
}

// The kind without the call: 0x00 for every allocate, 0x10 for every failed one.
constexpr EventKind kind_of(std::uint8_t code) {
    return static_cast<EventKind>(code < 0x20 ? code & 0xf0 : code);
}

// The name in Python, JSON and the documents, for instance "reallocate_failed".
std::string_view event_kind_name(EventKind kind);

// One event with its operands; fields its kind does not have are zero.
struct Event {
    std::uint8_t code{};
    std::uint8_t alignment_log2{}; // 0: the call's default
    std::uint32_t thread{};
    std::uint64_t object{};
    std::uint64_t size{};
    std::uint64_t values[3]{};
    // Written with what has_site(); read from columns of their own (ChunkColumns).
    std::uint32_t site{}; // stack + 1; 0: unknown
    std::uint32_t tag{};  // name + 1; 0: none
};

} // namespace alloclab
