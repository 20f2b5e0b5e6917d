// SPDX-License-Identifier: MIT
#include <alloclab/record/unwind.hpp>

#include "unwind_shapes.hpp"

#include <alloclab/record/modules.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <execinfo.h>
#include <pthread.h>
#include <random>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

namespace alloclab::record {
namespace {

__thread KnownStack known;

// The same stack by our walk and by the C library's, without the function that takes both.
struct Stacks {
    Stacks() { // room for all that is taken: handlers must not allocate
        ours.reserve(most_frames + 2);
        theirs.reserve(most_frames + 2);
    }
    std::vector<std::uintptr_t> ours;
    std::vector<std::uintptr_t> theirs;
    bool is_cut = true;
    bool is_of_handler = false;
};

[[gnu::noinline]] void take(void* argument) {
    auto& stacks = *static_cast<Stacks*>(argument);
    std::uintptr_t addresses[most_frames];
    const Walk walk =
        walk_stack(caller_of(__builtin_frame_address(0)), known, addresses, most_frames);
    stacks.ours.assign(addresses, addresses + walk.count);
    stacks.is_cut = walk.is_cut;
    stacks.is_of_handler = walk.is_of_handler;
    void* frames[most_frames + 2];
    const int count = backtrace(frames, most_frames + 2);
    stacks.theirs.clear();
    // Before the first caller stand this function and, under a sanitizer, its wrapper.
    for (int frame_idx = 1; frame_idx < count; ++frame_idx) {
        const auto address = reinterpret_cast<std::uintptr_t>(frames[frame_idx]);
        if (!stacks.theirs.empty() || address == stacks.ours[0])
            stacks.theirs.push_back(address);
    }
}

class Unwind : public ::testing::Test {
protected:
    void SetUp() override {
        list_modules();
        void* frame = nullptr;
        backtrace(&frame, 1); // the first call loads a library, which no handler may
    }

