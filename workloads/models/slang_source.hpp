// SPDX-License-Identifier: MIT
#pragma once

// Writes seeded scripts in the model's little language: numbers, texts, lists, functions, bounded
// loops. Every script is right: names stand before their uses, calls have their arguments, no
// function calls itself. All of them are written into one text, so that the scripts' making is not
// in the recording.

#include "model.hpp"

#include <alloclab/marker.h>

#include <array>
#include <string>
#include <string_view>

namespace slang {

class ScriptWriter {
public:
    explicit ScriptWriter(model::Random& random) : random_(random) {
        const alloclab::Tag tag("source");
        text_.reserve(32 * 1024);
    }

    // Valid until the next one is written.
    std::string_view write(std::uint64_t statements) {
        const alloclab::Tag tag("source");
        text_.clear();
        function_count_ = 0;
        scope_ = {};
        for (std::uint64_t functions = random_.between(1, most_functions); functions > 0;
             --functions) {
            write_function();
        }
        for (std::uint64_t statement = 0; statement < statements; ++statement) {
            write_statement(true);
        }
        return text_;
    }

private:
    static constexpr std::uint64_t most_functions = 5;

    // The names that can be used: p0, p1 ... and value_0, value_1 ...
    struct Scope {
        std::uint64_t parameters = 0;
        std::uint64_t values = 0;
    };

    void write_function() {
        const Scope outer = scope_;
        scope_ = {random_.between(1, 3), 0};
        text_ += "fn compute_";
        put(function_count_);
        for (std::uint64_t each = 0; each < scope_.parameters; ++each) {
            text_ += each == 0 ? "(p" : ", p";
            put(each);
        }
        text_ += ") {\n";
        for (std::uint64_t each = random_.between(1, 6); each > 0; --each) {
            write_statement(false);
        }
        text_ += "return ";
        expression(2);
        text_ += ";\n}\n";
        parameters_[function_count_++] = scope_.parameters;
        scope_ = outer;
    }

    void write_statement(bool has_loops) {
        const std::uint64_t drawn = random_.below(10);
        if (drawn < 5 || scope_.parameters + scope_.values == 0) {
            text_ += "let value_";
            put(scope_.values);
            text_ += " = ";
            expression(3);
            ++scope_.values;
        } else if (drawn < 7) {
            assignment(3);
        } else if (drawn < 9 || !has_loops) {
            text_ += "print ";
            expression(2);
        } else {
            text_ += "repeat ";
            put(random_.between(2, 12));
            text_ += " {\n";
            assignment(2);
            text_ += ";\nprint ";
            expression(1);
            text_ += ";\n}\n";
            return;
        }
        text_ += ";\n";
    }

    void assignment(int depth) {
        name();
        text_ += " = ";
        expression(depth);
    }

    void expression(int depth) {
        term(depth);
        for (std::uint64_t more = random_.below(3); more > 0; --more) {
            text_ += ' ';
            text_ += "+-*"[random_.below(3)];
            text_ += ' ';
            term(depth);
        }
    }

    void term(int depth) {
        const bool has_names = scope_.parameters + scope_.values > 0;
        const std::uint64_t drawn = random_.below(depth > 0 ? 10 : 5);
        if (drawn < 2 || (drawn < 4 && !has_names)) {
            put(random_.below(1000));
        } else if (drawn < 4) {
            name();
        } else if (drawn < 5) {
            text_ += '"';
            text_.append(random_.log_between(2, 64), 'a');
            put(random_.below(40));
            text_ += '"';
        } else if (drawn < 7) {
            text_ += '[';
            arguments(random_.log_between(1, 16), depth - 1, ']');
        } else if (drawn < 8) {
            static constexpr const char* natives[] = {"length(", "join(", "reverse(", "range("};
            text_ += natives[random_.below(4)];
            arguments(1, depth - 1, ')');
        } else if (drawn < 9 && function_count_ > 0) {
            const std::uint64_t called = random_.below(function_count_);
            text_ += "compute_";
            put(called);
            text_ += '(';
            arguments(parameters_[called], depth - 1, ')');
        } else {
            text_ += '(';
            expression(depth - 1);
            text_ += ')';
        }
    }

    void arguments(std::uint64_t count, int depth, char end) {
        for (std::uint64_t each = 0; each < count; ++each) {
            text_ += each == 0 ? "" : ", ";
            term(depth);
        }
        text_ += end;
    }

    void name() {
        const std::uint64_t drawn = random_.below(scope_.parameters + scope_.values);
        const bool is_parameter = drawn < scope_.parameters;
        text_ += is_parameter ? "p" : "value_";
        put(is_parameter ? drawn : drawn - scope_.parameters);
    }

    void put(std::uint64_t number) {
        char digits[24];
        const int length =
            std::snprintf(digits, sizeof digits, "%llu", static_cast<unsigned long long>(number));
        text_.append(digits, static_cast<std::size_t>(length));
    }

    model::Random& random_;
    std::string text_;
    Scope scope_;
    std::array<std::uint64_t, most_functions> parameters_{};
    std::uint64_t function_count_ = 0;
};

} // namespace slang
