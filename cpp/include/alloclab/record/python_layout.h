// SPDX-License-Identifier: MIT
#pragma once

// Where one version of CPython keeps what its frames are read by. C, because only C can include the
// interpreter's own headers (frames.c, of the module _recording); the recorder in the recorded
// program includes none and gets the numbers as a line of its options.

// Offsets are in bytes from the beginning of the object that a member's name begins with.
struct alloclab_python_layout {
    unsigned short version;      // 0x30b: 3.11; 0: nothing is known
    unsigned short state_cframe; // 0: the thread's state holds current_frame itself
    unsigned short current_frame;
    unsigned short frame_code;
    unsigned short frame_previous;
    unsigned short frame_instruction;
    unsigned short frame_owner;
    unsigned short generator_owner; // a value of frame_owner
    unsigned short c_stack_owner;   // another; 255: there is none
    unsigned short code_first_traceable;
    unsigned short code_first_line;
    unsigned short code_filename;
    unsigned short code_qualname;
    unsigned short code_line_table;
    unsigned short code_instructions;
    unsigned short object_references;
    unsigned short text_length;
    unsigned short text_hash;
    unsigned short text_state;
    unsigned short text_ascii;      // the characters of a compact text of ASCII
    unsigned short text_characters; // of any other compact one; of one that is not, a pointer
    unsigned short kind_shift;      // of the character's size in the text's state
    unsigned short compact_bit;
    unsigned short ascii_bit;
    unsigned short type_basic_size;
    unsigned short code_type_bytes; // what the type of code objects says there
    unsigned short text_type_bytes;
};

enum {
    alloclab_python_layout_numbers = sizeof(struct alloclab_python_layout) / sizeof(unsigned short)
};
