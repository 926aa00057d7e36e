"""`python -m harness.predict RUN CONFIG --pairs FILE --out FILE`: scores of new pairs, by what a run has trained."""

import sys

from analysis.errors import run_cli
from harness.predict.command import main
from harness.shell import terminal

if __name__ == "__main__":
    run_cli(lambda: main(sys.argv[1:], terminal.console()), stores=True)
