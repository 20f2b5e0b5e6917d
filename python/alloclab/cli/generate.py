# SPDX-License-Identifier: MIT
"""`alloclab generate`: write a trace nobody recorded."""

from __future__ import annotations

import argparse
import inspect
from pathlib import Path
from typing import Any

from alloclab.cli.arguments import add_json, print_json
from alloclab.cli.info import describe_briefly, describe_json
from alloclab.errors import EXIT_OK, Error, UsageError
from alloclab.synthetic import SHAPES, Model, model
from alloclab.synthetic.document import MAX_JSON_BYTES
from alloclab.traces import Trace

NAME = "generate"
SUMMARY = "write a trace nobody recorded: from a model, like another, or of a known shape"
DESCRIPTION = f"""\
Writes a trace that a model makes (`alloclab model`), one like another trace, or one of a shape that
is hard on allocators: {", ".join(SHAPES)}. The same seed gives the same trace.

  alloclab generate --like workloads/freeciv.alloctrace --seed 7 -o other.alloctrace
  alloclab generate --model freeciv.json --events 500000 -o short.alloctrace
  alloclab generate larson --set threads=8 --set sizes=16:256 -o larson.alloctrace
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shape", nargs="?", choices=SHAPES, metavar="SHAPE", help=", ".join(SHAPES))
    parser.add_argument("--model", type=Path, metavar="MODEL.json", help="what a model makes")
    parser.add_argument("--like", type=Path, metavar="TRACE", help="what is like this trace")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="the trace to write"
    )
    parser.add_argument(
        "--events", type=int, metavar="N", help="of a model: how many (default: as its trace)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default 0")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of a shape: a parameter, as docs/synthetic.md lists them",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    sources = [arguments.shape, arguments.model, arguments.like]
    if sum(source is not None for source in sources) != 1:
        raise UsageError("generate: one of SHAPE, --model or --like says what to write")
    if arguments.seed < 0:
        raise UsageError(f"--seed: a whole number from 0 on, not {arguments.seed}")
    trace = _shaped(arguments) if arguments.shape else _modelled(arguments)
    if arguments.json:
        print_json(describe_json(trace))
    else:
        print(describe_briefly(trace))
    return EXIT_OK


def _modelled(arguments: argparse.Namespace) -> Trace:
    if arguments.set:
        raise UsageError("--set: a model has no parameters")
    made = _read_model(arguments.model) if arguments.model else model(arguments.like)
    return made.generate(arguments.events, arguments.seed, arguments.output)


def _read_model(path: Path) -> Model:
    with path.open("rb") as file:
        data = file.read(MAX_JSON_BYTES + 2)  # a line's end included, and one too many
    try:
        return Model.from_json(data.decode("utf-8").rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise Error(f"{path}: not UTF-8 at offset {error.start}") from None
    except Error as error:
        raise Error(f"{path}: {error}") from None


def _shaped(arguments: argparse.Namespace) -> Trace:
    if arguments.events is not None:
        raise UsageError("--events: a shape is as long as its parameters say; see --set")
    shape = SHAPES[arguments.shape]
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(shape).parameters.items()
        if parameter.default is not parameter.empty
    }
    options: dict[str, Any] = {"seed": arguments.seed} if "seed" in defaults else {}
    for assignment in arguments.set:
        name, _, text = assignment.partition("=")
        if name not in defaults or name == "seed":
            known = ", ".join(each for each in defaults if each != "seed")
            raise UsageError(f"--set: {arguments.shape} has no {name!r}; there are {known}")
        options[name] = _value(name, text, defaults[name])
    return shape(arguments.output, **options)


def _value(name: str, text: str, default: Any) -> Any:
    """Returns a parameter of the type its default has; a range is LOW:HIGH."""
    try:
        if isinstance(default, tuple):
            low, high = text.split(":")
            return int(low), int(high)
        return type(default)(text)
    except ValueError:
        what = "LOW:HIGH" if isinstance(default, tuple) else type(default).__name__
        raise UsageError(f"--set {name}: {text!r} is no {what}") from None
