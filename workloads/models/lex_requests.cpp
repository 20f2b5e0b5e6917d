// SPDX-License-Identifier: MIT
//
// A server after lex-lang's per-request arenas: each request is a scope, entered and left; in the
// first stage its arena is there and unused, in the second records, tuples and strings go to it.
// docs/workloads/lex-requests.md says what it shows.

#include "lex_runtime.hpp"
#include "lex_values.hpp"
#include "lex_worker.hpp"
#include "model.hpp"

#include <cmath>
#include <ctime>
#include <thread>

namespace {

using namespace lex;

// Arrivals of a Poisson process: exponential gaps.
std::vector<Request> arrivals(std::uint64_t seed, std::uint64_t count, std::uint64_t mean_gap_us) {
    const alloclab::Tag tag("arrivals");
    model::Random random(seed);
    std::vector<Request> requests;
    requests.reserve(count);
    std::uint64_t now_us = 0;
    for (std::uint64_t number = 0; number < count; ++number) {
        const double uniform = static_cast<double>((random.next() >> 11) + 1) * 0x1p-53;
        const double gap_us = -std::log(uniform) * static_cast<double>(mean_gap_us);
        now_us += static_cast<std::uint64_t>(gap_us);
        requests.push_back({number, now_us});
    }
    return requests;
}

std::uint64_t cpu_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

// Enters and leaves scopes that hold one block, or none; returns nanoseconds each.
double scope_ns(std::uint64_t times, bool has_block) {
    Counts counts;
    ScopeRuntime scopes(counts);
    const std::uint64_t begun = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    for (std::uint64_t each = 0; each < times; ++each) {
        const ScopeId id = scopes.enter_request_scope();
        if (has_block) {
            static_cast<volatile char*>(scopes.innermost()->allocate(16))[0] = 1;
        }
        scopes.exit_request_scope(id);
    }
    const std::uint64_t ended = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    return static_cast<double>(ended - begun) / static_cast<double>(times);
}

void print(const char* name, std::uint64_t count) {
    std::printf("%s %llu\n", name, static_cast<unsigned long long>(count));
}

void print_counts(const Counts& counts) {
    print("values", counts.values);
    print("value bytes", counts.value_bytes);
    print("routed", counts.routed);
    print("routed bytes", counts.routed_bytes);
    print("heap fallbacks", counts.heap_fallbacks);
    print("pages", counts.pages);
    print("oversize pages", counts.oversize_pages);
    print("arena bytes used", counts.arena_used_bytes);
    print("arena bytes held", counts.arena_held_bytes);
    print("captured results", counts.captured);
    print("captured blocks", counts.captured_blocks);
    std::printf("routed share %.1f %%\n",
                100.0 * static_cast<double>(counts.routed) / static_cast<double>(counts.values));
}

struct Totals {
    Counts counts;
    std::uint64_t scopes = 0;
    std::uint64_t waited_us = 0;
    std::uint64_t served_us = 0;
};

// Deals the requests by number, so that what each worker does is the same in every run.
Totals serve(const std::vector<Request>& requests, std::uint64_t seed, std::uint64_t concurrency,
             bool is_routing) {
    const alloclab::Tag tag("worker");
    std::deque<Worker> workers;
    std::vector<std::thread> threads;
    for (std::uint64_t place = 0; place < concurrency; ++place) {
        Worker& worker = workers.emplace_back(seed, is_routing);
        threads.emplace_back(
            [&worker, &requests, place, concurrency] { worker.run(requests, place, concurrency); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    Totals totals;
    for (const Worker& worker : workers) {
        totals.counts.add(worker.counts);
        totals.scopes += worker.scopes_entered();
        totals.waited_us += worker.waited_us;
        totals.served_us += worker.served_us;
    }
    return totals;
}

} // namespace

int main(int count, char** words) {
    model::buffer_output();
    model::check_options(
        count, words,
        {"--seed", "--requests", "--concurrency", "--mean-gap-us", "--variant", "--time-scopes"});
    const auto number = [&](const char* name, std::uint64_t otherwise) {
        return model::number_option(count, words, name, otherwise);
    };
    const std::uint64_t seed = number("--seed", 1);
    const std::uint64_t concurrency = number("--concurrency", 2);
    const std::uint64_t timed_scopes = number("--time-scopes", 0);
    const std::string variant =
        model::choice_option(count, words, "--variant", {"scaffold", "routed"});
    const std::vector<Request> requests =
        arrivals(seed, number("--requests", 400), number("--mean-gap-us", 600));
    if (requests.empty() || concurrency == 0 || concurrency > 64) {
        std::fprintf(stderr, "%s: at least one request, and 1 to 64 workers\n", words[0]);
        return 2;
    }

    const std::uint64_t begun = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    const Totals totals = serve(requests, seed, concurrency, variant == "routed");
    const std::uint64_t ended = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
    print("scopes", totals.scopes);
    print_counts(totals.counts);
    print("virtual microseconds waited", totals.waited_us);
    print("virtual microseconds served", totals.served_us);
    if (timed_scopes != 0) {
        std::printf("a request %.0f ns of processor time\n",
                    static_cast<double>(ended - begun) / static_cast<double>(requests.size()));
        std::printf("an empty scope %.1f ns\n", scope_ns(timed_scopes, false));
        std::printf("a scope with one block %.1f ns\n", scope_ns(timed_scopes, true));
    }
}
