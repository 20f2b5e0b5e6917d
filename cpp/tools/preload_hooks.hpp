// SPDX-License-Identifier: MIT
#pragma once

// What the options ask to be hooked, by the files of the library that do it. Called once, when the
// options are known.

// The functions of the C library that end a frame.
void prepare_frames();
// Says which of them were called, as report_hooks() does of the others.
void report_frames();
// Whether `frame-on` of this symbol is prepare_frames()'s to do.
bool is_known_wait(const char* symbol);
