// SPDX-License-Identifier: MIT
#include <alloclab/import/importer.hpp>

#include <alloclab/base/error.hpp>

namespace alloclab {

namespace {

constexpr std::size_t most_kinds = 64;

} // namespace

const ImportReport& Importer::end(bool is_cut) {
    if (is_cut && !is_truncation_allowed_) {
        throw TraceError("the input ends in the middle");
    }
    end_input(is_cut);
    const ForeignBlocks::Counts& counts = blocks_.counts();
    const auto count = [this](const char* name, std::uint64_t value) {
        if (value != 0) {
            report_.left_out[name] += value;
        }
    };
    count("unknown_frees", counts.unknown_frees);
    count("unknown_reallocations", counts.unknown_reallocations);
    count("missed_frees", counts.missed_frees);
    count("inversions", counts.inversions);
    count("rounded_alignments", counts.rounded_alignments);
    count("cut_sizes", counts.cut_sizes);
    count("cut_alignments", counts.cut_alignments);
    report_.is_complete = report_.is_complete && report_.truncated_at.empty();
    return report_;
}

TraceSummary Importer::finish(std::string_view metadata_json) {
    const ForeignBlocks::Counts& counts = blocks_.counts();
    return builder_.finish({.lost_events = report_.lost_events,
                            .unknown_frees = counts.unknown_frees + counts.unknown_reallocations,
                            .missed_frees = counts.missed_frees,
                            .inversions = counts.inversions,
                            .is_complete = report_.is_complete},
                           metadata_json);
}

void Importer::note_truncation(const std::string& where, const std::string& reason) {
    if (!is_truncation_allowed_) {
        throw TraceError(where + ": " + reason);
    }
    report_.truncated_at = where;
}

void Importer::leave_out(std::string_view kind, std::uint64_t count) {
    auto known = report_.left_out.find(kind);
    if (known == report_.left_out.end()) {
        const bool is_full = report_.left_out.size() >= most_kinds;
        known = report_.left_out.try_emplace(std::string(is_full ? "other" : kind)).first;
    }
    known->second += count;
}

} // namespace alloclab
