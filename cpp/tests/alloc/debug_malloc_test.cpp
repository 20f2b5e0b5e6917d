// SPDX-License-Identifier: MIT
// What liballoclab_malloc.so says of each mistake, with ALLOCLAB_MALLOC=debug. This program runs
// itself anew, the library preloaded, to make one mistake: it must die and say which.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <regex>
#include <string>

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

template <class Value> Value opaque(Value value) {
    asm volatile("" : "+r"(value) : : "memory");
    return value;
}
char* make(std::size_t size) {
    return static_cast<char*>(opaque(std::malloc(size)));
}

// The mistakes by name; each ends a process.
const std::map<std::string, std::function<void()>> mistakes{
    {"double_free",
     [] {
         char* const block = make(40);
         std::free(block);
         std::free(opaque(block));
     }},
    {"double_free_of_a_large_block",
     [] {
         char* const block = make(300000);
         std::free(block);
         std::free(opaque(block));
     }},
    {"free_of_the_stack",
     [] {
         char local[32];
         std::free(opaque(local + 16));
     }},
    {"free_of_nonsense", [] { std::free(opaque(reinterpret_cast<void*>(24))); }},
    {"free_inside", [] { std::free(opaque(make(64) + 16)); }},
    {"overflow",
     [] {
         char* const block = make(24);
         block[24] = 1;
         std::free(opaque(block));
     }},
    {"underflow",
     [] {
         char* const block = make(24);
         block[-1] = 1;
         std::free(opaque(block));
     }},
    {"overflow_of_a_live_block",
     [] {
         char* const block = make(24);
         opaque(block)[25] = 1;
         make(10); // the next call looks
     }},
    {"write_after_free",
     [] {
         char* const block = make(100);
         std::free(block);
         opaque(block)[50] = 1;
         make(10);
     }},
    {"write_after_free_seen_at_exit",
     [] {
         char* const block = make(100);
         std::free(block);
         opaque(block)[50] = 1;
         std::exit(0);
     }},
    {"read_past_a_large_block",
     [] {
         const char* const block = make(65536);
         std::exit(opaque(block)[65536]);
     }},
    {"read_of_a_freed_large_block",
     [] {
         char* const block = make(100000);
         std::free(block);
         std::exit(opaque(block)[5]);
     }},
    {"write_to_nothing", [] { *make(0) = 1; }},
    {"realloc_of_freed",
     [] {
         char* const block = make(32);
         std::free(block);
         opaque(std::realloc(opaque(block), 64));
     }},
    {"new_and_free", [] { std::free(opaque(new int)); }},
    {"new_array_and_delete", [] { delete opaque(new int[4]); }},
    {"wrong_size", [] { ::operator delete (opaque(::operator new(40)), std::size_t{8}); }},
};

struct Ending {
    int status = 0;
    std::string said;
};

Ending run(const std::string& mistake, const std::string& settings = "ALLOCLAB_MALLOC=debug") {
    std::array<char, 4096> self{};
    const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size() - 1);
    const std::string command = settings + " LD_PRELOAD='" + ALLOCLAB_MALLOC_LIBRARY + "' '" +
                                std::string(self.data(), static_cast<std::size_t>(length)) +
                                "' --mistake " + mistake + " 2>&1 >/dev/null";
    Ending ending;
    FILE* const said = ::popen(command.c_str(), "r");
    std::array<char, 512> piece{};
    while (std::fgets(piece.data(), piece.size(), said) != nullptr) {
        ending.said += piece.data();
    }
    ending.status = ::pclose(said);
    return ending;
}

