// SPDX-License-Identifier: MIT
#pragma once

// The names of this capture: each text has one number, told in the capture by the thread that
// first used it. A name seen before costs a hash of its text and a comparison, without a lock.

#include <alloclab/record/append.hpp>

#include <cstddef>
#include <cstdint>

namespace alloclab::record {

// What a name's number is when the capture could not be told of it: nothing may refer to it.
inline constexpr std::uint32_t no_name = UINT32_MAX;
// The most of a text that is kept; longer ones are cut, at the beginning of a character.
inline constexpr std::size_t name_most_bytes = 4096;
// The most names of one capture. Whatever comes later is called `name_beyond`, and counted.
inline constexpr std::uint32_t most_names = 48 << 10;
inline constexpr char name_beyond[] = "(a name beyond the recorder's table)";

// The text's number in the capture, which holds its definition afterwards.
// Returns no_name when that could not be written; `hold` then has no room, or memory is short.
// Requires: `hold` holds a lane. Safe in signal handlers.
std::uint32_t intern_name(LaneHold& hold, const char* text, std::size_t bytes);
std::uint32_t intern_name(LaneHold& hold, const char* text); // null: ""
// The same, holding a lane meanwhile.
std::uint32_t intern_name(const char* text, std::size_t bytes);

// For a forked child: its capture knows none of the parent's names. Their texts stay readable.
void inherit_names();
// The number in this capture of what was `id` in the parent's, whose generation (see Process) is
// given. Returns no_name when there was none such.
std::uint32_t inherit_name(LaneHold& hold, std::uint32_t generation, std::uint32_t id);

} // namespace alloclab::record
