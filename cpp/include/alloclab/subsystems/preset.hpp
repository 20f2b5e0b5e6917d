// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace alloclab {

// One part of a program and the allocator it has of its own. The texts live as long as the program.
struct SubsystemRow {
    const char* key;   // "ast": how code asks for it
    const char* title; // "AST": how reports call it
    const char* spec;  // of its allocator, as `parse_allocator_spec` reads it
    // When everything in it ends; null where blocks are freed one by one.
    const char* reset_when = nullptr;
    // Another row, by its key, whose reset resets this one too; null where there is none.
    const char* reset_with = nullptr;
};

// The rows of a named design, in the order reports show them:
//   swiftlang  the eleven of the SwiftLang allocator document
//   weir       a general heap, and arena scopes
//   roc        the seven kinds of scope of the Roc lifetime audit, and what outlives them
// Throws: Error for another name, with the known ones.
std::span<const SubsystemRow> subsystem_preset(std::string_view name);

// The names `subsystem_preset` knows.
std::vector<std::string_view> known_subsystem_presets();

} // namespace alloclab
