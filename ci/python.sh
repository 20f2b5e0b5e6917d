#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the Python tests against the lab installed in .venv, a file of them on each processor.
# Arguments go to pytest.
. "$(dirname "$0")/steps.sh"

exec "$venv/bin/python" -m pytest -n "$jobs" --dist loadfile "$@"
