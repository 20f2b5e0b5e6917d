// SPDX-License-Identifier: MIT
#include "recipe.hpp"

#include <alloclab/base/error.hpp>
#include <alloclab/compose/spec_reader.hpp>

#include <algorithm>

namespace alloclab {

namespace {

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

SpecReader::SpecReader(const AllocatorSpec& spec, std::string path, const DefectHandler& on_defect)
    : spec_(spec), path_(std::move(path)), on_defect_(on_defect) {}

std::string_view SpecReader::text(std::string_view name, std::string_view otherwise) {
    read_options_.push_back(name);
    for (const auto& [known, value] : spec_.options) {
        if (known == name) {
            return value;
        }
    }
    return otherwise;
}

AnyAllocator SpecReader::child(std::string_view name, const DefectHandler& on_defect) {
    return build_node(child_spec(name), path_of(name), on_defect);
}

const AllocatorSpec& SpecReader::child_spec(std::string_view name) {
    read_children_.push_back(name);
    for (const auto& [known, spec] : spec_.children) {
        if (known == name) {
            return spec;
        }
    }
    refuse("has no \"" + std::string(name) + "\"");
}

std::string SpecReader::path_of(std::string_view child) const {
    return path_ + "." + std::string(child);
}

void SpecReader::finish() const {
    for (const auto& option : spec_.options) {
        if (!are_options_read_ && !contains(read_options_, option.first)) {
            refuse("option \"" + option.first + "\" is unknown");
        }
    }
    for (const auto& child : spec_.children) {
        if (!contains(read_children_, child.name)) {
            refuse("child \"" + child.name + "\" is unknown");
        }
    }
}

void SpecReader::refuse_option(const std::string& name, const std::string& value) const {
    std::string what = "option \"";
    what.append(name).append("\" is unknown or cannot be \"").append(value).append("\"");
    refuse(what);
}

void SpecReader::refuse(const std::string& what) const {
    throw Error("allocator " + path_ + ": " + what);
}

void SpecReader::refuse_child(std::string_view child, const std::string& what) const {
    throw Error("allocator " + path_of(child) + ": " + what);
}

} // namespace alloclab
