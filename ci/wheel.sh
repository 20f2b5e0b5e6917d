#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a stranger gets: source archive -> wheel -> a clean environment -> the tests, from outside
# the checkout. And what a developer gets: an editable install that finds its native parts.
. "$(dirname "$0")/steps.sh"

python="$PWD/$venv/bin/python"
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
export PATH="$PWD/$venv/bin:$PATH"

"$python" -m build --sdist --outdir "$room" .
mkdir -p build/unpacked
# With the tools that the checkout's own environment was built with, and so from ccache.
TMPDIR=$PWD/build/unpacked "$python" -m pip wheel --no-build-isolation --no-deps --wheel-dir "$room" "$room"/alloclab-*.tar.gz
"$python" -m zipfile --list "$room"/alloclab-*.whl
"$python" -m venv "$room/venv"
"$room/venv/bin/python" -m pip install --retries 5 "$(echo "$room"/alloclab-*.whl)[plot,pandas,test]"

"$python" -m venv "$room/editable"
PYTHONPATH=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
    "$room/editable/bin/python" -m pip install --no-build-isolation --no-deps -e .
"$room/editable/bin/python" -m pip install --retries 5 "alloclab[test]"
"$room/editable/bin/python" -m pytest -p no:cacheprovider tests/test_install.py
"$room/editable/bin/alloclab" doctor

cp -r tests workloads pyproject.toml "$room"
cd "$room"
venv/bin/python -m pytest -n "$jobs" --dist loadfile -m "not slow" -p no:cacheprovider "$@"
