// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace alloclab {

struct SourceFrame {
    std::string_view function;
    std::string_view file;
    std::uint32_t line = 0;
    bool is_inlined = false; // its code stands in the next frame's function
};

// What is known of one module's addresses, each text, frame and list of frames held once.
class Answer {
public:
    explicit Answer(std::size_t addresses) : lists_of_(addresses, 0) { add_list({}); }

    // Says why there is less than there could be; the first reason stands.
    void add_reason(std::string_view reason) {
        if (reason_.empty()) {
            reason_ = reason;
        }
    }

    // Frames go innermost first.
    void set_frames(std::size_t address, const std::vector<SourceFrame>& frames) {
        std::vector<std::uint32_t> list;
        for (const SourceFrame& frame : frames) {
            list.push_back(add_frame(frame));
        }
        lists_of_[address] = add_list(std::move(list));
    }

    // Returns the record that symbolize_main.cpp describes.
    std::string bytes(std::uint32_t module) const {
        std::string out;
        put(out, module);
        put_text(out, reason_);
        put(out, texts_.size());
        for (const std::string_view text : texts_) {
            put_text(out, text);
        }
        put(out, frames_.size());
        for (const Frame& frame : frames_) {
            put(out, std::get<0>(frame));
            put(out, std::get<1>(frame));
            put(out, std::get<2>(frame));
            put(out, std::get<3>(frame));
        }
        put(out, lists_.size());
        for (const std::vector<std::uint32_t>* list : lists_) {
            put(out, list->size());
            for (const std::uint32_t frame : *list) {
                put(out, frame);
            }
        }
        put(out, lists_of_.size());
        for (const std::uint32_t list : lists_of_) {
            put(out, list);
        }
        return out;
    }

    static void put(std::string& out, std::size_t value) {
        const auto narrow = static_cast<std::uint32_t>(value);
        out.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
    }

private:
    using Frame = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;

    static void put_text(std::string& out, std::string_view text) {
        put(out, text.size());
        out += text;
    }

    std::uint32_t add_text(std::string_view text) {
        const auto [at, is_new] = text_ids_.try_emplace(std::string(text), texts_.size());
        if (is_new) {
            texts_.push_back(at->first);
        }
        return at->second;
    }

    std::uint32_t add_frame(const SourceFrame& frame) {
        const Frame stored{add_text(frame.function), add_text(frame.file), frame.line,
                           frame.is_inlined ? 1U : 0U};
        const auto [at, is_new] = frame_ids_.try_emplace(stored, frames_.size());
        if (is_new) {
            frames_.push_back(stored);
        }
        return at->second;
    }

    std::uint32_t add_list(std::vector<std::uint32_t> list) {
        const auto [at, is_new] = list_ids_.try_emplace(std::move(list), lists_.size());
        if (is_new) {
            lists_.push_back(&at->first);
        }
        return at->second;
    }

    std::string reason_;
    std::unordered_map<std::string, std::uint32_t> text_ids_;
    std::vector<std::string_view> texts_; // into the map's keys, which never move
    std::map<Frame, std::uint32_t> frame_ids_;
    std::vector<Frame> frames_;
    std::map<std::vector<std::uint32_t>, std::uint32_t> list_ids_;
    std::vector<const std::vector<std::uint32_t>*> lists_;
    std::vector<std::uint32_t> lists_of_; // of each address
};

} // namespace alloclab
