// SPDX-License-Identifier: MIT
#include <alloclab/base/error.hpp>
#include <alloclab/peers/shared_library.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace alloclab {
namespace {

TEST(SharedLibrary, opens_the_first_name_there_is_and_finds_functions_by_name) {
    constexpr std::array names{"libno_such_library.so", "libm.so.6"};
    const SharedLibrary library("mathematics", {}, names);
    EXPECT_EQ(library.path(), "libm.so.6");
    double (*cosine)(double) = nullptr;
    library.find("cos", cosine);
    EXPECT_EQ(cosine(0.0), 1.0);
}

TEST(SharedLibrary, names_the_function_a_library_lacks) {
    LibraryPath path;
    ASSERT_TRUE(path.set("libm.so.6"));
    const SharedLibrary library("mathematics", path, {});
    void (*missing)() = nullptr;
    try {
        library.find("no_such_function", missing);
        FAIL() << "there is none";
    } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "mathematics: libm.so.6 has no function no_such_function");
    }
}

TEST(SharedLibrary, tells_every_name_it_tried) {
    constexpr std::array names{"libno_such_library.so", "libnor_this.so"};
    try {
        const SharedLibrary library("nothing", {}, names);
        FAIL() << "there is none";
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("libno_such_library.so"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("libnor_this.so"), std::string::npos);
    }
}

} // namespace
} // namespace alloclab
