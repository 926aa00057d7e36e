"""A ranking as a person reads it."""

import io

from rich.console import Console

from analysis.__main__ import print_ranked
from analysis.ranking import Ranking


def ranked_text(ranking: Ranking) -> str:
    """All that is printed of it at 120 columns, on one line."""
    console = Console(width=120, file=io.StringIO(), markup=False, highlight=False)
    print_ranked(ranking, console=console)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())
