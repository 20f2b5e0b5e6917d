/* SPDX-License-Identifier: MIT */
#ifndef ALLOCLAB_MARKER_H
#define ALLOCLAB_MARKER_H

/*
 * What a program can say of itself to whoever records it with `alloclab record`: where a frame, a
 * turn or a request begins and ends, what an allocation is for, which block refers to which. One
 * header for C (C99) and C++ (11), nothing to link, nothing of the lab needed to build or to run.
 *
 *     #include <alloclab/marker.h>
 *
 *     void serve(const char* path) {
 *         uint64_t request = alloclab_request_enter(path);    C
 *         uint64_t before = alloclab_tag("answer");
 *         ...
 *         alloclab_restore_tag(before);
 *         alloclab_scope_exit(request);
 *     }
 *
 *     void serve(const std::string& path) {
 *         alloclab::Request request(path.c_str());            C++
 *         alloclab::Tag tag("answer");
 *         ...
 *     }
 *
 *     while (is_running) {
 *         ...
 *         alloclab_frame_end(0);                              one call at the end of each frame
 *     }
 *
 * Costs. Not recorded: a load and a branch, below 2 ns. Recorded: some 20 to 60 ns and about five
 * bytes; a text that is new costs its bytes once more. A recording keeps some 49,000 different
 * texts of up to 4,096 bytes each: give a number to a request, not a text of its own to each.
 *
 * Threads. Any function may be called from any thread, from signal handlers, and between fork and
 * exec; none allocates, blocks or changes errno. Scopes, boundaries and the tag belong to the
 * thread that set them. A forked child goes on in the scopes and under the tag of the thread that
 * forked it.
 *
 * Scopes nest within a thread, but nobody insists on it. A scope that is closed
 *   - twice: the first time counts;
 *   - never: it lasts until the recording's end;
 *   - on another thread: it ends there and then, and until then counted for the thread it began on;
 *   - before one that began within it: that one goes on.
 *
 * How the recorder is found. Code built to be position-independent (-fPIC, -fPIE: the default of
 * most systems) refers to it weakly, and the loader fills that in or leaves it null. Other code
 * looks it up once for each source file, with dlsym; in a static program, which nothing can be
 * preloaded into, all of this does nothing. So it does on systems that are not Linux.
 */

#include <stddef.h>
#include <stdint.h>

#if defined(__linux__) && defined(__GNUC__)
#define ALLOCLAB_HAS_RECORDER 1
#else
#define ALLOCLAB_HAS_RECORDER 0
#endif

#if defined(__GNUC__)
#define ALLOCLAB_INLINE static inline __attribute__((unused))
#else
#define ALLOCLAB_INLINE static inline
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if ALLOCLAB_HAS_RECORDER && (defined(__PIC__) || defined(__PIE__))

#define ALLOCLAB_WEAK __attribute__((weak))
extern uint64_t alloclab_recorder_scope_enter(const char* kind, const char* name) ALLOCLAB_WEAK;
extern void alloclab_recorder_scope_exit(uint64_t scope) ALLOCLAB_WEAK;
extern uint64_t alloclab_recorder_boundary(const char* kind, const char* name) ALLOCLAB_WEAK;
extern void alloclab_recorder_mark(const char* name) ALLOCLAB_WEAK;
extern uint64_t alloclab_recorder_tag(const char* name) ALLOCLAB_WEAK;
extern void alloclab_recorder_restore_tag(uint64_t before) ALLOCLAB_WEAK;
extern void alloclab_recorder_reset(uint64_t scope) ALLOCLAB_WEAK;
extern void alloclab_recorder_transfer(const void* block, uint64_t scope) ALLOCLAB_WEAK;
extern void alloclab_recorder_reference(const void* holder, uint64_t slot,
                                        const void* target) ALLOCLAB_WEAK;
extern void alloclab_recorder_root_push(const void* block) ALLOCLAB_WEAK;
extern void alloclab_recorder_root_pop(uint64_t count) ALLOCLAB_WEAK;
extern void alloclab_recorder_root_set(uint64_t index, const void* block) ALLOCLAB_WEAK;

/* The recorder's function, or null. */
#define ALLOCLAB_RECORDER(function) alloclab_recorder_##function

#else

typedef struct alloclab_recorder_calls {
    uint64_t (*scope_enter)(const char*, const char*);
    void (*scope_exit)(uint64_t);
    uint64_t (*boundary)(const char*, const char*);
    void (*mark)(const char*);
    uint64_t (*tag)(const char*);
    void (*restore_tag)(uint64_t);
    void (*reset)(uint64_t);
    void (*transfer)(const void*, uint64_t);
    void (*reference)(const void*, uint64_t, const void*);
    void (*root_push)(const void*);
    void (*root_pop)(uint64_t);
    void (*root_set)(uint64_t, const void*);
} alloclab_recorder_calls;

