// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/trace/writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace alloclab {

// The names of a capture. A name may be used before its text is heard of, from another thread, so
// a trace's name is reserved at its first use and given its text at the end.
class CaptureNames {
public:
    explicit CaptureNames(TraceWriter& writer) : writer_(writer) {}

    // Takes the next part of a name's text. Numbers that no capture can have are passed over.
    void append(std::uint32_t name, std::string_view part) {
        if (Name* const found = find(name)) {
            found->text += part;
        }
    }

    // The index of a name in the trace.
    std::uint64_t index_of(std::uint32_t name) {
        Name* const found = find(name);
        if (found == nullptr) {
            return writer_.intern(unknown_text);
        }
        if (found->index == unused) {
            found->index = writer_.reserve_name();
        }
        return found->index;
    }

    // Its text as far as it was heard of.
    std::string_view text_of(std::uint32_t name) const {
        return name < names_.size() ? std::string_view(names_[name].text) : std::string_view();
    }

    // Hands the texts to the writer; call once, after the last event.
    void finish() {
        for (const Name& name : names_) {
            if (name.index != unused) {
                writer_.set_name(name.index, name.text.empty() ? unknown_text : name.text);
            }
        }
    }

private:
    static constexpr std::uint64_t unused = ~std::uint64_t{0};
    static constexpr std::uint32_t max_names = 1u << 24; // no table is sized by more
    static constexpr const char* unknown_text = "?";
    struct Name {
        std::string text;
        std::uint64_t index = unused;
    };

    Name* find(std::uint32_t name) {
        if (name >= max_names) {
            return nullptr;
        }
        if (name >= names_.size()) {
            names_.resize(name + std::size_t{1});
        }
        return &names_[name];
    }

    TraceWriter& writer_;
    std::vector<Name> names_;
};

} // namespace alloclab
