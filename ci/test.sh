#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing and runs every test: the C++ core's, the Python package's, and those
# again against a wheel in a clean environment. With CI=true also the linters, the sanitizers, a
# short fuzz and the notebooks. Goes on after a failure; the last line counts, and the exit code
# is 1 when anything failed.
. "$(dirname "$0")/steps.sh"

passed=0
failed=0

# counted WORD... <SUMMARY: the sum of the numbers that stand before one of the words.
counted() { awk -v words="$*" 'BEGIN { split(words, w); for (i in w) wanted[w[i]] }
    { for (i = 2; i <= NF; i++) { word = $i; gsub(/[^a-z]/, "", word); if (word in wanted) n += $(i - 1) } }
    END { print n + 0 }'; }

# Adds what the log of a job counted itself (pytest and ctest do); otherwise the job counts as one.
# A job that failed counts as a failure even when its log names none.
tally() {
    local log="$logs_dir/$1.log" code=$2 good=0 bad=0 summary
    summary=$(grep -E '^[0-9]+% tests passed|^=+ .* in [0-9.]+s' "$log" | tail -n 1 || true)
    if [[ $summary =~ (([0-9]+)\ tests?\ failed\ )?out\ of\ ([0-9]+) ]]; then # ctest, old and new
        bad=${BASH_REMATCH[2]:-0}
        good=$((BASH_REMATCH[3] - bad))
    elif [[ $summary ]]; then
        good=$(counted passed <<<"$summary")
        bad=$(counted failed error errors <<<"$summary")
    fi
    if ((good + bad == 0 && code == 0)); then good=1; fi
    if ((bad == 0 && code != 0)); then bad=1; fi
    passed=$((passed + good))
    failed=$((failed + bad))
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
