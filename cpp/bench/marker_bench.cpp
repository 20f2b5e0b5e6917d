// SPDX-License-Identifier: MIT
// What marks cost a program that nobody records: below 2 ns each. Under the recorder (preload it
// and set ALLOCLAB_RECORD_DIR) the same loops say what they cost then.

#include <alloclab/marker.h>

#include <benchmark/benchmark.h>

namespace {

void scope_of_a_phase(benchmark::State& state) {
    for ([[maybe_unused]] auto round : state) {
        const alloclab::Phase phase("load");
        benchmark::ClobberMemory();
    }
}
BENCHMARK(scope_of_a_phase);

void end_of_a_frame(benchmark::State& state) {
    for ([[maybe_unused]] auto round : state) {
        alloclab_frame_end(nullptr);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(end_of_a_frame);

void tag_of_a_block(benchmark::State& state) {
    for ([[maybe_unused]] auto round : state) {
        const alloclab::Tag tag("texture");
        benchmark::ClobberMemory();
    }
}
BENCHMARK(tag_of_a_block);

void reference_between_blocks(benchmark::State& state) {
    for ([[maybe_unused]] auto round : state) {
        alloclab_reference(&state, 3, &state);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(reference_between_blocks);

} // namespace
