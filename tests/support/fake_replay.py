# SPDX-License-Identifier: MIT
"""Speaks the replay child's protocol without replaying, so that its callers can be tested alone.

What it says is in the JSON file beside it: by the preloaded library's name, or else by the heap.
Its figures are worked out from one small made-up trace, so that a test can do the arithmetic.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

START = 1_000_000
EVENTS = 1_000_000
REQUESTED = [0, 400_000, 1_000_000, 200_000]
TOUCHED = [0, 300_000, 800_000, 150_000]
ALLOCATED = [0, 400_000, 1_000_000, 1_200_000]


def arguments() -> dict[str, str]:
    words, found = sys.argv[1:], {}
    while words:
        name = words.pop(0).removeprefix("--")
        is_flag = name in ("mapped", "progress", "huge-pages")
        value = "yes" if is_flag else words.pop(0)
        found[name] = f"{found[name]} {value}" if name == "option" and name in found else value
    return found


def answer(given: dict[str, str], said: dict[str, object]) -> dict[str, object]:
    scale = float(said.get("scale", 1.0))
    is_null = given["heap"] == "null_replay"
    templated = given["heap"] not in ("null_replay", "malloc")
    peak = START + (0 if is_null else int(1_600_000 * scale))
    reply: dict[str, object] = {
        "schema": 1,
        "heap": given["heap"],
        "call_path": "none" if is_null else "templated" if templated else "malloc",
        "measure": given["measure"],
        "order": given.get("order", "exact"),
        "touch": given["touch"],
        "touch_fallback": False,
        "mapped": "mapped" in given,
        "events": EVENTS,
        "replayed_events": EVENTS,
        "cpu_ns": 2_000_000 if is_null else int(2_000_000 + 10_000_000 * scale),
        "wall_ns": 20_000_000,
        "page_faults": 0 if is_null else int(400 * scale),
        "failed_allocations": 0,
        "failed_bytes": 0,
        "anonymous_start_bytes": START,
        "anonymous_end_bytes": peak,
        "anonymous_peak_bytes": peak,
        "anonymous_peak_reason": "",
        "peak_requested_live_bytes": 1_000_000,
        "peak_requested_event": 600_000,
        "peak_touched_live_bytes": 800_000,
    }
    if given["measure"] == "timeline":
        held = [0, 500_000, 1_200_000, 1_600_000]
        reply["timeline"] = {
            "event": [0, 300_000, 600_000, 999_999],
            "requested_live_bytes": REQUESTED,
            "touched_live_bytes": TOUCHED,
            "allocated_bytes": ALLOCATED,
            "anonymous_bytes": [START + int(each * scale) for each in held],
        }
    if given["measure"] == "blocks":
        reply["peak_block_live_bytes"] = 1_300_000
        reply["block_live_bytes_at_peak_requested"] = 1_250_000
        reply["block_bytes_total"] = 1_500_000
        reply["timeline"] = {
            "event": [0, 300_000, 600_000, 999_999],
            "block_live_bytes": [0, 500_000, 1_250_000, 260_000],
        }
    if templated:
        reply["stats"] = {"reserved_bytes": 4 << 20, "committed_bytes": 2 << 20}
    reply.update(said.get("reply", {}))  # type: ignore[call-overload]
    reply.update(said.get(f"reply_{given['measure']}", {}))  # type: ignore[call-overload]
    return reply


def main() -> int:
    given = arguments()
    script = json.loads(Path(__file__).with_suffix(".json").read_text())
    preloaded = Path(os.environ.get("LD_PRELOAD", "")).name
    said = script.get(preloaded or given["heap"], {})
    if said.get("only", given["measure"]) != given["measure"]:
        said = {}
    log = Path(__file__).with_suffix(".log")
    with log.open("a") as lines:
        lines.write(json.dumps({**given, "environment": dict(os.environ)}) + "\n")
    Path(given["progress-file"]).write_bytes(int(said.get("reached", 7)).to_bytes(8, "little"))
    if "progress" in given:
        print(f"progress {EVENTS // 2} {EVENTS}", file=sys.stderr, flush=True)
    if "stderr" in said:
        print(said["stderr"], file=sys.stderr, flush=True)
    if "signal" in said:
        os.kill(os.getpid(), signal.Signals[said["signal"]])
    if "sleep" in said:
        time.sleep(said["sleep"])
    if "error" in said:
        print(json.dumps({"error": said["error"]}))
        return 1
    if "raw" in said:
        print(said["raw"])
        return int(said.get("code", 0))
    print(json.dumps(answer(given, said)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
