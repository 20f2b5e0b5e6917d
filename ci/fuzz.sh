#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Fuzzes what reads untrusted bytes, each target for SECONDS_EACH seconds, from the committed seeds.
#   ci/fuzz.sh                        6 s a target: the short run of CI
#   SECONDS_EACH=28800 ci/fuzz.sh     a night
# What it finds stays in build/fuzz/found/; minimise it and commit it as a seed with its fix.
. "$(dirname "$0")/steps.sh"

seconds_each=${SECONDS_EACH:-6}
export PATH="$PWD/$venv/bin:$PATH"
cmake --preset fuzz
cmake --build build/fuzz --target fuzzers --parallel "$jobs"
mkdir -p build/fuzz/found
for target in trace_reader trace_contents program_builder capture_reader seal plugin_table \
    allocator_spec import; do
    corpus=build/fuzz/corpus/$target
    mkdir -p "$corpus"
    seeds=cpp/fuzz/seeds/$target
    case $target in # two targets read what others do
    program_builder) seeds=cpp/fuzz/seeds/trace_contents ;;
    seal) seeds=cpp/fuzz/seeds/capture_reader ;;
    esac
    "build/fuzz/cpp/fuzz/${target}_fuzz" -max_total_time="$seconds_each" -timeout=10 \
        -rss_limit_mb=1024 -malloc_limit_mb=256 -max_len=65536 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/found/${target}-" "$corpus" "$seeds"
done
