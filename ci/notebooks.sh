#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Executes every notebook from a clean kernel in its small setting. Needs `ci/setup.sh full`.
. "$(dirname "$0")/steps.sh"

exec "$venv/bin/python" -m pytest tests/test_notebooks.py "$@"
