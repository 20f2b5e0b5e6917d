#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Layout, types and the mistakes a machine can see: clang-format, clang-tidy, ruff, mypy, stubtest.
# Needs `ci/setup.sh full`, and clang-tidy the compile commands of `ci/core.sh`.
. "$(dirname "$0")/steps.sh"

failed=0
check() {
    printf '== %s\n' "$*"
    "$@" || failed=1
}

mapfile -t cpp_files < <(find cpp -name '*.[ch]pp' -o -name '*.h' | LC_ALL=C sort)
check clang-format-14 --dry-run --Werror "${cpp_files[@]}"
check "$venv/bin/ruff" check .
check "$venv/bin/ruff" format --check .
check "$venv/bin/mypy"
check "$venv/bin/python" -m mypy.stubtest --allowlist ci/stubtest_allowed.txt alloclab._core alloclab._recording
if [[ -e build/dev/compile_commands.json ]]; then
    # Tests and benchmarks are left out: their macros expand into what clang-tidy warns of.
    check run-clang-tidy-14 -quiet -j "$jobs" -p build/dev "$PWD/cpp/(src|tools)/"
else
    printf 'no build/dev/compile_commands.json: run ci/core.sh first\n'
    failed=1
fi
exit "$failed"
