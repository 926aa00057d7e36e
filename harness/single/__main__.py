"""`python -m harness.single CONFIG`: one configuration alone, without Ray."""

import sys

from analysis.errors import run_cli
from analysis.loading import ended_by_ctrl_c


def main() -> int | None:
    with ended_by_ctrl_c():
        from harness.single.command import main as command

    return command()


if __name__ == "__main__":
    sys.argv[0] = "harness.single"
    run_cli(main, stores=True)
