# SPDX-License-Identifier: MIT
"""`alloclab compile`: an allocator of your own, before it is replayed."""

from __future__ import annotations

import argparse

from alloclab import _native
from alloclab.allocators import Plugin
from alloclab.compile.gcc_plugin import gcc_plugin
from alloclab.errors import EXIT_OK, UsageError

NAME = "compile"
SUMMARY = "compile a C++ allocator and say what is wrong with it"
DESCRIPTION = """\
Compiles a C++ allocator against the installed headers, as replaying it would, and prints the path
of the library; `CXX` names the compiler. What is wrong is printed with file, line and column. With
--include it prints the folder of the headers, for a plugin in C or another language; with
--gcc-plugin the path of the plugin that makes GCC tell a recorder its phases, built at need.

  alloclab compile mine.cpp
  cc -fPIC -shared -I "$(alloclab compile --include)" mine.c -o mine.so
  alloclab record -- make CXXFLAGS="-O2 -fplugin=$(alloclab compile --gcc-plugin)"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", nargs="?", metavar="FILE.cpp")
    parser.add_argument(
        "--class",
        dest="class_name",
        default="",
        metavar="NAME",
        help="the class, where the source does not say ALLOCLAB_PLUGIN(NAME);",
    )
    parser.add_argument(
        "--flag",
        action="append",
        default=[],
        metavar="FLAG",
        help="given to the compiler (--flag=-O3); may be given several times",
    )
    parser.add_argument("--include", action="store_true", help="print the folder of the headers")
    parser.add_argument(
        "--gcc-plugin",
        nargs="?",
        const="g++",
        metavar="COMPILER",
        help="print the path of the GCC plugin, for g++ or the compiler named",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.include:
        print(_native.include_dir())
    elif arguments.gcc_plugin is not None:
        print(gcc_plugin(arguments.gcc_plugin))
    elif arguments.source is None:
        raise UsageError("compile: name a source, --include or --gcc-plugin")
    else:
        plugin = Plugin(
            arguments.source, class_name=arguments.class_name, flags=tuple(arguments.flag)
        )
        print(plugin.library())
    return EXIT_OK
