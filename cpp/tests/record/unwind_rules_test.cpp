// SPDX-License-Identifier: MIT
#include <alloclab/record/unwind_rules.hpp>

#include <alloclab/record/modules.hpp>
#include <alloclab/record/unwind_program.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace alloclab::record {
namespace {

using Program = std::vector<unsigned char>;

UnwindBytes bytes_of(const Program& program) {
    const auto begin = reinterpret_cast<std::uintptr_t>(program.data());
    return {begin, begin + program.size()};
}

// CFA = rsp + 8, the return address at CFA - 8: how every function begins.
const Program initial{0x0c, 7, 8, 0x90, 1};

Rule run(const Program& program, std::uintptr_t offset) {
    const std::uintptr_t begin = 0x1000;
    const FrameTable table{1, -8, 16, 0x1b, false, bytes_of(initial), bytes_of(program), begin};
    return run_frame_program(table, begin + offset);
}

TEST(frame_program, applies_rows_up_to_the_place) {
    const Program program{0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6}; // push rbp; mov rbp, rsp
    const Rule at_entry = run(program, 0);
    EXPECT_EQ(at_entry.kind, RuleKind::by_rsp);
    EXPECT_EQ(at_entry.cfa_offset, 8);
    EXPECT_EQ(at_entry.rbp, SavedRbp::nowhere);
    const Rule pushed = run(program, 3);
    EXPECT_EQ(pushed.kind, RuleKind::by_rsp);
    EXPECT_EQ(pushed.cfa_offset, 16);
    EXPECT_EQ(pushed.rbp, SavedRbp::at_cfa);
    EXPECT_EQ(pushed.rbp_offset, -16);
    EXPECT_EQ(run(program, 4).kind, RuleKind::by_rbp);
    EXPECT_EQ(run(program, 4).cfa_offset, 16);
}

TEST(frame_program, comes_back_to_a_remembered_row) {
    const Program program{0x0a, 0x0e, 64, 0x86, 2, 0x42, 0x0b};
    EXPECT_EQ(run(program, 1).cfa_offset, 64);
    EXPECT_EQ(run(program, 2).cfa_offset, 8);
    EXPECT_EQ(run(program, 2).rbp, SavedRbp::nowhere);
}

TEST(frame_program, restores_a_register_to_the_first_row) {
    const Program program{0x86, 2, 0x41, 0xc6};
    EXPECT_EQ(run(program, 0).rbp, SavedRbp::at_cfa);
    EXPECT_EQ(run(program, 1).rbp, SavedRbp::nowhere);
}

TEST(frame_program, knows_the_outermost_function) {
    EXPECT_EQ(run({0x07, 16}, 0).kind, RuleKind::outermost);
}

TEST(frame_program, follows_a_function_that_aligned_its_stack) {
    // CFA = the word at rbp - 8; rbp saved at rbp + 0
    const Program program{0x10, 6, 2, 0x76, 0, 0x0f, 3, 0x76, 0x78, 0x06};
    const Rule rule = run(program, 0);
    EXPECT_EQ(rule.kind, RuleKind::by_saved);
    EXPECT_EQ(rule.cfa_offset, -8);
    EXPECT_EQ(rule.rbp, SavedRbp::at_rbp);
    EXPECT_EQ(rule.rbp_offset, 0);
}

TEST(frame_program, gives_no_rule_for_what_it_does_not_know) {
    EXPECT_EQ(run({0x0c, 10, 0}, 0).kind, RuleKind::none);         // CFA by r10
    EXPECT_EQ(run({0x3f}, 0).kind, RuleKind::none);                // no such instruction
    EXPECT_EQ(run({0x0b}, 0).kind, RuleKind::none);                // nothing was remembered
    EXPECT_EQ(run({0x0f, 200, 0x77, 8}, 0).kind, RuleKind::none);  // longer than the entry
    EXPECT_EQ(run({0x0f, 2, 0x96, 0x96}, 0).kind, RuleKind::none); // operations we lack
    EXPECT_EQ(run({0x90, 2}, 0).kind, RuleKind::none);             // return address elsewhere
    EXPECT_EQ(run({0x0e, 0x80}, 0).kind, RuleKind::none);          // a number cut off
}

// Where this program's own table of procedure linkage begins, 0: it has none.
std::uintptr_t find_linkage_table(const Module& self) {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    Elf64_Ehdr header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto section = [&](std::size_t section_idx) {
        Elf64_Shdr found{};
        std::memcpy(&found, bytes.data() + header.e_shoff + section_idx * sizeof found,
                    sizeof found);
        return found;
    };
    const Elf64_Shdr names = section(header.e_shstrndx);
    for (std::size_t section_idx = 0; section_idx < header.e_shnum; ++section_idx)
        if (std::strcmp(bytes.data() + names.sh_offset + section(section_idx).sh_name, ".plt") == 0)
            return self.bias + section(section_idx).sh_addr;
    return 0;
}

TEST(unwind_rules, tell_the_halves_of_a_linkage_stub_apart) {
    list_modules();
    Module self{};
    ASSERT_TRUE(find_module(reinterpret_cast<std::uintptr_t>(&find_linkage_table), self));
    const std::uintptr_t table = find_linkage_table(self);
    if (table == 0)
        GTEST_SKIP() << "linked without lazy binding";
    const std::uintptr_t stub = table + 16;
    EXPECT_EQ(rule_at(stub).kind, RuleKind::by_rsp);
    EXPECT_EQ(rule_at(stub).cfa_offset, 8);
    EXPECT_EQ(rule_at(stub + 11).cfa_offset, 16); // it pushed the symbol's number
}

TEST(unwind_rules, are_none_where_there_is_no_code) {
    EXPECT_EQ(rule_at(0x1000).kind, RuleKind::none);
}

} // namespace
} // namespace alloclab::record
