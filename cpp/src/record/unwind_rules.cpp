// SPDX-License-Identifier: MIT
#include <alloclab/record/unwind_rules.hpp>

#include <alloclab/record/lane.hpp>
#include <alloclab/record/modules.hpp>
#include <alloclab/record/system_call.hpp>

#include <cstddef>

namespace alloclab::record {

namespace {

// A cache: where it is full, a new rule takes an old one's slot. Shared memory, because it does not
// count as the program's anonymous memory.
struct Slot {
    std::uint64_t key; // 0: none, 1: being filled
    Rule rule;
};
constexpr unsigned slot_bits = 18;
constexpr std::size_t slot_count = std::size_t{1} << slot_bits;
constexpr std::size_t most_probes = 4; // one cache line
constexpr std::uint64_t being_filled = 1;

Slot* slots;

bool ensure_slots() {
    if (__atomic_load_n(&slots, __ATOMIC_ACQUIRE) != nullptr)
        return true;
    void* const mapped = map_shared(slot_count * sizeof(Slot));
    if (mapped == nullptr)
        return false;
    Slot* expected = nullptr;
    if (!__atomic_compare_exchange_n(&slots, &expected, static_cast<Slot*>(mapped), false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        unmap_memory(mapped, slot_count * sizeof(Slot));
    return true;
}

// Rules of an object that is gone stay behind under its generation, which no one asks for again.
std::uint64_t key_of(std::uintptr_t pc) {
    return pc ^ static_cast<std::uint64_t>(modules_generation()) << 48;
}

// The first slot of the cache line where a key belongs.
Slot* line_of(std::uint64_t key) {
    const std::uint64_t hash = key * 0x9e3779b97f4a7c15U >> (64 - slot_bits);
    return slots + (hash & ~std::uint64_t{most_probes - 1});
}

void keep_rule(std::uint64_t key, Rule rule) {
    Slot* const line = line_of(key);
    Slot* slot = line + (key * 0x9e3779b97f4a7c15U >> 20) % most_probes;
    for (std::size_t probe_idx = 0; probe_idx < most_probes; ++probe_idx)
        if (line[probe_idx].key == 0) {
            slot = line + probe_idx;
            break;
        }
    // A reader that looks in the midst of this finds another key before or after.
    std::uint64_t before = __atomic_load_n(&slot->key, __ATOMIC_RELAXED);
    if (before == being_filled ||
        !__atomic_compare_exchange_n(&slot->key, &before, being_filled, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return;
    __atomic_store(&slot->rule, &rule, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->key, key, __ATOMIC_RELEASE);
}

[[gnu::noinline]] Rule find_rule(std::uintptr_t pc, std::uint64_t key) {
    Module module{};
    if (!find_module(pc, module))
        return {}; // code nobody describes; what comes to lie there later may be described
    if (module.link_map != nullptr && is_closing_modules())
        return {};
    const Rule rule = read_rule(module, pc);
    keep_rule(key, rule);
    return rule;
}

} // namespace

Rule rule_at(std::uintptr_t pc) {
    if (__builtin_expect(slots == nullptr, false) && !ensure_slots())
        return {};
    const std::uint64_t key = key_of(pc);
    const Slot* const line = line_of(key);
    for (std::size_t probe_idx = 0; probe_idx < most_probes; ++probe_idx) {
        const Slot& slot = line[probe_idx];
        if (__atomic_load_n(&slot.key, __ATOMIC_ACQUIRE) != key)
            continue;
        Rule rule{};
        __atomic_load(&slot.rule, &rule, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&slot.key, __ATOMIC_RELAXED) == key)
            return rule;
    }
    return find_rule(pc, key);
}

void forget_rules() {
    if (slots != nullptr)
        unmap_memory(slots, slot_count * sizeof(Slot));
    slots = nullptr;
}

} // namespace alloclab::record
