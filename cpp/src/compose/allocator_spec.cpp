// SPDX-License-Identifier: MIT
#include <alloclab/base/error.hpp>
#include <alloclab/compose/allocator_spec.hpp>

#include <nlohmann/json.hpp>

namespace alloclab {

namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(const std::string& place, const std::string& what) {
    throw Error("allocator spec, " + (place.empty() ? "at the top" : place) + ": " + what);
}

void read_options(const Json& from, const std::string& place, AllocatorSpec& spec) {
    if (!from.is_object()) {
        refuse(place, "\"options\" is no object");
    }
    for (const auto& [name, value] : from.items()) {
        if (!value.is_string()) {
            refuse(place, "option \"" + name + "\" is no text");
        }
        spec.options.emplace_back(name, value.get<std::string>());
    }
}

AllocatorSpec read_spec(const Json& from, const std::string& place, std::size_t depth) {
    if (depth > allocator_spec_max_depth) {
        refuse(place, "more than " + std::to_string(allocator_spec_max_depth) + " levels deep");
    }
    if (!from.is_object() || !from.contains("allocator") || !from["allocator"].is_string()) {
        refuse(place, "no object with an \"allocator\"");
    }
    AllocatorSpec spec;
    for (const auto& [key, value] : from.items()) {
        if (key == "allocator") {
            spec.name = value.get<std::string>();
        } else if (key == "options") {
            read_options(value, place, spec);
        } else if (key == "children") {
            if (!value.is_object()) {
                refuse(place, "\"children\" is no object");
            }
            for (const auto& [name, child] : value.items()) {
                std::string inner = place;
                (inner += inner.empty() ? "" : ".") += name;
                spec.children.push_back({name, read_spec(child, inner, depth + 1)});
            }
        } else {
            refuse(place, "unknown key \"" + key + "\"");
        }
    }
    return spec;
}

} // namespace

AllocatorSpec parse_allocator_spec(std::string_view json) {
    Json document;
    try {
        document = Json::parse(json);
    } catch (const Json::exception& error) {
        throw Error(std::string("allocator spec: not JSON: ") + error.what());
    }
    return read_spec(document, "", 1);
}

} // namespace alloclab