    void expect_same() {
        EXPECT_EQ(stacks.ours, stacks.theirs);
        EXPECT_FALSE(stacks.is_cut);
        EXPECT_FALSE(stacks.is_of_handler);
        EXPECT_GT(stacks.ours.size(), 3u);
    }
    void expect_same_in(const Shapes& shapes) {
        shapes.plain(take, &stacks);
        expect_same();
        shapes.recursive(20, take, &stacks);
        expect_same();
        EXPECT_GT(stacks.ours.size(), 22u);
        for (const unsigned count : {1u, 1000u, 16u, 100'000u}) {
            shapes.with_variable_array(count, take, &stacks);
            expect_same();
        }
        shapes.with_aligned_array(take, &stacks);
        expect_same();
        shapes.by_noreturn(take, &stacks);
        expect_same();
    }

    Stacks stacks;
};

TEST_F(Unwind, agrees_with_the_c_library_in_unoptimised_code) {
    expect_same_in(unoptimised_shapes);
}

TEST_F(Unwind, agrees_with_the_c_library_in_optimised_code) {
    expect_same_in(optimised_shapes);
}

TEST_F(Unwind, agrees_with_the_c_library_through_a_shared_object) {
    expect_same_in(shared_shapes);
}

TEST_F(Unwind, stops_at_the_depth_asked_for) {
    std::uintptr_t addresses[4] = {0, 0, 0, 77};
    const Walk walk = walk_stack(caller_of(__builtin_frame_address(0)), known, addresses, 3);
    EXPECT_EQ(walk.count, 3u);
    EXPECT_FALSE(walk.is_cut);
    EXPECT_EQ(addresses[3], 77u);
}

Stacks* stacks_of_comparison;

int compare_taking(const void* left, const void* right) {
    take(stacks_of_comparison);
    return *static_cast<const int*>(left) - *static_cast<const int*>(right);
}

TEST_F(Unwind, agrees_through_frames_of_the_c_library) {
    stacks_of_comparison = &stacks;
    int values[] = {3, 1, 2};
    std::qsort(values, 3, sizeof values[0], compare_taking);
    expect_same();
}

TEST_F(Unwind, agrees_after_a_longjmp) {
    std::jmp_buf back;
    static const Inner jump = [](void* argument) {
        std::longjmp(*static_cast<std::jmp_buf*>(argument), 1);
    };
    if (setjmp(back) == 0)
        optimised_shapes.recursive(10, jump, &back);
    optimised_shapes.recursive(3, take, &stacks);
    expect_same();
}

Stacks* stacks_of_handler;

void take_in_handler(int) {
    optimised_shapes.plain(take, stacks_of_handler);
}

// At the function that the signal interrupted we give the byte after its first, see walk_stack().
void expect_same_but_for_one(const Stacks& stacks) {
    ASSERT_EQ(stacks.ours.size(), stacks.theirs.size());
    std::size_t differing = 0;
    for (std::size_t frame_idx = 0; frame_idx < stacks.ours.size(); ++frame_idx) {
        if (stacks.ours[frame_idx] == stacks.theirs[frame_idx])
            continue;
        EXPECT_EQ(stacks.ours[frame_idx], stacks.theirs[frame_idx] + 1);
        ++differing;
    }
    EXPECT_EQ(differing, 1u);
    EXPECT_FALSE(stacks.is_cut);
    EXPECT_TRUE(stacks.is_of_handler);
}

void raise_here(void*) {
    std::raise(SIGUSR1);
}

TEST_F(Unwind, goes_on_below_a_signal_handler) {
    stacks_of_handler = &stacks;
    std::signal(SIGUSR1, take_in_handler);
    optimised_shapes.recursive(5, raise_here, nullptr);
    std::signal(SIGUSR1, SIG_DFL);
    expect_same_but_for_one(stacks);
}

TEST_F(Unwind, goes_on_below_a_signal_handler_on_a_stack_of_its_own) {
    std::vector<char> room(256 << 10);
    stack_t other{};
    stack_t before{};
    other.ss_sp = room.data();
    other.ss_size = room.size();
    ASSERT_EQ(sigaltstack(&other, &before), 0);
    struct sigaction action {};
    action.sa_handler = take_in_handler;
    action.sa_flags = SA_ONSTACK;
    stacks_of_handler = &stacks;
    sigaction(SIGUSR1, &action, nullptr);
    optimised_shapes.recursive(5, raise_here, nullptr);
    std::signal(SIGUSR1, SIG_DFL);
    sigaltstack(&before, nullptr);
    expect_same_but_for_one(stacks);
}

TEST_F(Unwind, agrees_on_other_threads) {
    pthread_t thread{};
    auto* const body = +[](void* argument) -> void* {
        optimised_shapes.recursive(9, take, argument);
        return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, nullptr, body, &stacks), 0);
    pthread_join(thread, nullptr);
    expect_same();
}

ucontext_t main_context;
ucontext_t fiber_context;
Stacks* stacks_of_fiber;

void take_in_fiber() {
    optimised_shapes.recursive(4, take, stacks_of_fiber);
}

TEST_F(Unwind, walks_a_fiber_and_ends_where_its_stack_does) {
    const std::size_t bytes = 64 << 10;
    void* const stack =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(stack, MAP_FAILED);
    getcontext(&fiber_context);
    fiber_context.uc_stack.ss_sp = stack;
    fiber_context.uc_stack.ss_size = bytes;
    fiber_context.uc_link = &main_context;
    stacks_of_fiber = &stacks;
    makecontext(&fiber_context, take_in_fiber, 0);
    swapcontext(&main_context, &fiber_context);
    munmap(stack, bytes);
    ASSERT_GE(stacks.ours.size(), 6u);
    EXPECT_TRUE(std::equal(stacks.ours.begin(), stacks.ours.begin() + 6, stacks.theirs.begin()));
}

// A tree of calls whose shapes, depths and places in the code change by chance, so that a walk
// meets what the one before knew at every offset, or not at all.
struct RandomCalls {
    std::mt19937 random{3};
    Stacks stacks;
    std::size_t count = 0;
};

void call_by_chance(void* argument) {
    auto& calls = *static_cast<RandomCalls*>(argument);
    const Shapes* const kinds[] = {&unoptimised_shapes, &optimised_shapes, &shared_shapes};
    const Shapes& shapes = *kinds[calls.random() % 3];
    KnownStack nothing{};
    std::uintptr_t addresses[most_frames];
    std::uintptr_t anew[most_frames];
    const Caller caller = caller_of(__builtin_frame_address(0));
    const std::size_t depth = 1 + calls.random() % most_frames;
    const Walk walk = walk_stack(caller, known, addresses, depth);
    const Walk other = walk_stack(caller, nothing, anew, depth);
    ASSERT_EQ(walk.count, other.count);
    ASSERT_EQ(walk.is_cut, other.is_cut);
    ASSERT_TRUE(std::equal(addresses, addresses + walk.count, anew));
    if (++calls.count > 20'000)
        return;
    switch (calls.random() % 8) {
    case 0:
        shapes.plain(call_by_chance, argument);
        break;
    case 1:
        shapes.recursive(calls.random() % 6, call_by_chance, argument);
        break;
    case 2:
        shapes.with_variable_array(1 + calls.random() % 3 * 16, call_by_chance, argument);
        break;
    case 3:
        shapes.with_aligned_array(call_by_chance, argument);
        break;
    case 4:
        shapes.plain(call_by_chance, argument);
        shapes.plain(call_by_chance, argument);
        break;
    default:
        break;
    }
}

TEST_F(Unwind, knows_what_changed_between_two_walks) {
    RandomCalls calls;
    while (calls.count < 20'000 && !HasFatalFailure())
        call_by_chance(&calls);
}

// Frames that lead nowhere: the walk must end, not crash.
TEST_F(Unwind, ends_at_addresses_without_code_or_memory) {
    std::uintptr_t addresses[most_frames];
    const Caller nowhere{0x1234, 0x5678, 0x9abc};
    EXPECT_EQ(walk_stack(nowhere, known, addresses, 16).count, 1u);
    Caller here = caller_of(__builtin_frame_address(0));
    here.sp = 0x10000;
    here.bp = 0xdead0000;
    EXPECT_TRUE(walk_stack(here, known, addresses, 16).is_cut);
    here.sp = ~std::uintptr_t{7};
    EXPECT_TRUE(walk_stack(here, known, addresses, 16).is_cut);
}

} // namespace
} // namespace alloclab::record
