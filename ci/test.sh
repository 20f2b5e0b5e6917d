#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing and runs every test: the C++ core's, the Python package's, and those
# again against a wheel in a clean environment. With CI=true also the linters, the sanitizers, a
# short fuzz and the notebooks. Goes on after a failure; the last line counts, and the exit code
# is 1 when anything failed.
. "$(dirname "$0")/steps.sh"

passed=0
failed=0

# Adds what the log of a job counted itself (pytest and ctest do); otherwise the job counts as one.
# A job that failed counts as a failure even when its log names none.
tally() {
    local log="$logs_dir/$1.log" code=$2 good=0 bad=0 all summary
    if grep -qE '^[0-9]+% tests passed' "$log"; then
        read -r bad all < <(sed -nE 's/^.*, ([0-9]+) tests failed out of ([0-9]+).*$/\1 \2/p' "$log")
        good=$((all - bad))
    elif summary=$(grep -E '^=+ .* in [0-9.]+s' "$log" | tail -n 1) && [[ $summary ]]; then
        good=$(grep -oE '[0-9]+ passed' <<<"$summary" | cut -d' ' -f1)
        bad=$(($(grep -oE '[0-9]+ (failed|error)' <<<"$summary" | cut -d' ' -f1 | paste -sd+)))
    fi
    passed=$((passed + ${good:-0}))
    failed=$((failed + ${bad:-0}))
    if ((${good:-0} + ${bad:-0} == 0 && code == 0)); then passed=$((passed + 1)); fi
    if ((code != 0 && ${bad:-0} == 0)); then failed=$((failed + 1)); fi
}

job() {
    local code=0
    quietly "$@" || code=$?
    tally "$1" "$code"
}

finish() {
    say "took $((SECONDS / 60)) min $((SECONDS % 60)) s"
    printf '%d passed, %d failed\n' "$passed" "$failed"
    exit $((failed > 0))
}

level=test
if [[ ${CI:-} == true ]]; then level=full; fi
say "Setting up (logs in $logs_dir)"
if ! ci/setup.sh "$level"; then
    failed=1
    finish
fi

say "Testing"
job core ci/core.sh
job python ci/python.sh
job wheel ci/wheel.sh
if [[ $level == full ]]; then
    job lint ci/lint.sh
    job sanitize-asan ci/sanitize.sh asan
    job sanitize-tsan ci/sanitize.sh tsan
    job fuzz ci/fuzz.sh
    job notebooks ci/notebooks.sh
fi
finish
