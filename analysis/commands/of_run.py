"""What the commands that look at a run share: their arguments, and how they end."""

import math
from collections.abc import Iterable

from rich.console import Console, Group, RenderableType

from analysis.arguments import SentenceParser, command_parser
from analysis.errors import UserError
from analysis.language import LANGUAGES, catalogue, translated
from analysis.paths import user_path
from analysis.ranking import ROPE
from analysis.store import Run
from analysis.terminal import unread_view


def run_parser(prog: str, description: str, epilog: str = "", *, rope: bool = False) -> SentenceParser:
    """A parser that takes the folder of a run, and where `rope` the region of practical equivalence."""
    parser = command_parser(prog, description, epilog)
    parser.add_argument("run", metavar="RUN", type=user_path, help="folder of the run, e.g. runs/rp24")
    if rope:
        parser.add_argument(
            "--rope",
            type=float,
            default=ROPE,
            metavar="X",
            help="differences up to X count as no effect (region of practical equivalence; default %(default)s)",
        )
    return parser


def add_language(parser: SentenceParser) -> None:
    """`--lang`, for commands that speak more than English."""
    parser.add_argument("--lang", default="en", metavar="LANG", help=f"{', '.join(LANGUAGES)} (default en)")


def check_rope(rope: float) -> None:
    """UserError for a region that is none."""
    if not 0 < rope < math.inf:
        raise UserError(f"--rope must be a number above 0, not {rope:g}")


def say(console: Console, parts: Iterable[RenderableType], language: str = "en") -> None:
    """Print what a command says, in its language."""
    for part in translated(parts, catalogue(language)):
        console.print(
            Group(part)
        )  # a text by itself would be put together anew, and lose how its lines are broken


def end(run: Run, console: Console, language: str = "en") -> int:
    """Say what could not be read; the exit status: 1 where nothing else holds its rows."""
    say(console, unread_view(run), language)
    return 1 if run.lost else 0
