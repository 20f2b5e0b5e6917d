// SPDX-License-Identifier: MIT
#pragma once

#include "symbolize_answer.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace alloclab {

// A module of a recorded program, as the recorder named it, and the addresses wanted of it.
struct ModuleRequest {
    std::string path;
    std::string build_id; // hex; empty where none was recorded
    bool is_symbols_only = false;
    std::vector<std::uint64_t> addresses;
    std::vector<std::uint8_t> is_return; // of each address: it stands behind a call
};

// Looks all addresses of a module up in its file. Whatever is wrong with the file is a reason in
// the answer; only damage that upsets libelf or libdw themselves ends the process.
Answer answer_module(const ModuleRequest& request);

} // namespace alloclab
