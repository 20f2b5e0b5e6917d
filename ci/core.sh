#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds the C++ core and runs its tests.
#   ci/core.sh [PRESET]    a preset of CMakePresets.json; `dev` when none is named
. "$(dirname "$0")/steps.sh"

preset=${1:-dev}
export PATH="$PWD/$venv/bin:$PATH"
cmake --preset "$preset"
cmake --build "build/$preset" --parallel "$jobs"
ctest --test-dir "build/$preset" --parallel "$jobs" --output-on-failure --no-tests=error
