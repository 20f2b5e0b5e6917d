# SPDX-License-Identifier: MIT
"""Runs real programs with the lab's malloc preloaded, and compares their output with glibc's.

    .venv/bin/python ci/real_programs.py

Installs nothing; says which programs are missing. Prints a table; exits with 1 if an output
differs. redis-server listens on a socket of its own in a temporary folder, on no port.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from alloclab import _native

ROOT = Path(__file__).resolve().parents[1]
BIG = ROOT / "workloads" / "inputs" / "big.cpp"
LUA = """local t = {} for i = 1, 200000 do t[i] = tostring(i) .. "x" end
table.sort(t) local n = 0 for _, v in ipairs(t) do n = n + #v end print(n, t[1], t[#t])"""
PYTHON = """import json, re
text = json.dumps([{"a": i, "b": str(i) * 3} for i in range(40000)])
print(len(text), sum(len(x) for x in re.findall(r"[0-9]+", text)), len(json.loads(text)))"""
REDIS_LOAD = "for i = 1, 20000 do redis.call('lpush', 'k' .. (i % 97), i) end return #KEYS"

PROGRAMS: dict[str, list[str]] = {
    "g++": ["g++", "-std=c++17", "-O1", "-S", "-o", "-", str(BIG)],
    "clang++-14": ["clang++-14", "-std=c++17", "-O1", "-S", "-o", "-", str(BIG)],
    "python3": ["python3", "-c", PYTHON],
    "lua5.4": ["lua5.4", "-e", LUA],
    "git": ["git", "-C", str(ROOT), "log", "--stat", "-50"],
}


def output_of(command: list[str], environment: dict[str, str]) -> str:
    """What a program says, with how it ended."""
    done = subprocess.run(command, env=environment, capture_output=True, timeout=600)
    return f"{done.returncode}\n{done.stdout.decode(errors='replace')}"


def redis_output(environment: dict[str, str]) -> str:
    """What a server answers after a load of writes, and how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        socket = str(Path(folder) / "socket")
        server = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(200):
                if Path(socket).exists() or server.poll() is not None:
                    break
                time.sleep(0.05)
            client = ["redis-cli", "-s", socket]
            answers = [
                output_of([*client, *words], dict(os.environ))
                for words in (["eval", REDIS_LOAD, "0"], ["llen", "k5"], ["lrange", "k9", "0", "9"])
            ]
            output_of([*client, "shutdown", "nosave"], dict(os.environ))
            return "".join(answers) + str(server.wait(timeout=60))
        finally:
            if server.poll() is None:
                server.kill()
                server.wait()


def main() -> int:
    library = str(_native.malloc_library())
    has_differed = False
    print("| program | pool | debug |\n|---|---|---|")
    for name in [*PROGRAMS, "redis-server"]:
        if shutil.which(name) is None:
            print(f"| {name} | not installed | not installed |")
            continue

        def run(environment: dict[str, str], program: str = name) -> str:
            whole = {**os.environ, **environment}
            return (
                redis_output(whole)
                if program == "redis-server"
                else output_of(PROGRAMS[program], whole)
            )

        expected = run({})
        verdicts = []
        for choice in ("pool", "debug"):
            is_same = run({"LD_PRELOAD": library, "ALLOCLAB_MALLOC": choice}) == expected
            verdicts.append("same output" if is_same else "DIFFERS")
            has_differed |= not is_same
        print(f"| {name} | {' | '.join(verdicts)} |", flush=True)
    return int(has_differed)


if __name__ == "__main__":
    sys.exit(main())
