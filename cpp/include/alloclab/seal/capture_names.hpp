// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace alloclab {

// The names of a capture. A name may be used before its text is heard of, from another thread, so
// a trace's name is reserved at its first use and given its text at the end.
class CaptureNames {
public:
    explicit CaptureNames(TraceWriter& writer) : writer_(writer) {}

    // Takes the next part of a name's text.
    void append(std::uint32_t name, std::string_view part) { names_[name].text += part; }

    // The index of a name in the trace.
    std::uint64_t index_of(std::uint32_t name) {
        Name& found = names_[name];
        if (found.index == unused) {
            found.index = writer_.reserve_name();
        }
        return found.index;
    }

    // Its text as far as it was heard of.
    std::string_view text_of(std::uint32_t name) const {
        const auto found = names_.find(name);
        return found == names_.end() ? std::string_view() : found->second.text;
    }

    // Hands the texts to the writer; call once, after the last event.
    void finish() {
        for (const auto& [number, name] : names_) {
            if (name.index != unused) {
                writer_.set_name(name.index, name.text.empty() ? unknown_text : name.text);
            }
        }
    }

private:
    static constexpr std::uint64_t unused = ~std::uint64_t{0};
    static constexpr const char* unknown_text = "?";
    struct Name {
        std::string text;
        std::uint64_t index = unused;
    };

    TraceWriter& writer_;
    std::unordered_map<std::uint32_t, Name> names_; // a hostile capture's numbers may be any
};

} // namespace alloclab
