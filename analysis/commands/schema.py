"""`python -m analysis schema`: every table and column of a run, as a page."""

from collections.abc import Sequence

from rich.console import Console

from analysis.arguments import command_parser
from analysis.schema_page import page


def schema_command(argv: Sequence[str], console: Console) -> int:
    """Print the page; the exit status."""
    parser = command_parser(
        "python -m analysis schema",
        "Print every table and column of a run's store, as Markdown (docs/store.md).",
    )
    parser.parse_args(argv)
    print(page(), end="", file=console.file)
    return 0
