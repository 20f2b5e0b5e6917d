// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/debug_defect.hpp>

#include <string>
#include <vector>

namespace alloclab {

// Collects defects instead of aborting.
struct Defects {
    std::vector<Defect> all;

    DefectHandler handler() {
        return {[](void* context, const Defect& defect) noexcept {
                    static_cast<Defects*>(context)->all.push_back(defect);
                },
                this};
    }
};

// Collects what a report writes.
struct Text {
    std::string all;

    TextSink sink() {
        return {[](void* context, std::string_view text) noexcept {
                    static_cast<Text*>(context)->all += text;
                },
                this};
    }
};

} // namespace alloclab
