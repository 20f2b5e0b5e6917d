// SPDX-License-Identifier: MIT
// What the malloc of the process costs several threads: preload one and compare.
//   alloclab_malloc_threads larson|remote|pipe [rounds]
// Prints one line of JSON: the wall time, and the peak of resident memory.
//   larson  every thread replaces random blocks of its table and now and then hands the table to a
//           new thread, as the server of Larson and Krishnan (1998) does with its connections
//   remote  threads in a ring: each frees what the one before it allocated
//   pipe    one thread allocates, the other frees, through a bounded ring of blocks

#include <alloclab/base/rng.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include <sched.h>

namespace {

using alloclab::Rng;

constexpr std::size_t thread_count = 2;

void* allocate(std::size_t size) {
    void* const block = std::malloc(size);
    if (block == nullptr) {
        std::abort();
    }
    *static_cast<volatile char*>(block) = 1;
    return block;
}

// Waits for another thread; the processor is yielded, since there may be no second one.
template <class Ready> void wait_until(Ready ready) {
    for (std::size_t spin_count = 0; !ready(); ++spin_count) {
        if (spin_count % 64 == 63) {
            sched_yield();
        }
    }
}

void run_threads(const std::function<void(std::size_t)>& body) {
    std::vector<std::thread> threads;
    for (std::size_t thread_idx = 0; thread_idx < thread_count; ++thread_idx) {
        threads.emplace_back(body, thread_idx);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

using Table = std::vector<void*>;

void replace_blocks(Table& table, std::uint64_t seed, std::size_t steps) {
    Rng rng(seed);
    for (std::size_t step = 0; step < steps; ++step) {
        void*& block = table[rng.below(table.size())];
        std::free(block);
        block = allocate(10 + rng.below(491)); // 10 to 500
    }
}

void larson(std::size_t rounds) {
    constexpr std::size_t table_blocks = 1000;
    constexpr std::size_t steps_per_thread = 20'000;
    std::array<Table, thread_count> tables;
    tables.fill(Table(table_blocks, nullptr));
    for (std::size_t round = 0; round < rounds; ++round) {
        run_threads([&](std::size_t thread_idx) {
            // The table of another thread, which has ended.
            Table& table = tables[(thread_idx + round) % thread_count];
            replace_blocks(table, round * thread_count + thread_idx, steps_per_thread);
        });
    }
    for (Table& table : tables) {
        for (void* const block : table) {
            std::free(block);
        }
    }
}

// A slot passes a batch from one thread to the next.
struct alignas(64) Slot {
    std::atomic<bool> is_full{false};
    std::array<void*, 256> blocks{};
};

void fill_slot(Slot& slot, Rng& rng) {
    wait_until([&] { return !slot.is_full.load(std::memory_order_acquire); });
    for (void*& block : slot.blocks) {
        block = allocate(16 + rng.below(241)); // 16 to 256
    }
    slot.is_full.store(true, std::memory_order_release);
}

void empty_slot(Slot& slot) {
    wait_until([&] { return slot.is_full.load(std::memory_order_acquire); });
    for (void* const block : slot.blocks) {
        std::free(block);
    }
    slot.is_full.store(false, std::memory_order_release);
}

void remote(std::size_t rounds) {
    std::array<Slot, thread_count> slots;
    run_threads([&](std::size_t thread_idx) {
        Rng rng(thread_idx);
        for (std::size_t round = 0; round < rounds; ++round) {
            fill_slot(slots[thread_idx], rng);
            empty_slot(slots[(thread_idx + 1) % thread_count]);
        }
    });
}

void producer(std::size_t rounds) {
    constexpr std::size_t slot_count = 32;
    std::vector<Slot> slots(slot_count);
    run_threads([&](std::size_t thread_idx) {
        Rng rng(thread_idx);
        for (std::size_t round = 0; round < rounds; ++round) {
            Slot& slot = slots[round % slot_count];
            thread_idx == 0 ? fill_slot(slot, rng) : empty_slot(slot);
        }
    });
}

// Of this program alone: the figure of getrusage is inherited from whoever started it.
long peak_resident_kib() {
    long peak_kib = 0;
    if (std::FILE* const status = std::fopen("/proc/self/status", "r")) {
        std::array<char, 256> line{};
        while (peak_kib == 0 && std::fgets(line.data(), line.size(), status) != nullptr) {
            std::sscanf(line.data(), "VmHWM: %ld", &peak_kib);
        }
        std::fclose(status);
    }
    return peak_kib;
}

int usage() {
    std::fputs("usage: alloclab_malloc_threads larson|remote|pipe [rounds]\n", stderr);
    return 2;
}

} // namespace

int main(int argument_count, char** arguments) {
    if (argument_count < 2 || argument_count > 3) {
        return usage();
    }
    const std::string_view shape = arguments[1];
    const bool is_larson = shape == "larson";
    if (!is_larson && shape != "remote" && shape != "pipe") {
        return usage();
    }
    std::size_t rounds = is_larson ? 100 : 10'000;
    if (argument_count == 3) {
        rounds = std::strtoul(arguments[2], nullptr, 10);
    }
    const auto start = std::chrono::steady_clock::now();
    (is_larson ? larson : shape == "remote" ? remote : producer)(rounds);
    const std::chrono::duration<double, std::nano> wall = std::chrono::steady_clock::now() - start;
    std::printf("{\"shape\": \"%s\", \"rounds\": %zu, \"wall_ns\": %.0f, \"peak_rss_kib\": %ld}\n",
                arguments[1], rounds, wall.count(), peak_resident_kib());
    return 0;
}
