# SPDX-License-Identifier: MIT
# Shared by the scripts beside it (source it, do not run it): how a step is announced, logged,
# retried and counted. Requires bash; leaves the caller in the project's root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

logs_dir=build/logs
venv=.venv
jobs=$(nproc)
mkdir -p "$logs_dir"

# The same sources are built several times with the same flags: for the checkout's environment, the
# C++ tests, the wheel. Where ccache is installed each is compiled once: under one name of the
# compiler, and in folders below this one.
use_ccache() {
    command -v ccache >/dev/null || return 0
    export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
    export CC=${CC:-gcc} CXX=${CXX:-g++}
    export CCACHE_DIR=$PWD/build/ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
}
use_ccache

say() { printf '%s\n' "$*" >&2; }

# quietly NAME COMMAND...: runs the command with its output in build/logs/NAME.log. One line says
# what happens; when it fails, the log's end is shown and the log named. Returns its exit code.
quietly() {
    local name=$1 log="$logs_dir/$1.log" began=$SECONDS code=0
    shift
    printf '  %-34s' "$name" >&2
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if ((code == 0)); then
        say "ok   $((SECONDS - began)) s"
    else
        say "FAILED with exit code $code; the end of $log:"
        tail -n 40 "$log" >&2
    fi
    return "$code"
}

# again TIMES COMMAND...: runs it until it succeeds, at most TIMES times, waiting longer each time;
# for what needs a network.
again() {
    local times=$1 attempt
    shift
    for ((attempt = 1; attempt < times; attempt++)); do
        "$@" && return 0
        sleep $((attempt * attempt * 3))
    done
    "$@"
}
