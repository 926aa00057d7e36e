"""`python -m harness.single CONFIG`: one configuration alone, without Ray."""

import sys

from analysis.errors import run_cli


def main() -> int | None:
    # Here, so that who presses Ctrl-C while it loads is told so as ever.
    from harness.single.command import main as command

    return command()


if __name__ == "__main__":
    sys.argv[0] = "harness.single"
    run_cli(main, stores=True)
