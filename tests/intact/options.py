"""What the command lines of the intact trials have in common."""

import argparse

from analysis.paths import user_path
from tests.intact.run import REPOSITORY


def parser_of(module: str, description: str) -> argparse.ArgumentParser:
    """A parser with `--cache`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--cache",
        type=user_path,
        default=REPOSITORY / ".cache",
        metavar="FOLDER",
        help="encoded data (default: %(default)s)",
    )
    return parser
