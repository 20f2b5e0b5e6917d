// SPDX-License-Identifier: MIT
#include <alloclab/import/line_importer.hpp>

#include <alloclab/base/error.hpp>

#include <algorithm>

namespace alloclab {

namespace {

constexpr std::size_t most_shown = 60;

} // namespace

std::string printable(std::string_view text) {
    std::string shown;
    for (const char byte : text.substr(0, most_shown)) {
        shown += byte >= ' ' && byte <= '~' ? byte : '?';
    }
    return text.size() > most_shown ? shown + "..." : shown;
}

void LineImporter::feed(std::span<const std::uint8_t> bytes) {
    std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!carry_.empty()) {
        const std::size_t end = rest.find('\n');
        const std::size_t more = std::min(end, rest.size());
        if (carry_.size() + more > longest_line_) {
            refuse_length(carry_);
        }
        carry_.append(rest.substr(0, more));
        if (end == std::string_view::npos) {
            return;
        }
        take(carry_);
        carry_.clear();
        rest.remove_prefix(end + 1);
    }
    for (std::size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
        if (end > longest_line_) {
            refuse_length(rest);
        }
        take(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    if (rest.size() > longest_line_) {
        refuse_length(rest);
    }
    carry_ = rest;
}

void LineImporter::take(std::string_view text) {
    ++lines_;
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    try {
        line(text);
    } catch (const TraceError& error) {
        throw TraceError(here() + ": " + error.what() + ": " + printable(text));
    }
}

void LineImporter::refuse_length(std::string_view start) const {
    throw TraceError("line " + std::to_string(lines_ + 1) + ": it is longer than " +
                     std::to_string(longest_line_) + " bytes: " + printable(start));
}

void LineImporter::end_input(bool is_cut) {
    if (!carry_.empty()) {
        note_truncation("line " + std::to_string(lines_ + 1),
                        "the input ends within a line, without a newline: " + printable(carry_));
    } else if (is_cut) {
        note_truncation("line " + std::to_string(lines_ + 1), "the input ends in the middle");
    } else if (lines_ == 0) {
        note_truncation("line 1", "there is nothing in it");
    }
    end_lines();
}

} // namespace alloclab