// The shell tells of a signal by 128 and its number; some exec the program instead.
bool was_aborted(int status) {
    return (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGABRT) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

void expect_diagnosis(const std::string& mistake, const std::string& pattern) {
    const Ending ending = run(mistake);
    EXPECT_TRUE(was_aborted(ending.status)) << mistake << ": " << ending.status;
    EXPECT_TRUE(std::regex_search(ending.said, std::regex("alloclab: " + pattern)))
        << mistake << " said: " << ending.said;
}

TEST(DebugMalloc, frees_that_fit_nothing_are_told_apart) {
    expect_diagnosis("double_free", "double free: 0x[0-9a-f]+, 40 bytes; allocated at "
                                    "0x[0-9a-f]+; freed at 0x[0-9a-f]+; found at 0x[0-9a-f]+\n");
    expect_diagnosis("double_free_of_a_large_block", "double free: 0x[0-9a-f]+, 300000 bytes");
    expect_diagnosis("free_of_the_stack", "free of memory that was never allocated: 0x");
    expect_diagnosis("free_of_nonsense", "free of memory that was never allocated: 0x18;");
    expect_diagnosis("free_inside", "free of an address inside a block: 0x[0-9a-f]+, 64 bytes; "
                                    "the address freed is 16 bytes into it");
    expect_diagnosis("realloc_of_freed", "double free: 0x[0-9a-f]+, 32 bytes");
}

TEST(DebugMalloc, writes_outside_a_block_are_found) {
    expect_diagnosis("overflow", "write past the end: 0x[0-9a-f]+, 24 bytes; 1 bytes written, "
                                 "the first 0 after the end; allocated at");
    expect_diagnosis("underflow", "write before the start: 0x[0-9a-f]+, 24 bytes; 1 bytes "
                                  "written, the first 1 before the start; allocated at");
    expect_diagnosis("overflow_of_a_live_block", "write past the end: 0x[0-9a-f]+, 24 bytes");
    expect_diagnosis("read_past_a_large_block",
                     "access past the end: 0x[0-9a-f]+, 65536 bytes; 0 after the end");
    expect_diagnosis("write_to_nothing", "access past the end: 0x");
}

TEST(DebugMalloc, uses_after_free_are_found) {
    for (const char* const mistake : {"write_after_free", "write_after_free_seen_at_exit"}) {
        expect_diagnosis(mistake, "use after free: 0x[0-9a-f]+, 100 bytes; 1 bytes written, the "
                                  "first at 50; allocated at 0x[0-9a-f]+; freed at 0x");
    }
    expect_diagnosis("read_of_a_freed_large_block", "use after free: 0x[0-9a-f]+, 100000 bytes");
}

TEST(DebugMalloc, calls_that_do_not_belong_together_are_found) {
    expect_diagnosis("new_and_free", "mismatched allocation and free: .*from new, ended by free");
    expect_diagnosis("new_array_and_delete",
                     "mismatched allocation and free: .*from new\\[\\], ended by delete;");
    expect_diagnosis("wrong_size", "free with the wrong size: .*40 bytes; freed as 8 bytes");
}

TEST(DebugMalloc, what_is_right_passes_and_leaks_are_told_where_asked) {
    const Ending silent = run("none");
    EXPECT_EQ(silent.status, 0);
    EXPECT_EQ(silent.said, "");
    const Ending told = run("none", "ALLOCLAB_MALLOC=debug ALLOCLAB_MALLOC_OPTIONS=leaks=on");
    EXPECT_EQ(told.status, 0);
    EXPECT_EQ(told.said.rfind("=== MEMORY LEAKS DETECTED ===\n", 0), 0U) << told.said;
    EXPECT_NE(told.said.find(": 12345 bytes at 0x"), std::string::npos) << told.said;
}

TEST(DebugMalloc, the_choice_and_the_options_are_read) {
    EXPECT_EQ(run("none", "ALLOCLAB_MALLOC=pool").said, "");
    EXPECT_NE(run("none", "ALLOCLAB_MALLOC=both").said.find("neither pool nor debug: 'both'"),
              std::string::npos);
    const std::string bad = "ALLOCLAB_MALLOC=debug ALLOCLAB_MALLOC_OPTIONS=a=b";
    EXPECT_NE(run("none", bad).said.find("not understood: 'a=b'"), std::string::npos);
    const std::string lenient = "ALLOCLAB_MALLOC=debug ALLOCLAB_MALLOC_OPTIONS=check_calls=off";
    EXPECT_EQ(run("new_and_free", lenient).status, 0);
}

} // namespace

int main(int argument_count, char** arguments) {
    if (argument_count == 3 && std::strcmp(arguments[1], "--mistake") == 0) {
        if (const auto found = mistakes.find(arguments[2]); found != mistakes.end()) {
            found->second();
        } else {
            opaque(make(12345)); // a leak
        }
        return 0;
    }
    ::testing::InitGoogleTest(&argument_count, arguments);
    return RUN_ALL_TESTS();
}
