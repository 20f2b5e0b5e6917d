// SPDX-License-Identifier: MIT
#pragma once

#include <alloclab/alloc/any_allocator.hpp>
#include <alloclab/alloc/concept.hpp>
#include <alloclab/alloc/debug_defect.hpp>
#include <alloclab/compose/allocator_spec.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace alloclab {

// One node of a spec as its recipe reads it: options into an option set, children built. What is
// asked for and missing, or there and never asked for, is an error that names the node by its path
// from the top ("segregator.small").
class SpecReader {
public:
    // Requires: `spec` outlives the reader.
    SpecReader(const AllocatorSpec& spec, std::string path, const DefectHandler& on_defect);

    const std::string& name() const { return spec_.name; }
    // Whom the allocator, its children included, tells of the defects it finds.
    const DefectHandler& on_defect() const { return on_defect_; }

    // Sets every option of the node.
    // Throws: Error for a name the set does not know or a value it does not take.
    template <OptionSet Options> Options options() {
        Options result;
        for (const auto& [name, value] : spec_.options) {
            if (!result.set(name, value)) {
                refuse_option(name, value);
            }
        }
        are_options_read_ = true;
        return result;
    }

    // The text of an option a recipe understands itself, or `otherwise` where it is not given.
    std::string_view text(std::string_view name, std::string_view otherwise = {});

    // Builds the child of that name, which tells `on_defect()`, or the handler given, of defects.
    // Each call builds another one from the same spec.
    // Throws: Error where there is none, or what the child's recipe throws.
    AnyAllocator child(std::string_view name) { return child(name, on_defect_); }
    AnyAllocator child(std::string_view name, const DefectHandler& on_defect);

    // The spec of the child of that name, and its path from the top, for a recipe that builds it
    // otherwise or later.
    // Throws: Error where there is none.
    const AllocatorSpec& child_spec(std::string_view name);
    std::string path_of(std::string_view child) const;

    // Throws: Error when options or children were given that nothing has read.
    void finish() const;

    // Throws: Error naming the node and the option.
    [[noreturn]] void refuse_option(const std::string& name, const std::string& value) const;

    // Throws: Error naming the node, then `what`.
    [[noreturn]] void refuse(const std::string& what) const;
    // Throws: Error naming the child of that name, then `what`.
    [[noreturn]] void refuse_child(std::string_view child, const std::string& what) const;

private:
    const AllocatorSpec& spec_;
    std::string path_;
    DefectHandler on_defect_;
    std::vector<std::string_view> read_options_;
    std::vector<std::string_view> read_children_;
    bool are_options_read_ = false;
};

} // namespace alloclab
