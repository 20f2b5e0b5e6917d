// SPDX-License-Identifier: MIT
// Stands in for the recorder: writes the scopes it is told of to $SCOPE_LOG.PID, a line a scope,
// indented by how deep it lies. A scope that is not left in order is a line "disorder".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { most = 4096 };
static uint64_t open_scopes[most];
static uint64_t next_scope;
static int depth;
static FILE *out;

static FILE *log_file(void) {
    if (out == NULL && getenv("SCOPE_LOG") != NULL) {
        char path[4096];
        snprintf(path, sizeof path, "%s.%d", getenv("SCOPE_LOG"), (int)getpid());
        out = fopen(path, "w");
    }
    return out;
}

uint64_t alloclab_recorder_scope_enter(const char *kind, const char *name) {
    if (log_file() == NULL || depth == most)
        return 0;
    fprintf(out, "%*s%s %s\n", depth, "", kind, name);
    open_scopes[depth++] = ++next_scope;
    return next_scope;
}

void alloclab_recorder_scope_exit(uint64_t scope) {
    if (depth == 0 || open_scopes[depth - 1] != scope)
        fprintf(out, "disorder\n");
    else if (--depth == 0)
        fprintf(out, "all left\n");
    fflush(out);
}
