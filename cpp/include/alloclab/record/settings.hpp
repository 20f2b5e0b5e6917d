// SPDX-License-Identifier: MIT
#pragma once

// What the environment tells the recorder. Read once, kept in static memory, so that a program that
// clears its environment is recorded all the same.

#include <cstddef>

namespace alloclab::record {

inline constexpr char directory_variable[] = "ALLOCLAB_RECORD_DIR";
inline constexpr char preload_variable[] = "LD_PRELOAD";

struct Settings {
    char directory[3072]; // where captures go: an absolute path
    char library[1024];   // this library's path, to be preloaded into further images
    bool is_beside_library;
};

// Reads the environment, on the first call only.
// Returns whether to record; a hostile value is told on stderr. No variable, no word.
bool read_settings();

const Settings& settings();

// Finds a variable, also before the C library knows its environment. Returns null when it is not
// set; the value is valid until the next call.
const char* environment_value(const char* name);

} // namespace alloclab::record
