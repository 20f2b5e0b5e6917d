// SPDX-License-Identifier: MIT

// The interpreter has no public function that walks its frames without making objects of them, so
// this reads the chain as its own tracemalloc does. The layout differs with each version.

#include "frames.h"

#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030e0000
#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>
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

#else

size_t alloclab_read_frames(struct alloclab_python_frame* out, size_t most) {
    (void)out;
    (void)most;
    return 0;
}

#endif
