#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what is missing, and nothing else: Debian packages (as root or through sudo), a virtual
# environment in .venv, and the lab in it. Quick when everything is there.
#   ci/setup.sh first    what the first comparison needs
#   ci/setup.sh test     what building and running every test needs
#   ci/setup.sh full     the linters, sanitizers, fuzzers and notebooks too
# PYTHON names the interpreter to use (at least 3.11). Exit code 2: something is missing that only
# an administrator can install; the line to type is printed.
. "$(dirname "$0")/steps.sh"

level=${1:-first}
needed=(g++ libc6-dev libzstd-dev libdw-dev nlohmann-json3-dev)             # without them nothing builds
peers=(libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4)          # without them rows are missing
extras=plot,pandas
case $level in
first) ;;
test | full)
    needed+=(ccache gcc make libgtest-dev clang-14 libclang-rt-14-dev util-linux gcc-12-plugin-dev)
    extras=plot,pandas,test
    ;;&
full)
    needed+=(clang-format-14 clang-tidy-14 libbenchmark-dev)
    extras=dev
    ;;
test) ;;
*)
    say "usage: ci/setup.sh [first|test|full]"
    exit 2
    ;;
esac

is_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3 python3.12 python3.13 python3.14; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

# What this interpreter itself lacks for building and for `python -m venv`; Debian splits them off.
python_packages() {
    local version
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$1" -c 'import ensurepip' 2>/dev/null || printf '%s\n' "python$version-venv"
    "$1" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        printf '%s\n' "python$version-dev"
}

install_packages() {
    local as_root=() line
    line="apt-get install -y --no-install-recommends $*"
    if ((EUID != 0)); then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            as_root=(sudo)
        else
            say "Not root, and no sudo without a password. Please run:  sudo $line"
            return 2
        fi
    fi
    if ! command -v apt-get >/dev/null; then
        say "This is no Debian: install what these packages hold by other means: $*"
        return 2
    fi
    local apt=(${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    quietly apt-update again 4 "${apt[@]}" update || say "  going on with the package lists at hand"
    quietly apt-install again 3 "${apt[@]}" install -y --no-install-recommends "$@"
}

missing=()
for package in "${needed[@]}" "${peers[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if ! python=$(find_python); then
    missing+=(python3 python3-venv python3-dev)
    python=
else
    mapfile -t -O "${#missing[@]}" missing < <(python_packages "$python")
fi
if ((${#missing[@]})); then
    if ! install_packages "${missing[@]}"; then
        for package in "${missing[@]}"; do
            [[ " ${peers[*]} " == *" $package "* ]] || exit 2
        done
        say "Going on: the allocators that are not installed get a row that says so."
    fi
    python=${python:-$(find_python)} || { say "No Python 3.11 or newer; name one in PYTHON."; exit 2; }
fi

use_ccache # which may have been installed just now

# A venv whose interpreter has gone, or whose checkout was moved, is made anew.
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null ||
    [[ ! -e $venv/made-in || $(<"$venv/made-in") != "$PWD" ]]; then
    quietly make-venv "$python" -m venv --clear "$venv"
    printf '%s\n' "$PWD" >"$venv/made-in"
fi

# The lab is built again only when something it is made of has changed, or more is asked for.
fingerprint=$({
    "$venv/bin/python" -VV
    find pyproject.toml CMakeLists.txt README.md LICENSE cpp/include cpp/src cpp/tools cpp/bindings \
        python/alloclab -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
} | sha256sum)
case $level in
first) enough=(first test full) ;;
test) enough=(test full) ;;
full) enough=(full) ;;
esac
for each in "${enough[@]}"; do
    stamp="$venv/alloclab-$each.stamp"
    if [[ -e $stamp && $(<"$stamp") == "$fingerprint" ]]; then exit 0; fi
done
pip=("$venv/bin/python" -m pip --disable-pip-version-check install --retries 5)
isolation=()
if [[ $level != first ]]; then
    # One place for what the lab is built with, so that ccache knows a file again in the next build.
    mapfile -t build_needs < <("$venv/bin/python" -c 'import tomllib
with open("pyproject.toml", "rb") as file: print(*tomllib.load(file)["build-system"]["requires"], sep="\n")')
    quietly install-build-tools again 3 "${pip[@]}" cmake ninja build "${build_needs[@]}"
    isolation=(--no-build-isolation)
fi
quietly install-alloclab again 3 "${pip[@]}" ${isolation[@]+"${isolation[@]}"} ".[$extras]"
rm -f "$venv"/alloclab-*.stamp
printf '%s\n' "$fingerprint" >"$venv/alloclab-$level.stamp"
