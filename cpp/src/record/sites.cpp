// SPDX-License-Identifier: MIT
#include <alloclab/record/sites.hpp>

#include <alloclab/base/units.hpp>
#include <alloclab/record/append.hpp>
#include <alloclab/record/modules.hpp>
#include <alloclab/record/number_table.hpp>
#include <alloclab/record/options.hpp>
#include <alloclab/record/process.hpp>
#include <alloclab/record/python_frames.hpp>

#include <array>
#include <cstring>

namespace alloclab::record {

using namespace capture;

std::uint32_t site_depth;

namespace {

// What a thread knows of its stacks. The tables' slots lie in shared memory, this does not: of a
// child cloned behind the recorder's back neither process must follow the other's pointers.
struct ThreadSites {
    KnownStack stack;
    NumberTable stacks; // hash of a stack -> frame
    NumberTable frames; // address or Python frame's key, frame of the caller -> frame
    std::uint32_t frame_count;
    std::uint32_t modules_generation; // that the tables hold for
    Caller outer;                     // who called an outer entry point of ours; pc 0: no one
    // The stack told last, outermost first: the next often begins the same.
    std::uint32_t told_count;
    std::uint32_t told_frames[most_frames];
    std::uintptr_t told_addresses[most_frames];
};
// Mapped at the thread's first site: thread-local variables are carved out of each thread's stack,
// of which there may be as little as 16 KiB.
__thread ThreadSites* thread_sites;

ThreadSites* ensure_sites() {
    if (__builtin_expect(thread_sites == nullptr, false))
        thread_sites = static_cast<ThreadSites*>(map_memory(
            sizeof(ThreadSites), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    return thread_sites;
}

// A stack as it was found: native frames, and outside them Python ones where there are any.
struct FoundStack {
    const std::uintptr_t* addresses; // innermost first; of a Python frame its key
    Walk walk;
    std::size_t native_count;
    const PythonFrame* python; // walk.count - native_count
};

constexpr std::uint32_t most_thread_frames = 1 << 22;

std::uintptr_t own_begin; // of this library's code
std::uintptr_t own_end;

// Odd numbers without a pattern (splitmix64).
constexpr std::array<std::uint64_t, most_frames> make_factors() {
    std::array<std::uint64_t, most_frames> factors{};
    std::uint64_t state = 0;
    for (std::uint64_t& factor : factors) {
        state += 0x9e3779b97f4a7c15U;
        std::uint64_t mixed = (state ^ state >> 30) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebU;
        factor = (mixed ^ mixed >> 31) | 1;
    }
    return factors;
}
constexpr std::array<std::uint64_t, most_frames> factors = make_factors();

// A sum of products with fixed odd factors: one address has a hash of its own, and two stacks of
// more share one with a probability of about 2^-60 (the lowest differing bits are lost to it). Of a
// million stacks, any two then share theirs once in some two million recordings; they would be
// told as one.
std::uint64_t hash_of(const std::uintptr_t* addresses, std::size_t count) {
    std::uint64_t sum = 0;
    for (std::size_t address_idx = 0; address_idx < count; ++address_idx)
        sum += addresses[address_idx] * factors[address_idx];
    return sum != 0 ? sum : 1;
}

// Tells a new frame. Returns its number, or 0 when that could not be.
std::uint32_t tell_frame(ThreadSites& sites, std::uint32_t parent, std::uintptr_t address,
                         const PythonFrame* python) {
    if (sites.frame_count == most_thread_frames) {
        __atomic_fetch_add(&process.header->lost_frames, 1, __ATOMIC_RELAXED);
        return 0;
    }
    if (python == nullptr)
        tell_module(address - 1);
    LaneHold hold;
    if (!hold || &*hold != &thread_lanes.own)
        return 0;
    const std::uint64_t word = python == nullptr ? address : python_frame_word(hold, *python);
    if (word == 0)
        return 0;
    EventBytes event(Code::frame);
    event.put(std::uint64_t{parent}).put(word);
    if (!hold.make_room(event.count()))
        return 0;
    hold.append(event);
    // Counted as soon as it is told: a reader counts the same.
    const std::uint32_t number = ++sites.frame_count;
    return sites.frames.insert(address, parent, number) ? number : 0;
}

// Finds or tells a stack's frames, from the outermost in.
[[gnu::noinline]] std::uint32_t tell_stack(ThreadSites& sites, const FoundStack& stack,
                                           std::uint64_t hash) {
    const Walk& walk = stack.walk;
    std::uint32_t frame = 0;
    std::size_t outer_idx = 0;
    for (; outer_idx < walk.count && outer_idx < sites.told_count &&
           sites.told_addresses[outer_idx] == stack.addresses[walk.count - 1 - outer_idx];
         ++outer_idx)
        frame = sites.told_frames[outer_idx];
    for (; outer_idx < walk.count; ++outer_idx) {
        const std::size_t inner_idx = walk.count - 1 - outer_idx;
        const std::uintptr_t address = stack.addresses[inner_idx];
        const std::uint32_t known = sites.frames.find(address, frame);
        const bool is_native = inner_idx < stack.native_count;
        const PythonFrame* const python =
            is_native ? nullptr : stack.python + inner_idx - stack.native_count;
        frame = known != 0 ? known : tell_frame(sites, frame, address, python);
        if (frame == 0) {
            sites.told_count = 0;
            return 0;
        }
        sites.told_addresses[outer_idx] = address;
        sites.told_frames[outer_idx] = frame;
    }
    sites.told_count = static_cast<std::uint32_t>(walk.count);
    if (walk.is_cut)
        __atomic_fetch_add(&process.header->cut_stacks, 1, __ATOMIC_RELAXED);
    sites.stacks.insert(hash, 0, frame);
    return frame;
}

// What was known of addresses does not hold: another object may lie there now.
[[gnu::noinline]] void forget_addresses(ThreadSites& sites, std::uint32_t generation) {
    sites.stacks.clear();
    sites.frames.clear();
    sites.stack.count = 0;
    sites.told_count = 0;
    sites.modules_generation = generation;
}

bool is_own_code(std::uintptr_t pc) {
    return pc - own_begin < own_end - own_begin;
}

// Whether an outer entry point named its caller and has not been left by an exception since: its
// frame lies close above, and still holds the return address.
bool has_outer(const ThreadSites& sites, std::uintptr_t sp) {
    constexpr std::uintptr_t most_between_bytes = 1024;
    const std::uintptr_t at = sites.outer.sp - 8;
    if (sites.outer.pc == 0 || at < sp || at - sp > most_between_bytes)
        return false;
    const bool is_same_page = (at ^ sp) / page_bytes == 0;
    return (is_same_page || is_readable_page(at)) && StackReader::load(at) == sites.outer.pc;
}

// Where the compiler did not make a jump of a call within this library.
[[gnu::noinline]] Walk walk_past_own_code(ThreadSites& sites, const Caller& caller,
                                          std::uintptr_t* addresses) {
    constexpr std::size_t most_own_frames = 4;
    const std::size_t depth = site_depth + most_own_frames;
    Walk walk =
        walk_stack(caller, sites.stack, addresses, depth < most_frames ? depth : most_frames);
    std::size_t own_count = 0;
    while (own_count + 1 < walk.count && is_own_code(addresses[own_count]))
        ++own_count;
    walk.count -= own_count;
    std::memmove(addresses, addresses + own_count, walk.count * sizeof *addresses);
    if (walk.count > site_depth) {
        walk.count = site_depth;
        walk.is_cut = false;
    }
    return walk;
}

std::uint32_t find_stack(ThreadSites& sites, const FoundStack& stack) {
    const std::uint64_t hash = hash_of(stack.addresses, stack.walk.count);
    const std::uint32_t known = sites.stacks.find(hash, 0);
    return __builtin_expect(known != 0, true) ? known : tell_stack(sites, stack, hash);
}

// The Python frames take the place of the interpreter's innermost loop and of what is outside it:
// that would show each of them as the same function, and C code between them only by chance.
[[gnu::noinline]] std::uint32_t find_python_stack(ThreadSites& sites, std::uintptr_t state,
                                                  std::uintptr_t* addresses, Walk walk) {
    PythonFrame frames[most_frames];
    const std::size_t read_count = read_python_frames(state, frames, site_depth);
    std::size_t native_count = 0;
    while (native_count < walk.count &&
           (read_count == 0 || !is_in_python_loop(addresses[native_count])))
        ++native_count;
    if (native_count < walk.count)
        walk.is_cut = false;
    const std::size_t room = most_frames - native_count;
    const std::size_t python_count = read_count < room ? read_count : room;
    for (std::size_t frame_idx = 0; frame_idx < python_count; ++frame_idx)
        addresses[native_count + frame_idx] = frames[frame_idx].key;
    walk.count = native_count + python_count;
    return find_stack(sites, {addresses, walk, native_count, frames});
}

std::uint32_t find_site_here(ThreadSites& sites, Caller caller) {
    if (sites.outer.pc != 0) {
        if (has_outer(sites, caller.sp))
            caller = sites.outer;
        sites.outer.pc = 0;
    }
    std::uintptr_t addresses[most_frames];
    Walk walk{1, false};
    if (__builtin_expect(is_own_code(caller.pc), false))
        walk = walk_past_own_code(sites, caller, addresses);
    else if (site_depth == 1)
        addresses[0] = caller.pc;
    else
        walk = walk_stack(caller, sites.stack, addresses, site_depth);
    if (const std::uint32_t generation = modules_generation();
        __builtin_expect(sites.modules_generation != generation, false))
        forget_addresses(sites, generation);
    if (has_python() && !walk.is_of_handler) // which may interrupt a change of the frames
        if (const std::uintptr_t state = python_state(); state != 0)
            return find_python_stack(sites, state, addresses, walk);
    return find_stack(sites, {addresses, walk, walk.count, nullptr});
}

} // namespace

void prepare_sites() {
    static bool is_prepared;
    if (is_prepared)
        return;
    is_prepared = true;
    if (!ensure_capture() || options().sites == Sites::none)
        return;
    list_modules();
    Module self{};
    if (find_module(reinterpret_cast<std::uintptr_t>(&prepare_sites), self)) {
        own_begin = self.begin;
        own_end = self.end;
    }
    site_depth = options().sites == Sites::caller ? 1 : options().stack_depth;
}

std::uint32_t find_site(const Caller& caller) {
    ThreadLanes& lanes = thread_lanes;
    if (lanes.is_finding_site || lanes.own.is_busy || lanes.has_exited || !ensure_capture())
        return 0;
    lanes.is_finding_site = true;
    compiler_barrier();
    ThreadSites* const sites = ensure_sites();
    const std::uint32_t site = sites != nullptr ? find_site_here(*sites, caller) : 0;
    compiler_barrier();
    lanes.is_finding_site = false;
    return site;
}

void expect_inner_call(const void* frame_address) {
    if (thread_lanes.is_finding_site || thread_lanes.has_exited)
        return;
    const Caller caller = caller_of(frame_address);
    ThreadSites* const sites = ensure_sites();
    if (sites != nullptr && !has_outer(*sites, caller.sp))
        sites->outer = caller; // else operator new[] called operator new: its caller stays
}

void forget_inner_call() {
    if (thread_sites != nullptr)
        thread_sites->outer.pc = 0;
}

void forget_sites() {
    thread_lanes.site = 0;
    thread_lanes.is_finding_site = false;
    ThreadSites* const sites = thread_sites;
    if (sites == nullptr)
        return;
    sites->stacks.release();
    sites->frames.release();
    sites->frame_count = 0;
    sites->told_count = 0;
    sites->outer = {};
}

void release_sites() {
    forget_sites();
    if (thread_sites != nullptr)
        unmap_memory(thread_sites, sizeof(ThreadSites));
    thread_sites = nullptr;
}

} // namespace alloclab::record
