// SPDX-License-Identifier: MIT
#include <alloclab/measure/growth.hpp>

#include "growth_tables.hpp"

#include <alloclab/base/error.hpp>

#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace alloclab {

namespace {

using namespace growth;

constexpr std::array<std::string_view, 7> strategies{
    "realloc_platform", "realloc_heap",    "realloc_arena", "chunked",
    "presized",         "build_then_seal", "mapped_above",
};

[[noreturn]] void run_out() {
    throw Error("growth experiment: out of memory");
}

std::byte item_value(std::size_t table_idx, std::size_t item_idx) {
    return static_cast<std::byte>(table_idx * 31 + item_idx);
}

std::size_t next_bytes(const Array& array, const GrowthSetup& setup) {
    const std::size_t count = array.capacity_bytes / setup.item_bytes;
    if (count == 0) {
        return (setup.growth == 0 ? 1 : setup.first_count) * setup.item_bytes;
    }
    const auto grown = static_cast<std::size_t>(static_cast<double>(count) * setup.growth);
    return std::max(grown, count + 1) * setup.item_bytes;
}

// Appends to each table in turn; a full array grows first.
template <class Ground>
void build_arrays(Ground& ground, const GrowthSetup& setup, std::vector<Array>& tables) {
    for (std::size_t item_idx = 0; item_idx < setup.item_count; ++item_idx) {
        for (std::size_t table_idx = 0; table_idx < tables.size(); ++table_idx) {
            Array& table = tables[table_idx];
            if (table.used_bytes + setup.item_bytes > table.capacity_bytes &&
                !ground.grow(table, next_bytes(table, setup))) {
                run_out();
            }
            std::memset(table.first + table.used_bytes,
                        static_cast<int>(item_value(table_idx, item_idx)), setup.item_bytes);
            table.used_bytes += setup.item_bytes;
        }
    }
}

void check_arrays(const std::vector<Array>& tables, const GrowthSetup& setup,
                  GrowthResult& result) {
    for (std::size_t table_idx = 0; table_idx < tables.size(); ++table_idx) {
        const Array& table = tables[table_idx];
        result.capacity_bytes += table.capacity_bytes;
        for (std::size_t item_idx = 0; item_idx < setup.item_count; ++item_idx) {
            if (table.first[item_idx * setup.item_bytes] != item_value(table_idx, item_idx)) {
                throw Error("growth experiment: table " + std::to_string(table_idx) +
                            " lost item " + std::to_string(item_idx));
            }
        }
    }
}

class Timer {
public:
    explicit Timer(GrowthResult& result) : result_(result) {}
    void stop() {
        const auto passed = std::chrono::steady_clock::now() - start_;
        result_.build_ns = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
    }

private:
    GrowthResult& result_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A heap that keeps what it freed for later, as mallocs do.
TlsfOptions keeping_heap() {
    TlsfOptions options;
    options.retain_bytes = SIZE_MAX;
    return options;
}

// What all strategies share: tables, their sources, and the counts at the end.
class Experiment {
public:
    explicit Experiment(const GrowthSetup& setup)
        : setup_(setup), arena_(setup.arena, SourceRef(source_)),
          heap_(keeping_heap(), SourceRef(source_)), tables_(setup.table_count) {}

    GrowthResult run(std::string_view strategy) {
        Timer timer(result_);
        if (strategy == "realloc_platform") {
            result_.is_counted = false;
            InPlatform ground(result_);
            build_in(ground, timer);
        } else if (strategy == "realloc_heap") {
            InAllocator ground(heap_, result_);
            build_in(ground, timer);
        } else if (strategy == "realloc_arena") {
            InAllocator ground(arena_, result_);
            build_in(ground, timer);
        } else if (strategy == "presized") {
            setup_.first_count = setup_.item_count;
            setup_.growth = 2.0;
            InAllocator ground(arena_, result_);
            build_in(ground, timer);
        } else if (strategy == "build_then_seal") {
            build_then_seal(timer);
        } else if (strategy == "mapped_above") {
            InPagesAbove ground(heap_, source_, setup_.threshold_bytes, result_);
            build_in(ground, timer);
        } else {
            build_chunked(timer);
        }
        result_.payload_bytes = setup_.item_bytes * setup_.item_count * setup_.table_count;
        return result_;
    }

private:
    template <class Ground> void build_in(Ground& ground, Timer& timer) {
        build_arrays(ground, setup_, tables_);
        timer.stop();
        finish();
        for (Array& table : tables_) {
            ground.release(table);
        }
    }

