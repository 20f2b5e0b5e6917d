// SPDX-License-Identifier: MIT
#include <alloclab/record/object_symbols.hpp>

#include <gtest/gtest.h>

#include <cstdio>
#include <dlfcn.h>
#include <string>

namespace alloclab::record {
namespace {

// The C library's own: a sanitizer stands in front of some of its functions.
void* libc_symbol(const char* name) {
    return dlsym(dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), name);
}

Module libc() {
    list_modules();
    Module module{};
    EXPECT_TRUE(find_module(reinterpret_cast<std::uintptr_t>(libc_symbol("fputs")), module));
    return module;
}

TEST(ObjectSymbols, are_where_the_loader_finds_them) {
    const Module module = libc();
    for (const char* const name : {"fputs", "strtod", "environ", "qsort", "getdents64"}) {
        const ObjectSymbol found = find_object_symbol(module, name);
        EXPECT_EQ(found.address, reinterpret_cast<std::uintptr_t>(libc_symbol(name))) << name;
        EXPECT_GT(found.bytes, 0u) << name;
    }
}

TEST(ObjectSymbols, that_are_not_defined_are_not_found) {
    const Module module = libc();
    EXPECT_EQ(find_object_symbol(module, "_dl_no_such_function").address, 0u);
    EXPECT_EQ(find_object_symbol(module, "").address, 0u);
    EXPECT_EQ(find_object_symbol(module, "_rtld_global").address, 0u); // the loader's, used here
    for (unsigned number = 0; number < 10'000; ++number) {
        const std::string name = "name" + std::to_string(number);
        EXPECT_EQ(find_object_symbol(module, name.c_str()).address, 0u) << name;
    }
}

TEST(ObjectSymbols, beyond_the_end_of_an_object_are_not_read) {
    Module module = libc();
    module.end = module.begin + 4096; // as if the tables lay elsewhere
    EXPECT_EQ(find_object_symbol(module, "fputs").address, 0u);
    module.dynamic = 0;
    EXPECT_EQ(find_object_symbol(module, "fputs").address, 0u);
}

} // namespace
} // namespace alloclab::record
