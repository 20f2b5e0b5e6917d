// SPDX-License-Identifier: MIT
#pragma once

// The Python frames that run on this thread, read without allocating: an allocator may ask.

#include <Python.h>

#include <alloclab/record/python_layout.h>

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct alloclab_python_frame {
    PyCodeObject* code; // borrowed
    int instruction;    // in bytes from the first one
};

// Whether this interpreter's frames can be read.
int alloclab_can_read_frames(void);

// Writes the innermost frames, at most `most`, the innermost first. Returns how many: 0 where this
// thread does not hold the interpreter's lock.
size_t alloclab_read_frames(struct alloclab_python_frame* out, size_t most);

// Where this interpreter keeps what its frames are read by, for a recorder that is built without
// its headers. The version is 0 where that is not known.
struct alloclab_python_layout alloclab_read_layout(void);

#ifdef __cplusplus
}
#endif
