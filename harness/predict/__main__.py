"""`python -m harness.predict RUN CONFIG --pairs FILE --out FILE`: scores of new pairs, by what a run has trained."""

import sys

from analysis.errors import run_cli
from analysis.loading import ended_by_ctrl_c


def main() -> int | None:
    with ended_by_ctrl_c():
        from harness.predict.command import main as command
        from harness.shell import terminal

    return command(sys.argv[1:], terminal.console())


if __name__ == "__main__":
    run_cli(main, stores=True)
