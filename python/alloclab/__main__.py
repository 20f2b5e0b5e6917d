# SPDX-License-Identifier: MIT
"""`python -m alloclab` is the command line."""

import sys

from alloclab.cli import main

if __name__ == "__main__":
    sys.exit(main())
