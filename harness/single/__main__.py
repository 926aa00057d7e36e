"""`python -m harness.single CONFIG`: one configuration alone, without Ray."""

import sys

from analysis.errors import run_cli
from harness.single.command import main

if __name__ == "__main__":
    sys.argv[0] = "harness.single"
    run_cli(main, stores=True)
