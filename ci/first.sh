#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The lab's main job, from a clone: installs what is missing, records a real compile, replays the
# compiler proper under six allocators and compares them; then the same for two recordings that
# ship with the lab. Tables go to the terminal; figures and plots to compare/.
. "$(dirname "$0")/steps.sh"

say "Setting up (logs in $logs_dir)"
ci/setup.sh first
exec "$venv/bin/python" workloads/first.py "$@"
