// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/import/importer.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace alloclab {

// `text` without what a terminal would obey, at most 60 characters of it, for an error message.
std::string printable(std::string_view text);

// An importer of text, a line at a time. Lines end in "\n" or "\r\n"; one that does not end was
// cut off. What a format throws gets the line in front and its text behind:
// "line 12: reason: the text".
class LineImporter : public Importer {
public:
    static constexpr std::size_t usual_longest_line = std::size_t{1} << 16;

    // Throws: as Importer. A line longer than `longest_line` bytes is an error.
    LineImporter(const std::filesystem::path& trace, const ImportOptions& options,
                 std::size_t longest_line = usual_longest_line)
        : Importer(trace, options), longest_line_(longest_line) {}

    void feed(std::span<const std::uint8_t> bytes) final;

protected:
    // Takes a line without its end; the view is valid during the call.
    // Throws: TraceError with a reason only.
    virtual void line(std::string_view text) = 0;

    // After the last line: throws TraceError when something is missing, completes `report_`.
    virtual void end_lines() = 0;

    // What the last line taken has: the first is 1.
    std::uint64_t line_number() const { return lines_; }

    // "line 12", of the last line taken.
    std::string here() const { return "line " + std::to_string(lines_); }

private:
    void end_input(bool is_cut) final;
    void take(std::string_view text);
    [[noreturn]] void refuse_length(std::string_view start) const;

    std::size_t longest_line_;
    std::uint64_t lines_ = 0;
    std::string carry_; // the start of a line whose rest has not come
};

} // namespace alloclab
