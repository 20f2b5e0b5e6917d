#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The C++ tests under AddressSanitizer with UndefinedBehaviorSanitizer, or under ThreadSanitizer.
#   ci/sanitize.sh asan|tsan
. "$(dirname "$0")/steps.sh"

preset=${1:?usage: ci/sanitize.sh asan|tsan}
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:${ASAN_OPTIONS:-}
export LSAN_OPTIONS=suppressions=$PWD/ci/leaks_allowed.txt:print_suppressions=0:${LSAN_OPTIONS:-}
export UBSAN_OPTIONS=print_stacktrace=1:${UBSAN_OPTIONS:-}
export TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1:${TSAN_OPTIONS:-}
# The shadow memory of GCC 12's ThreadSanitizer has no room for what newer kernels randomise.
fixed_addresses=()
if setarch "$(uname -m)" --addr-no-randomize true 2>/dev/null; then
    fixed_addresses=(setarch "$(uname -m)" --addr-no-randomize)
fi
exec ${fixed_addresses[@]+"${fixed_addresses[@]}"} ci/core.sh "$preset"
