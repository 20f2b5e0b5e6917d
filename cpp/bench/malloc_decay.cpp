// SPDX-License-Identifier: MIT
// What the malloc of the process gives back once a peak has passed: preload one and compare.
//   alloclab_malloc_decay [MiB]
// Allocates so much in blocks of 16 bytes to 64 KiB, frees all of it, and goes on for a second with
// little live. Prints one line of JSON: the anonymous memory before, at the peak, and at the end.

#include <alloclab/base/rng.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

using alloclab::Rng;

long anonymous_kib() {
    long found_kib = 0;
    if (std::FILE* const status = std::fopen("/proc/self/status", "r")) {
        std::array<char, 256> line{};
        while (found_kib == 0 && std::fgets(line.data(), line.size(), status) != nullptr) {
            std::sscanf(line.data(), "RssAnon: %ld", &found_kib);
        }
        std::fclose(status);
    }
    return found_kib;
}

void* allocate(std::size_t size) {
    void* const block = std::malloc(size);
    if (block == nullptr) {
        std::abort();
    }
    std::memset(block, 1, size);
    return block;
}

std::size_t any_size(Rng& rng) {
    return 16 + rng.below(std::uint64_t{1} << (5 + rng.below(12)));
}

} // namespace

int main(int argument_count, char** arguments) {
    const std::size_t peak_mib = argument_count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 256;
    const long before_kib = anonymous_kib();
    Rng rng(5);
    long peak_kib = 0;
    {
        std::vector<void*> blocks;
        for (std::size_t live_bytes = 0; live_bytes < peak_mib << 20;) {
            const std::size_t size = any_size(rng);
            blocks.push_back(allocate(size));
            live_bytes += size;
        }
        peak_kib = anonymous_kib();
        for (void* const block : blocks) {
            std::free(block);
        }
    }
    const auto start = std::chrono::steady_clock::now();
    std::array<void*, 1000> live{};
    while (std::chrono::steady_clock::now() - start < std::chrono::seconds(1)) {
        for (int step = 0; step < 1000; ++step) {
            void*& block = live[rng.below(live.size())];
            std::free(block);
            block = allocate(any_size(rng) / 16);
        }
    }
    std::printf("{\"before_kib\": %ld, \"peak_kib\": %ld, \"after_kib\": %ld}\n", before_kib,
                peak_kib, anonymous_kib());
    for (void* const block : live) {
        std::free(block);
    }
    return 0;
}
