// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace alloclab {

// Builds one JSON object as text, member after member.
class JsonObject {
public:
    JsonObject& add(std::string_view name, std::uint64_t value) {
        return add_raw(name, std::to_string(value));
    }
    JsonObject& add_flag(std::string_view name, bool value) {
        return add_raw(name, value ? "true" : "false");
    }
    JsonObject& add_null(std::string_view name) { return add_raw(name, "null"); }
    JsonObject& add_text(std::string_view name, std::string_view value) {
        return add_raw(name, quoted(value));
    }
    JsonObject& add_object(std::string_view name, const JsonObject& value) {
        return add_raw(name, value.text());
    }

    // An array with one number for each element of `range`, as `number(element)` gives it.
    template <class Range, class Number>
    JsonObject& add_array(std::string_view name, const Range& range, Number&& number) {
        std::string array = "[";
        for (const auto& element : range) {
            array += array.size() == 1 ? "" : ",";
            array += std::to_string(number(element));
        }
        return add_raw(name, array + "]");
    }

    std::string text() const { return "{" + members_ + "}"; }

private:
    JsonObject& add_raw(std::string_view name, const std::string& value) {
        members_ += members_.empty() ? "" : ",";
        members_ += quoted(name) + ":" + value;
        return *this;
    }

    static std::string quoted(std::string_view text) {
        static constexpr char digits[] = "0123456789abcdef";
        std::string out = "\"";
        for (const char character : text) {
            const auto byte = static_cast<unsigned char>(character);
            if (character == '"' || character == '\\') {
                out += '\\';
                out += character;
            } else if (byte < 0x20 || byte >= 0x7f) { // also what is not UTF-8: shown as Latin-1
                out += "\\u00";
                out += digits[byte >> 4];
                out += digits[byte & 15];
            } else {
                out += character;
            }
        }
        return out + '"';
    }

    std::string members_;
};

} // namespace alloclab
