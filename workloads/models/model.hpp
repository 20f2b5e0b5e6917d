// SPDX-License-Identifier: MIT
#pragma once

// What the founding systems' models share: numbers that are the same on every machine, and the
// command line. A model allocates for real and says by marker.h what it is doing; whoever records
// it gets its scopes, tags, transfers and references.

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>

namespace model {

// SplitMix64 (Steele, Lea, Flood 2014): the same sequence for a seed everywhere, unlike the
// standard library's distributions.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15ull;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
        return mixed ^ (mixed >> 31);
    }

    // 0 to bound - 1. Requires: bound > 0.
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }

    // low to high, both included.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) {
        return low + below(high - low + 1);
    }

    bool chance(double probability) {
        return static_cast<double>(next() >> 11) * 0x1p-53 < probability;
    }

    // low to high with every power of two as likely as any other: how sizes of strings and tables
    // tend to be spread. Requires: 0 < low <= high.
    std::uint64_t log_between(std::uint64_t low, std::uint64_t high) {
        const unsigned lowest = 63 - static_cast<unsigned>(__builtin_clzll(low));
        const unsigned highest = 63 - static_cast<unsigned>(__builtin_clzll(high));
        const std::uint64_t power = std::uint64_t{1} << between(lowest, highest);
        const std::uint64_t drawn = power + below(power);
        return drawn < low ? low : drawn > high ? high : drawn;
    }

private:
    std::uint64_t state_;
};

// Keeps the buffer of what a model prints out of its heap.
inline void buffer_output() {
    static char buffer[4096];
    std::setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
}

// The value of `--name VALUE` in a command line, or `otherwise`.
inline const char* option(int count, char** words, const char* name, const char* otherwise) {
    for (int index = 1; index + 1 < count; ++index) {
        if (std::strcmp(words[index], name) == 0) {
            return words[index + 1];
        }
    }
    return otherwise;
}

// Ends the program unless its command line is pairs of one of `names`, none twice, and a value.
inline void check_options(int count, char** words, std::initializer_list<const char*> names) {
    for (int index = 1; index < count; index += 2) {
        bool is_known = false;
        for (const char* const name : names) {
            is_known = is_known || std::strcmp(words[index], name) == 0;
        }
        const bool is_second = option(index, words, words[index], nullptr) != nullptr;
        if (!is_known || is_second || index + 1 == count) {
            const char* const what = !is_known   ? "is no option here"
                                     : is_second ? "stands there twice"
                                                 : "has no value";
            std::fprintf(stderr, "%s: word %d, %s, %s\n", words[0], index, words[index], what);
            std::exit(2);
        }
    }
}

// The value of `--name VALUE`, the first of `choices` without it; ends the program when it is
// another.
inline std::string choice_option(int count, char** words, const char* name,
                                 std::initializer_list<const char*> choices) {
    const char* const text = option(count, words, name, *choices.begin());
    for (const char* const choice : choices) {
        if (std::strcmp(text, choice) == 0) {
            return text;
        }
    }
    std::fprintf(stderr, "%s: %s is none of its values: %s\n", words[0], name, text);
    std::exit(2);
}

// The same for a whole number; ends the program when it is none.
inline std::uint64_t number_option(int count, char** words, const char* name,
                                   std::uint64_t otherwise) {
    const char* const text = option(count, words, name, nullptr);
    if (text == nullptr) {
        return otherwise;
    }
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0') {
        std::fprintf(stderr, "%s: %s is no whole number: %s\n", words[0], name, text);
        std::exit(2);
    }
    return value;
}

} // namespace model
