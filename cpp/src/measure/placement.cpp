// SPDX-License-Identifier: MIT
#include <alloclab/measure/placement.hpp>

#include "placement_order.hpp"

#include <alloclab/measure/rank_set.hpp>

#include <algorithm>
#include <utility>

namespace alloclab {

namespace {

// Walks the events in order and keeps the live blocks by offset.
// Invariant: live blocks are disjoint, so the one that starts last ends last.
class Sweep {
public:
    Sweep(const BlockColumns& blocks, const PlacementOptions& options)
        : blocks_(blocks), options_(options), ranks_(rank_offsets(blocks.offset)),
          deaths_(blocks.death, options.events), live_(ranks_.start.size()),
          end_at_(ranks_.start.size()), row_at_(ranks_.start.size()) {}

    PlacementFigures run() {
        for (std::uint64_t event = 0; event < options_.events; ++event) {
            const bool is_birth = next_row_ < blocks_.birth.size() &&
                                  blocks_.birth[next_row_] == static_cast<std::int64_t>(event);
            const auto dying = deaths_.at(event);
            if (is_birth) {
                if (!give_birth(static_cast<std::uint32_t>(next_row_++), dying)) {
                    return std::move(figures_);
                }
                note_peaks(event);
            } else {
                remove_all(dying);
            }
            while (next_sample_ < options_.sample_events.size() &&
                   options_.sample_events[next_sample_] == static_cast<std::int64_t>(event)) {
                figures_.samples.push_back(sample(event));
                figures_.samples.back().largest_free_run_bytes = largest_free_run();
                ++next_sample_;
            }
        }
        if (averaged_bytes_ > 0) {
            figures_.mean_extent_ratio /= averaged_bytes_;
        }
        return std::move(figures_);
    }

private:
    // A row that dies where another is born is a block that is resized: it goes first where it is
    // resized in place, and otherwise once the new one stands. Returns false at an overlap.
    bool give_birth(std::uint32_t row, std::span<const std::uint32_t> dying) {
        const std::uint64_t requested_before = requested_;
        const bool is_freed_first = options_.may_move_onto_itself ||
                                    std::any_of(dying.begin(), dying.end(), [&](std::uint32_t old) {
                                        return blocks_.offset[old] == blocks_.offset[row];
                                    });
        if (is_freed_first) {
            remove_all(dying);
        }
        requested_ += size_of(row);
        if (!add(row)) {
            return false;
        }
        extent_ = extent();
        if (!is_freed_first) {
            remove_all(dying);
        }
        note_growth(requested_before);
        return true;
    }

    // The bytes this event asked for weigh the extent it left. A resize counts by its growth.
    void note_growth(std::uint64_t requested_before) {
        const std::uint64_t growth =
            requested_ > requested_before ? requested_ - requested_before : 0;
        allocated_ += growth;
        if (requested_ > 0 && growth > 0) {
            const auto weight = static_cast<double>(growth);
            figures_.mean_extent_ratio +=
                weight * static_cast<double>(extent_) / static_cast<double>(requested_);
            averaged_bytes_ += weight;
        }
    }

    std::uint64_t size_of(std::size_t row) const {
        return static_cast<std::uint64_t>(blocks_.size[row]);
    }

    bool add(std::uint32_t row) {
        if (blocks_.offset[row] == BlockColumns::refused) {
            ++figures_.refused_blocks;
            figures_.refused_bytes += size_of(row);
            return true;
        }
        const std::uint32_t rank = ranks_.of_row[row];
        const auto end = static_cast<std::uint64_t>(blocks_.offset[row] + blocks_.block_size[row]);
        if (live_.contains(rank)) {
            figures_.overlap = Overlap{row, row_at_[rank]};
            return false;
        }
        const std::uint32_t below = live_.below(rank);
        if (below != RankSet::none &&
            end_at_[below] > static_cast<std::uint64_t>(blocks_.offset[row])) {
            figures_.overlap = Overlap{row, row_at_[below]};
            return false;
        }
        const std::uint32_t above = live_.above(rank);
        if (above != RankSet::none && ranks_.start[above] < static_cast<std::int64_t>(end)) {
            figures_.overlap = Overlap{row, row_at_[above]};
            return false;
        }
        live_.insert(rank);
        end_at_[rank] = end;
        row_at_[rank] = row;
        block_live_ += static_cast<std::uint64_t>(blocks_.block_size[row]);
        figures_.block_bytes_total += static_cast<std::uint64_t>(blocks_.block_size[row]);
        return true;
    }

    void remove_all(std::span<const std::uint32_t> rows) {
        for (const std::uint32_t row : rows) {
            requested_ -= size_of(row);
            if (blocks_.offset[row] != BlockColumns::refused) {
                live_.erase(ranks_.of_row[row]);
                block_live_ -= static_cast<std::uint64_t>(blocks_.block_size[row]);
            }
        }
    }

    std::uint64_t extent() const {
        const std::uint32_t last = live_.last();
        return last == RankSet::none ? 0 : end_at_[last];
    }

    // Everything is highest at a birth.
    void note_peaks(std::uint64_t event) {
        figures_.peak_block_live_bytes = std::max(figures_.peak_block_live_bytes, block_live_);
        if (requested_ > figures_.peak_requested_live_bytes) {
            figures_.peak_requested_live_bytes = requested_;
            figures_.peak_requested_event = event;
            figures_.block_live_bytes_at_peak_requested = block_live_;
            figures_.extent_bytes_at_peak_requested = extent_;
        }
        const PlacementSample& highest = figures_.high_water;
        if (extent_ > highest.extent_bytes ||
            (extent_ == highest.extent_bytes && block_live_ > highest.block_live_bytes)) {
            figures_.high_water = sample(event);
            figures_.high_water.extent_bytes = extent_; // a block that just moved away counts
        }
    }

    PlacementSample sample(std::uint64_t event) const {
        return {.event = event,
                .requested_live_bytes = requested_,
                .block_live_bytes = block_live_,
                .extent_bytes = extent(),
                .allocated_bytes = allocated_};
    }

    std::uint64_t largest_free_run() const {
        std::uint64_t largest = 0;
        std::uint64_t end = 0;
        for (std::uint32_t rank = live_.first(); rank != RankSet::none; rank = live_.above(rank)) {
            largest = std::max(largest, static_cast<std::uint64_t>(ranks_.start[rank]) - end);
            end = end_at_[rank];
        }
        return largest;
    }

    const BlockColumns& blocks_;
    const PlacementOptions& options_;
    OffsetRanks ranks_;
    RowsByEvent deaths_;
    RankSet live_;
    std::vector<std::uint64_t> end_at_; // by rank, of live blocks
    std::vector<std::uint32_t> row_at_; // by rank, of live blocks
    std::size_t next_row_ = 0;
    std::size_t next_sample_ = 0;
    std::uint64_t requested_ = 0;
    std::uint64_t block_live_ = 0;
    std::uint64_t extent_ = 0;
    std::uint64_t allocated_ = 0;
    double averaged_bytes_ = 0;
    PlacementFigures figures_;
};

} // namespace

PlacementFigures judge_placement(const BlockColumns& blocks, const PlacementOptions& options) {
    check_rows(blocks, options);
    return Sweep(blocks, options).run();
}

} // namespace alloclab