    void finish() {
        check_arrays(tables_, setup_, result_);
        result_.used_bytes = arena_.stats().used_bytes;
        result_.mapped_bytes = source_.mapped_bytes();
        result_.peak_mapped_bytes = source_.peak_mapped_bytes();
    }

    void build_then_seal(Timer& timer) {
        InAllocator ground(heap_, result_);
        build_arrays(ground, setup_, tables_);
        for (Array& table : tables_) {
            auto* const sealed = static_cast<std::byte*>(arena_.allocate(table.used_bytes, 16));
            if (sealed == nullptr) {
                run_out();
            }
            std::memcpy(sealed, table.first, table.used_bytes);
            result_.copied_bytes += table.used_bytes;
            result_.allocated_bytes += table.used_bytes;
            ++result_.allocation_count;
            ground.release(table);
            table = {sealed, table.used_bytes, table.used_bytes};
        }
        timer.stop();
        finish();
    }

    // Chunk k of a table holds first_count << k items; a table's chunks are rejoined to be checked.
    void build_chunked(Timer& timer) {
        std::vector<std::vector<Array>> chunks(tables_.size());
        for (std::size_t item_idx = 0; item_idx < setup_.item_count; ++item_idx) {
            for (std::size_t table_idx = 0; table_idx < chunks.size(); ++table_idx) {
                append_chunked(chunks[table_idx], item_value(table_idx, item_idx));
            }
        }
        timer.stop();
        std::vector<std::vector<std::byte>> joined(chunks.size());
        std::size_t capacity_bytes = 0;
        for (std::size_t table_idx = 0; table_idx < chunks.size(); ++table_idx) {
            for (const Array& chunk : chunks[table_idx]) {
                joined[table_idx].insert(joined[table_idx].end(), chunk.first,
                                         chunk.first + chunk.used_bytes);
                capacity_bytes += chunk.capacity_bytes;
            }
            tables_[table_idx].first = joined[table_idx].data();
        }
        finish();
        result_.capacity_bytes = capacity_bytes;
    }

    void append_chunked(std::vector<Array>& chunks, std::byte value) {
        if (chunks.empty() ||
            chunks.back().used_bytes + setup_.item_bytes > chunks.back().capacity_bytes) {
            const std::size_t bytes = (setup_.first_count << chunks.size()) * setup_.item_bytes;
            auto* const first = static_cast<std::byte*>(arena_.allocate(bytes, 16));
            if (first == nullptr) {
                run_out();
            }
            chunks.push_back({first, 0, bytes});
            result_.allocated_bytes += bytes;
            ++result_.allocation_count;
        }
        Array& chunk = chunks.back();
        std::memset(chunk.first + chunk.used_bytes, static_cast<int>(value), setup_.item_bytes);
        chunk.used_bytes += setup_.item_bytes;
    }

    GrowthSetup setup_;
    GrowthResult result_;
    CountedPages source_;
    CountedArena arena_;
    CountedHeap heap_;
    std::vector<Array> tables_;
};

void check_setup(std::string_view strategy, const GrowthSetup& setup) {
    if (std::find(strategies.begin(), strategies.end(), strategy) == strategies.end()) {
        throw Error("growth experiment: unknown strategy \"" + std::string(strategy) + "\"");
    }
    constexpr std::size_t limit = std::size_t{1} << 40;
    std::size_t total = setup.item_bytes;
    for (const std::size_t factor : {setup.item_count, setup.table_count}) {
        if (factor == 0 || total == 0 || total > limit / factor) {
            throw Error("growth experiment: " + std::to_string(setup.table_count) + " tables of " +
                        std::to_string(setup.item_count) + " items of " +
                        std::to_string(setup.item_bytes) + " bytes are nothing, or above 2^40");
        }
        total *= factor;
    }
    if (setup.first_count == 0 || setup.first_count > limit / setup.item_bytes) {
        throw Error("growth experiment: first count " + std::to_string(setup.first_count));
    }
    if (setup.growth != 0 && !(setup.growth > 1 && setup.growth <= 16)) {
        throw Error("growth experiment: growth " + std::to_string(setup.growth) +
                    " is neither 0 nor above 1 and at most 16");
    }
}

} // namespace

std::span<const std::string_view> growth_strategies() {
    return strategies;
}

GrowthResult measure_growth(std::string_view strategy, const GrowthSetup& setup) {
    check_setup(strategy, setup);
    return Experiment(setup).run(strategy);
}

} // namespace alloclab