#if ALLOCLAB_HAS_RECORDER

/* Under a name of its own, so that no other declaration of it can disagree. */
extern void (*alloclab_recorder_dlsym(void* handle, const char* name))(void) __asm__("dlsym")
    __attribute__((weak));

/* Fills the table; two threads that do it at once fill in the same. The flag comes last. */
#define ALLOCLAB_LOOK_UP(calls, function, Type)                                                    \
    __atomic_store_n(&(calls)->function,                                                           \
                     (Type)alloclab_recorder_dlsym((void*)0, "alloclab_recorder_" #function),      \
                     __ATOMIC_RELAXED)

static __attribute__((unused, noinline)) void
alloclab_recorder_look_up(alloclab_recorder_calls* calls, int* is_looked_up) {
    if (alloclab_recorder_dlsym) {
        ALLOCLAB_LOOK_UP(calls, scope_enter, uint64_t(*)(const char*, const char*));
        ALLOCLAB_LOOK_UP(calls, scope_exit, void (*)(uint64_t));
        ALLOCLAB_LOOK_UP(calls, boundary, uint64_t(*)(const char*, const char*));
        ALLOCLAB_LOOK_UP(calls, mark, void (*)(const char*));
        ALLOCLAB_LOOK_UP(calls, tag, uint64_t(*)(const char*));
        ALLOCLAB_LOOK_UP(calls, restore_tag, void (*)(uint64_t));
        ALLOCLAB_LOOK_UP(calls, reset, void (*)(uint64_t));
        ALLOCLAB_LOOK_UP(calls, transfer, void (*)(const void*, uint64_t));
        ALLOCLAB_LOOK_UP(calls, reference, void (*)(const void*, uint64_t, const void*));
        ALLOCLAB_LOOK_UP(calls, root_push, void (*)(const void*));
        ALLOCLAB_LOOK_UP(calls, root_pop, void (*)(uint64_t));
        ALLOCLAB_LOOK_UP(calls, root_set, void (*)(uint64_t, const void*));
    }
    __atomic_store_n(is_looked_up, 1, __ATOMIC_RELEASE);
}

ALLOCLAB_INLINE const alloclab_recorder_calls* alloclab_recorder_found(void) {
    static alloclab_recorder_calls calls;
    static int is_looked_up;
    if (!__atomic_load_n(&is_looked_up, __ATOMIC_ACQUIRE))
        alloclab_recorder_look_up(&calls, &is_looked_up);
    return &calls;
}

#else

ALLOCLAB_INLINE const alloclab_recorder_calls* alloclab_recorder_found(void) {
    static const alloclab_recorder_calls none = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    return &none;
}

#endif

#define ALLOCLAB_RECORDER(function) alloclab_recorder_found()->function

#endif

/* Whether the recorder is in this process. It may have stopped recording meanwhile. */
ALLOCLAB_INLINE int alloclab_is_recorded(void) {
    return ALLOCLAB_RECORDER(scope_enter) != 0;
}

/* Begins a scope of this thread. The kind is one of the words below or any other; a null text is
 * an empty one. Returns what alloclab_scope_exit needs, 0 when nothing is recorded. */
ALLOCLAB_INLINE uint64_t alloclab_scope_enter(const char* kind, const char* name) {
    return ALLOCLAB_RECORDER(scope_enter) ? ALLOCLAB_RECORDER(scope_enter)(kind, name) : 0;
}

/* Ends a scope. Nothing for 0. */
ALLOCLAB_INLINE void alloclab_scope_exit(uint64_t scope) {
    if (ALLOCLAB_RECORDER(scope_exit))
        ALLOCLAB_RECORDER(scope_exit)(scope);
}

/* Scopes of the usual kinds. */
ALLOCLAB_INLINE uint64_t alloclab_frame_enter(const char* name) {
    return alloclab_scope_enter("frame", name);
}
ALLOCLAB_INLINE uint64_t alloclab_turn_enter(const char* name) {
    return alloclab_scope_enter("turn", name);
}
ALLOCLAB_INLINE uint64_t alloclab_tick_enter(const char* name) {
    return alloclab_scope_enter("tick", name);
}
ALLOCLAB_INLINE uint64_t alloclab_task_enter(const char* name) {
    return alloclab_scope_enter("task", name);
}
ALLOCLAB_INLINE uint64_t alloclab_request_enter(const char* name) {
    return alloclab_scope_enter("request", name);
}
ALLOCLAB_INLINE uint64_t alloclab_phase_enter(const char* name) {
    return alloclab_scope_enter("phase", name);
}

/* One call at the end of each frame: ends the scope that this thread's last boundary of the kind
 * began, if any, and begins the next, of that name. What comes before the first boundary is in
 * none. A thread keeps eight kinds of boundaries. Returns the scope that begins. */
ALLOCLAB_INLINE uint64_t alloclab_boundary(const char* kind, const char* name) {
    return ALLOCLAB_RECORDER(boundary) ? ALLOCLAB_RECORDER(boundary)(kind, name) : 0;
}
ALLOCLAB_INLINE uint64_t alloclab_frame_end(const char* next_name) {
    return alloclab_boundary("frame", next_name);
}
ALLOCLAB_INLINE uint64_t alloclab_turn_end(const char* next_name) {
    return alloclab_boundary("turn", next_name);
}
ALLOCLAB_INLINE uint64_t alloclab_tick_end(const char* next_name) {
    return alloclab_boundary("tick", next_name);
}

/* An instant. (`alloclab_mark` is a type of plugin.h.) */
ALLOCLAB_INLINE void alloclab_mark_here(const char* name) {
    if (ALLOCLAB_RECORDER(mark))
        ALLOCLAB_RECORDER(mark)(name);
}

/* What this thread's allocations are for from now on, null: nothing said. Returns what
 * alloclab_restore_tag needs to set it back, on the same thread or in its forked child. */
ALLOCLAB_INLINE uint64_t alloclab_tag(const char* name) {
    return ALLOCLAB_RECORDER(tag) ? ALLOCLAB_RECORDER(tag)(name) : 0;
}
ALLOCLAB_INLINE void alloclab_restore_tag(uint64_t before) {
    if (ALLOCLAB_RECORDER(restore_tag))
        ALLOCLAB_RECORDER(restore_tag)(before);
}

/* Everything allocated in the scope is given up at once; the scope stays open. 0: this thread's
 * innermost one. */
ALLOCLAB_INLINE void alloclab_reset(uint64_t scope) {
    if (ALLOCLAB_RECORDER(reset))
        ALLOCLAB_RECORDER(reset)(scope);
}

/* The block belongs to that scope from now on, 0: to none. */
ALLOCLAB_INLINE void alloclab_transfer(const void* block, uint64_t scope) {
    if (ALLOCLAB_RECORDER(transfer))
        ALLOCLAB_RECORDER(transfer)(block, scope);
}

/* Slot number `slot` of the block `holder` refers to the block `target` from now on, null: to none.
 * With the roots it is the graph that a garbage collector is replayed on. */
ALLOCLAB_INLINE void alloclab_reference(const void* holder, uint64_t slot, const void* target) {
    if (ALLOCLAB_RECORDER(reference))
        ALLOCLAB_RECORDER(reference)(holder, slot, target);
}

/* The roots: a stack, of which any place can also be set. */
ALLOCLAB_INLINE void alloclab_root_push(const void* block) {
    if (ALLOCLAB_RECORDER(root_push))
        ALLOCLAB_RECORDER(root_push)(block);
}
ALLOCLAB_INLINE void alloclab_root_pop(uint64_t count) {
    if (ALLOCLAB_RECORDER(root_pop))
        ALLOCLAB_RECORDER(root_pop)(count);
}
ALLOCLAB_INLINE void alloclab_root_set(uint64_t index, const void* block) {
    if (ALLOCLAB_RECORDER(root_set))
        ALLOCLAB_RECORDER(root_set)(index, block);
}

#ifdef __cplusplus
} /* extern "C" */

