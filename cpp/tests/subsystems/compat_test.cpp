// SPDX-License-Identifier: MIT
// Rows S20 to S32, in both configurations: on the subsystems, and on malloc.
#include <alloclab/compat.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace {

struct Node {
    Node* left;
    Node* right;
    std::int64_t value;
};

bool is_zero(const void* block, std::size_t size) {
    const auto* const bytes = static_cast<const unsigned char*>(block);
    return std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0; });
}

TEST(Compat, vm_blocks_are_sized_zeroed_and_reallocated) { // S27, S28
    auto* const block = static_cast<char*>(VM_ALLOC(100));
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0u);
    std::memset(block, 7, 100);
    auto* const grown = static_cast<char*>(VM_REALLOC(block, 100, 1000));
    ASSERT_NE(grown, nullptr);
    EXPECT_EQ(grown[99], 7);
    VM_FREE(grown, 1000);
    void* const zeroed = VM_ALLOC_ZERO(50);
    EXPECT_TRUE(is_zero(zeroed, 50));
    VM_FREE(zeroed, 50);
}

TEST(Compat, objects_are_typed_and_zeroed) { // S20, S22, S30
    Node* const node = VM_NEW(Node);
    EXPECT_TRUE(is_zero(node, sizeof *node));
    Node* const nodes = VM_NEW_ARRAY(Node, 100);
    EXPECT_TRUE(is_zero(nodes, 100 * sizeof *nodes));
    Node* const player = OBJ_NEW(Node, "player-object");
    EXPECT_TRUE(is_zero(player, sizeof *player));
    Node* const leaf = AST_NEW(Node);
    EXPECT_TRUE(is_zero(leaf, sizeof *leaf));
    MEM_FREE(allocators_get(ALLOC_SYSTEM_AST), leaf, sizeof *leaf); // needed on malloc only
    VM_FREE(node, sizeof *node);
    VM_FREE(nodes, 100 * sizeof *nodes);
    OBJ_FREE(player, Node);
    allocators_reset_ast();
}

TEST(Compat, an_array_whose_size_overflows_is_null) { // S30
    EXPECT_EQ(VM_NEW_ARRAY(Node, SIZE_MAX / sizeof(Node) + 1), nullptr);
    EXPECT_EQ(VM_NEW_ARRAY(Node, SIZE_MAX), nullptr);
}

TEST(Compat, texts_are_copied) { // S20, S29
    char* const kept = VM_STRDUP("hello");
    char* const bulk = STR_DUP("world");
    char* const current = STRDUP("again");
    EXPECT_STREQ(kept, "hello");
    EXPECT_STREQ(bulk, "world");
    EXPECT_STREQ(current, "again");
    EXPECT_EQ(VM_STRDUP(nullptr), nullptr);
    VM_FREE(kept, 6);
    MEM_FREE(allocators_get(ALLOC_SYSTEM_STRINGS), bulk, 6);
    FREE_SIMPLE(current);
}

TEST(Compat, any_allocator_is_had_by_its_name) { // S21, S22
    auto* const vm = allocators_get(ALLOC_SYSTEM_VM);
    void* const block = MEM_ALLOC(vm, 64);
    void* const tagged = MEM_ALLOC_TAGGED(vm, 64, "game-state");
    EXPECT_NE(block, tagged);
    MEM_FREE(vm, block, 64);
    MEM_FREE(vm, tagged, 64);
    EXPECT_NE(static_cast<void*>(allocators_get(ALLOC_SYSTEM_TEMP)), vm);
}

TEST(Compat, malloc_and_free_need_no_size) { // S26
    void* const block = MALLOC(123);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0u);
    std::memset(block, 1, 123);
    FREE_SIMPLE(block);
    FREE_SIMPLE(nullptr);
}

// Leaves an arena scope in the middle.
int leave_by_return(void*& kept) {
    WITH_ARENA(temp, 4096) {
        kept = MALLOC(10);
        return 1;
    }
    return 0;
}

