// SPDX-License-Identifier: MIT
//
// The log of glibc's mtrace(3), a line a call and "= Start", "= End" around them:
//     @ WHERE + POINTER SIZE      malloc and all its relatives; of "(nil)": it failed
//     @ WHERE - POINTER           free, and realloc to nothing
//     @ WHERE < POINTER           realloc takes this,
//     @ WHERE > POINTER SIZE      and the next line says what became of it
//     @ WHERE ! POINTER SIZE      a realloc that failed
// WHERE is FILE:(FUNCTION+OFFSET)[ADDRESS] of the caller, of which any but the address may be
// missing, or not there at all. Numbers are hexadecimal; free(NULL) leaves no line.
// Sources: malloc/mtrace-impl.c and malloc/mtrace.pl of glibc, https://sourceware.org/git/glibc.git

#include <alloclab/import/formats.hpp>

#include <alloclab/base/error.hpp>
#include <alloclab/import/line_importer.hpp>
#include <alloclab/import/scanner.hpp>

#include <map>

namespace alloclab {

namespace {

// Takes the last word of a line.
std::string_view last_word(std::string_view& text) {
    const std::size_t end = text.find_last_not_of(' ') + 1;
    const std::size_t space = text.substr(0, end).find_last_of(' ');
    const std::size_t begin = space == std::string_view::npos ? 0 : space + 1;
    const std::string_view word = text.substr(begin, end - begin);
    text = text.substr(0, begin);
    return word;
}

std::uint64_t number(std::string_view word, const char* what) {
    Scanner scan(word);
    std::uint64_t value = 0;
    if (word != "(nil)" && !(scan.address(value) && scan.is_at_end())) {
        throw TraceError(std::string("there is no ") + what);
    }
    return value;
}

class MtraceImporter final : public LineImporter {
public:
    MtraceImporter(const std::filesystem::path& trace, const ImportOptions& options)
        : LineImporter(trace, options) {}

private:
    void line(std::string_view text) override {
        if (text.starts_with('=')) {
            return state_line(text);
        }
        is_end_seen_ = false;
        const std::string_view last = last_word(text);
        const std::string_view middle = last_word(text);
        if (middle == "-" || middle == "<") {
            return begin_call(middle.front(), number(last, "pointer"), text);
        }
        const std::string_view sign = last_word(text);
        if (sign != "+" && sign != ">" && sign != "!") {
            throw TraceError("there is no +, -, <, > or ! before a pointer");
        }
        sized_call(sign.front(), number(middle, "pointer"), number(last, "size"), text);
    }

    void state_line(std::string_view text) {
        if (text != "= Start" && text != "= End") {
            throw TraceError("it is neither \"= Start\" nor \"= End\"");
        }
        expect_no_realloc();
        is_end_seen_ = text == "= End";
    }

    void expect_no_realloc() const {
        if (is_in_realloc_) {
            throw TraceError("a \"<\" is not followed by its \">\"");
        }
    }

    void begin_call(char sign, std::uint64_t pointer, std::string_view where) {
        expect_no_realloc();
        const ForeignCaller caller{.site = site_of(where)};
        if (sign == '<') {
            is_in_realloc_ = true;
            reallocated_ = pointer;
        } else {
            blocks_.free(pointer, caller);
        }
    }

    void sized_call(char sign, std::uint64_t pointer, std::uint64_t size, std::string_view where) {
        const ForeignCaller caller{.site = site_of(where)};
        if (sign == '>') {
            if (!is_in_realloc_) {
                throw TraceError("a \">\" does not follow its \"<\"");
            }
            is_in_realloc_ = false;
            return blocks_.reallocate(reallocated_, pointer, size, caller);
        }
        expect_no_realloc();
        if (sign == '!') {
            return blocks_.reallocate(pointer, 0, size, caller);
        }
        blocks_.allocate(pointer, size, 0, AllocationCall::malloc, caller);
    }

    // The site of what stands before a sign: "@ WHERE " or nothing.
    std::uint32_t site_of(std::string_view where) {
        if (where.empty()) {
            return 0;
        }
        if (!where.starts_with("@ ")) {
            throw TraceError("there is no \"@\" before the caller");
        }
        where = where.substr(2, where.find_last_not_of(' ') - 1);
        const auto known = sites_.find(where);
        if (known != sites_.end()) {
            return known->second;
        }
        const auto node = static_cast<std::uint32_t>(stacks_.nodes.size());
        stacks_.frames.push_back(frame_of(where));
        stacks_.nodes.push_back({0, node});
        stacks_.stacks.push_back(node);
        sites_.emplace(where, node + 1);
        return node + 1;
    }

    StackFrame frame_of(std::string_view where) {
        const std::size_t bracket = where.rfind('[');
        if (bracket == std::string_view::npos || !where.ends_with(']')) {
            throw TraceError("there is no [address] of the caller");
        }
        const std::string_view address = where.substr(bracket + 1, where.size() - bracket - 2);
        StackFrame frame{.offset = number(address, "address of the caller")};
        std::string_view rest = where.substr(0, bracket);
        if (const std::size_t begin = rest.rfind('('); rest.ends_with(')') && begin != rest.npos) {
            std::string_view function = rest.substr(begin + 1, rest.size() - begin - 2);
            function = function.substr(0, function.find_last_of("+-"));
            frame.function = static_cast<std::uint32_t>(builder_.intern(function));
            rest = rest.substr(0, begin);
        }
        if (rest.ends_with(':')) {
            rest.remove_suffix(1);
        }
        if (!rest.empty()) {
            frame.module = static_cast<std::uint32_t>(builder_.intern(rest));
        }
        return frame;
    }

    void end_lines() override {
        if (is_in_realloc_ && report_.truncated_at.empty()) {
            note_truncation(here(), "the input ends within a realloc");
        }
        builder_.set_stacks(std::move(stacks_));
        report_.cannot_say.assign({"threads", "time", "calls", "alignments", "free(NULL)",
                                   "realloc(p, 0)", "callers of the caller"});
        report_.is_complete = is_end_seen_;
        if (!is_end_seen_) { // the program ended without muntrace(), or the log breaks off
            report_.cannot_say.emplace_back("end");
        }
    }

    StackTable stacks_; // of one frame each
    std::map<std::string, std::uint32_t, std::less<>> sites_;
    std::uint64_t reallocated_ = 0;
    bool is_in_realloc_ = false;
    bool is_end_seen_ = false;
};

} // namespace

std::unique_ptr<Importer> make_mtrace_importer(const std::filesystem::path& trace,
                                               const ImportOptions& options) {
    return std::make_unique<MtraceImporter>(trace, options);
}

} // namespace alloclab