namespace alloclab {

/* A scope that ends with the block of code it stands in. */
class Scope {
public:
    Scope(const char* kind, const char* name) : number_(alloclab_scope_enter(kind, name)) {}
    ~Scope() { alloclab_scope_exit(number_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

    /* For alloclab_reset and alloclab_transfer. */
    uint64_t number() const { return number_; }

private:
    uint64_t number_;
};

#define ALLOCLAB_SCOPE_CLASS(Name, kind)                                                           \
    class Name : public Scope {                                                                    \
    public:                                                                                        \
        explicit Name(const char* name = nullptr) : Scope(kind, name) {}                           \
    }

ALLOCLAB_SCOPE_CLASS(Frame, "frame");
ALLOCLAB_SCOPE_CLASS(Turn, "turn");
ALLOCLAB_SCOPE_CLASS(Tick, "tick");
ALLOCLAB_SCOPE_CLASS(Task, "task");
ALLOCLAB_SCOPE_CLASS(Request, "request");
ALLOCLAB_SCOPE_CLASS(Phase, "phase");

/* A tag of this thread's allocations until the block of code ends; then the one before it. */
class Tag {
public:
    explicit Tag(const char* name) : before_(alloclab_tag(name)) {}
    ~Tag() { alloclab_restore_tag(before_); }
    Tag(const Tag&) = delete;
    Tag& operator=(const Tag&) = delete;

private:
    uint64_t before_;
};

} /* namespace alloclab */
#endif

#endif
