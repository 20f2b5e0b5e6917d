// SPDX-License-Identifier: MIT
#pragma once

// What the driver asks of the recorder beyond recording: the file `options` beside `control`, lines
// of name=value. Read once, when the capture is opened; until then everything is as without it.

#include <alloclab/record/python_layout.h>

#include <cstdint>

namespace alloclab::record {

enum class Sites : std::uint8_t { none, caller, stack };
enum class Edges : std::uint8_t { none, frame, phase, every };

struct Options {
    Sites sites = Sites::none;       // sites=none|caller|stack[:depth]
    std::uint32_t stack_depth = 16;  // 1 to 64
    Edges edges = Edges::none;       // edges=none|frame|phase|N
    std::uint64_t edge_interval = 0; // N, at least 1
    const char* frame_on = "";       // frame-on=symbol,symbol
    const char* scope_on = "";       // scope-on=symbol,symbol
    alloclab_python_layout python{}; // python-layout=number,number
};

// The text the options may fill, and so the longest list of symbols.
inline constexpr std::uint32_t option_text_bytes = 16 << 10;

const Options& options();

// Reads the file in the folder, if there is one, on the first call only. A line that cannot be
// understood is passed over; the first of them is told on stderr.
void read_options(const char* directory);

// Takes the options from text, which it changes; what it refers to must stay. Returns the first
// line that cannot be understood, or null.
const char* parse_options(char* text, Options& options);

// Whether a list of symbols, as Options has it, holds the symbol.
bool has_symbol(const char* list, const char* symbol);

// Walks such a list: copies the next symbol to `out`, which has room for `capacity` bytes.
// Returns the rest of the list, or null at its end. A symbol that is too long is passed over.
const char* next_symbol(const char* list, char* out, std::uint32_t capacity);

} // namespace alloclab::record
