// SPDX-License-Identifier: MIT
#include <alloclab/import/line_importer.hpp>

#include <alloclab/base/error.hpp>

#include "support/trace_file.hpp"

#include <gtest/gtest.h>

namespace alloclab::test {

namespace {

// Keeps the lines; one that is "wrong" is an error.
class KeepingImporter final : public LineImporter {
public:
    KeepingImporter(const TemporaryFolder& folder, bool is_truncation_allowed = false)
        : LineImporter(folder.file("t.alloctrace"),
                       {.level = 1, .is_truncation_allowed = is_truncation_allowed}, 16) {}

    void feed_text(std::string_view text) {
        feed({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }

    std::vector<std::string> lines;

private:
    void line(std::string_view text) override {
        if (text.starts_with("wrong")) {
            throw TraceError("a reason");
        }
        lines.emplace_back(text);
        leave_out(text);
    }
    void end_lines() override { report_.is_complete = true; }
};

std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const TraceError& error) {
        return error.what();
    }
    return "no error";
}

class LineImporterTest : public testing::Test {
protected:
    TemporaryFolder folder;
    KeepingImporter importer{folder};
};

TEST_F(LineImporterTest, lines_are_the_same_wherever_the_pieces_are_cut) {
    const std::string text = "one\ntwo\r\n\nfour\n";
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        KeepingImporter pieces(folder);
        pieces.feed_text(std::string_view(text).substr(0, cut));
        pieces.feed_text({});
        pieces.feed_text(std::string_view(text).substr(cut));
        pieces.end(false);
        EXPECT_EQ(pieces.lines, (std::vector<std::string>{"one", "two", "", "four"})) << cut;
    }
}

TEST_F(LineImporterTest, an_error_names_its_line_and_shows_its_text) {
    EXPECT_EQ(error_of([&] { importer.feed_text("one\nwrong\x1b[31m\n"); }),
              "line 2: a reason: wrong?[31m");
}

TEST_F(LineImporterTest, shown_text_is_cut_to_sixty_characters) {
    EXPECT_EQ(printable(std::string(60, 'x')), std::string(60, 'x'));
    EXPECT_EQ(printable(std::string(61, 'x')), std::string(60, 'x') + "...");
}

TEST_F(LineImporterTest, a_line_as_long_as_allowed_is_taken) {
    importer.feed_text(std::string(16, 'x') + "\n");
    EXPECT_EQ(importer.lines.size(), 1u);
}

TEST_F(LineImporterTest, a_longer_line_is_refused_in_one_piece) {
    EXPECT_EQ(error_of([&] { importer.feed_text("one\n" + std::string(17, 'x') + "\n"); }),
              "line 2: it is longer than 16 bytes: " + std::string(17, 'x') + "?");
}

TEST_F(LineImporterTest, a_longer_line_is_refused_before_its_end_has_come) {
    importer.feed_text(std::string(10, 'x'));
    EXPECT_EQ(error_of([&] { importer.feed_text(std::string(10, 'x')); }),
              "line 1: it is longer than 16 bytes: " + std::string(10, 'x'));
}

TEST_F(LineImporterTest, a_line_without_its_end_is_an_error) {
    importer.feed_text("one\ntw");
    EXPECT_EQ(error_of([&] { importer.end(false); }),
              "line 2: the input ends within a line, without a newline: tw");
}

TEST_F(LineImporterTest, a_line_without_its_end_is_dropped_where_that_is_allowed) {
    KeepingImporter lenient(folder, true);
    lenient.feed_text("one\ntw");
    const ImportReport& report = lenient.end(false);
    EXPECT_EQ(lenient.lines, std::vector<std::string>{"one"});
    EXPECT_EQ(report.truncated_at, "line 2");
    EXPECT_FALSE(report.is_complete);
}

TEST_F(LineImporterTest, a_source_that_broke_off_between_lines_is_marked_too) {
    KeepingImporter lenient(folder, true);
    lenient.feed_text("one\n");
    EXPECT_EQ(lenient.end(true).truncated_at, "line 2");
    importer.feed_text("one\n");
    EXPECT_THROW(importer.end(true), TraceError);
}

TEST_F(LineImporterTest, nothing_at_all_is_an_error) {
    EXPECT_EQ(error_of([&] { importer.end(false); }), "line 1: there is nothing in it");
}

TEST_F(LineImporterTest, what_is_left_out_has_a_bounded_number_of_kinds) {
    for (int kind = 0; kind < 100; ++kind) {
        importer.feed_text(std::to_string(kind) + "\n" + std::to_string(kind) + "\n");
    }
    const ImportReport& report = importer.end(false);
    EXPECT_LE(report.left_out.size(), 65u);
    EXPECT_EQ(report.left_out.at("0"), 2u);
    EXPECT_EQ(report.left_out.at("other"), 200u - 2u * 64u);
}

TEST_F(LineImporterTest, nothing_stands_at_the_path_before_the_finish) {
    importer.feed_text("one\n");
    importer.end(false);
    EXPECT_FALSE(std::filesystem::exists(folder.file("t.alloctrace")));
    importer.finish("{}");
    EXPECT_TRUE(std::filesystem::exists(folder.file("t.alloctrace")));
}

} // namespace

} // namespace alloclab::test