TEST(Compat, blocks_of_an_arena_scope_may_be_freed_or_left) { // S23
    void* const before = MALLOC(100);
    WITH_ARENA(temp, 4096) {
        for (int round = 0; round < 1000; ++round) {
            std::memset(MALLOC(50), 1, 50);
        }
        FREE_SIMPLE(MALLOC(50));
        FREE_SIMPLE(before); // an outer block goes where it came from
        EXPECT_STREQ(STRDUP("inside"), "inside");
        WITH_ARENA(inner, 4096) {
            EXPECT_NE(MALLOC(10), nullptr);
        }
        EXPECT_NE(MALLOC(10), nullptr);
    }
}

TEST(Compat, an_arena_scope_can_be_left_by_return_break_and_throw) { // S23
    void* inside = nullptr;
    EXPECT_EQ(leave_by_return(inside), 1);
    for (int round = 0; round < 3; ++round) {
        WITH_ARENA(temp, 4096) {
            EXPECT_NE(MALLOC(10), nullptr);
            if (round == 1) {
                break;
            }
            continue;
        }
    }
    try {
        WITH_ARENA(temp, 4096) {
            EXPECT_NE(MALLOC(10), nullptr);
            throw std::runtime_error("out");
        }
    } catch (const std::runtime_error&) {
    }
    void* const after = MALLOC(10);
    ASSERT_NE(after, nullptr);
    FREE_SIMPLE(after);
}

#if ALLOCLAB_USE_CUSTOM_ALLOCATORS
TEST(CompatCustom, an_arena_scope_leaves_the_figures_as_it_found_them) { // S23
    auto& vm = *allocators_get(ALLOC_SYSTEM_VM);
    const std::size_t before = vm.totals().current_bytes;
    void* const persistent = MALLOC(100);
    WITH_ARENA(temp, 4096) {
        EXPECT_EQ(&alloclab::compat::current(), &temp.system());
        for (int round = 0; round < 10; ++round) {
            EXPECT_NE(MALLOC(50), nullptr);
        }
        EXPECT_EQ(temp.system().totals().current_bytes, 500u);
    }
    EXPECT_EQ(&alloclab::compat::current(), &vm);
    EXPECT_EQ(vm.totals().current_bytes - before, 100u);
    FREE_SIMPLE(persistent); // its size was remembered: the original's usage never fell
    EXPECT_EQ(vm.totals().current_bytes, before);
}

TEST(CompatCustom, leaving_a_scope_by_return_gives_the_current_allocator_back) { // S23
    void* inside = nullptr;
    leave_by_return(inside);
    EXPECT_EQ(&alloclab::compat::current(), allocators_get(ALLOC_SYSTEM_VM));
    EXPECT_THROW(
        {
            WITH_ARENA(temp, 4096) { throw std::runtime_error("out");
}
},
        std::runtime_error);
EXPECT_EQ(&alloclab::compat::current(), allocators_get(ALLOC_SYSTEM_VM));
}

TEST(CompatCustom, compiler_reset_takes_the_bytecode_with_it) {
    EXPECT_NE(MEM_ALLOC(allocators_get(ALLOC_SYSTEM_COMPILER), 100), nullptr);
    EXPECT_NE(MEM_ALLOC(allocators_get(ALLOC_SYSTEM_BYTECODE), 200), nullptr);
    EXPECT_NE(MEM_ALLOC(allocators_get(ALLOC_SYSTEM_PARSER), 300), nullptr);
    allocators_reset_compiler();
    EXPECT_EQ(allocators_get(ALLOC_SYSTEM_COMPILER)->totals().current_bytes, 0u);
    EXPECT_EQ(allocators_get(ALLOC_SYSTEM_BYTECODE)->totals().current_bytes, 0u);
    EXPECT_EQ(allocators_get(ALLOC_SYSTEM_PARSER)->totals().current_bytes, 300u);
}

TEST(CompatCustomDeathTest, freeing_what_malloc_did_not_give_ends_the_process) {
    alignas(16) char foreign[64] = {};
    EXPECT_DEATH(FREE_SIMPLE(foreign + 32), "no live block of MALLOC or STRDUP");
}
#endif

} // namespace
