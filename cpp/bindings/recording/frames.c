// SPDX-License-Identifier: MIT

// The interpreter has no public function that walks its frames without making objects of them, so
// this reads the chain as its own tracemalloc does. The layout differs with each version.

#include "frames.h"

#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030e0000
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
#include <string.h>
#define ALLOCLAB_HAS_FRAMES 1
#else
#define ALLOCLAB_HAS_FRAMES 0
#endif

int alloclab_can_read_frames(void) {
    return ALLOCLAB_HAS_FRAMES;
}

#if ALLOCLAB_HAS_FRAMES

// The thread's own state, if it holds the lock.
static PyThreadState* running_state(void) {
    PyThreadState* const running = _PyThreadState_UncheckedGet();
    return running != NULL && running == PyGILState_GetThisThreadState() ? running : NULL;
}

static struct _PyInterpreterFrame* innermost(const PyThreadState* state) {
#if PY_VERSION_HEX >= 0x030d0000
    return state->current_frame;
#else
    return state->cframe->current_frame;
#endif
}

static PyCodeObject* code_of(struct _PyInterpreterFrame* frame) {
#if PY_VERSION_HEX >= 0x030d0000
    return (PyCodeObject*)frame->f_executable;
#else
    return frame->f_code;
#endif
}

size_t alloclab_read_frames(struct alloclab_python_frame* out, size_t most) {
    const PyThreadState* const state = running_state();
    if (state == NULL)
        return 0;
    size_t count = 0;
    for (struct _PyInterpreterFrame* frame = innermost(state); frame != NULL && count < most;
         frame = frame->previous) {
        if (_PyFrame_IsIncomplete(frame))
            continue;
        out[count].code = code_of(frame);
        out[count].instruction = _PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT);
        ++count;
    }
    return count;
}

// The lowest bit that a word of a text's state has set.
static unsigned short lowest_bit(const PyASCIIObject* text) {
    unsigned int word = 0;
    memcpy(&word, &text->state, sizeof word);
    return (unsigned short)__builtin_ctz(word);
}

struct alloclab_python_layout alloclab_read_layout(void) {
    static PyASCIIObject of_kind, compact, ascii;
    of_kind.state.kind = PyUnicode_1BYTE_KIND;
    compact.state.compact = 1;
    ascii.state.ascii = 1;
    const struct alloclab_python_layout layout = {
        .version = PY_VERSION_HEX >> 16,
#if PY_VERSION_HEX >= 0x030d0000
        .state_cframe = 0,
        .current_frame = offsetof(PyThreadState, current_frame),
        .frame_code = offsetof(_PyInterpreterFrame, f_executable),
        .frame_instruction = offsetof(_PyInterpreterFrame, instr_ptr),
#else
        .state_cframe = offsetof(PyThreadState, cframe),
        .current_frame = offsetof(_PyCFrame, current_frame),
        .frame_code = offsetof(_PyInterpreterFrame, f_code),
        .frame_instruction = offsetof(_PyInterpreterFrame, prev_instr),
#endif
        .frame_previous = offsetof(_PyInterpreterFrame, previous),
        .frame_owner = offsetof(_PyInterpreterFrame, owner),
        .generator_owner = FRAME_OWNED_BY_GENERATOR,
#if PY_VERSION_HEX >= 0x030c0000
        .c_stack_owner = FRAME_OWNED_BY_CSTACK,
#else
        .c_stack_owner = 255,
#endif
        .code_first_traceable = offsetof(PyCodeObject, _co_firsttraceable),
        .code_first_line = offsetof(PyCodeObject, co_firstlineno),
        .code_filename = offsetof(PyCodeObject, co_filename),
        .code_qualname = offsetof(PyCodeObject, co_qualname),
        .code_line_table = offsetof(PyCodeObject, co_linetable),
        .code_instructions = offsetof(PyCodeObject, co_code_adaptive),
        .object_references = offsetof(PyObject, ob_refcnt),
        .text_length = offsetof(PyASCIIObject, length),
        .text_hash = offsetof(PyASCIIObject, hash),
        .text_state = offsetof(PyASCIIObject, state),
        .text_ascii = sizeof(PyASCIIObject),
        .text_characters = sizeof(PyCompactUnicodeObject),
        .kind_shift = lowest_bit(&of_kind),
        .compact_bit = lowest_bit(&compact),
        .ascii_bit = lowest_bit(&ascii),
        .type_basic_size = offsetof(PyTypeObject, tp_basicsize),
        .code_type_bytes = (unsigned short)PyCode_Type.tp_basicsize,
        .text_type_bytes = (unsigned short)PyUnicode_Type.tp_basicsize,
    };
    return layout;
}

#else

struct alloclab_python_layout alloclab_read_layout(void) {
    const struct alloclab_python_layout unknown = {0};
    return unknown;
}

size_t alloclab_read_frames(struct alloclab_python_frame* out, size_t most) {
    (void)out;
    (void)most;
    return 0;
}

#endif
