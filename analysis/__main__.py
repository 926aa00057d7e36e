"""`python -m analysis RUN`, and its commands; `print_ranked` ends a sweep."""

import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from analysis.arguments import refuse_misspelt
from analysis.by_distance import distance_view
from analysis.commands.of_run import add_language, check_rope, run_parser, say
from analysis.console import plain_console
from analysis.criteria import CRITERIA
from analysis.errors import UserError, run_cli
from analysis.language import catalogue, in_language
from analysis.next_step import next_view
from analysis.paths import user_path
from analysis.preregistration import preregistration_view
from analysis.ranking import ROPE, Ranking, rank
from analysis.store import Run
from analysis.terminal import ranking_view

NOTEBOOK = Path(__file__).resolve().parent / "notebooks" / "rank.ipynb"

_RANK_HELP = """\
Rank the configurations of a run by what they do in cell lines they have never seen.

A run is the folder that a sweep leaves behind (runs/<name>). The ranking is by
the mean over seeds on val_unseen of what the run was asked for, its objective;
--by ranks by another number. The test column reports and never selects.
Baselines on the same folds stand in the same table.
"""

_RANK_EPILOG = """\
which number for which question:
  aupr         macro AUPR: ranking within each unseen cell line. Energy forms with one R_E per cell line
               cannot change it (marked with a rank-invariant sign)
  pooled_aupr  AUPR over all unseen pairs together: compares energy forms, temperatures and R_E
  nll          negative log-likelihood of unseen pairs: the same, and calibration; lower is better

examples:
  python -m analysis runs/rp24
  python -m analysis runs/rp24 --by pooled_aupr --top 10
  python -m analysis runs/rp24 --healthy
  python -m analysis runs/rp24 --lang zh         in Chinese
  python -m analysis runs/epi --distance         AUPR by genomic distance, the shortcut of real pairs
  python -m analysis compare runs/truth_gated --key energy.form --a linear --b gated --metric pooled_aupr
  python -m analysis report runs/rp24            all of it as one HTML file
  python -m analysis effects runs/leave_one_out  what each arm of an ablation did
  python -m analysis importance runs/rp24        which hyper-parameters of a search the objective varied with
  python -m analysis competition runs/shortcut
  python -m analysis verify runs/rp24            every stored prediction again, from what the store keeps
  python -m analysis claims runs/rp24            what it says of falsifiable predictions
  python -m analysis export runs/rp24 --to csv   into a tracker: csv, tensorboard, mlflow, trackio, wandb
  python -m analysis table runs/rp24 --latex     the paper's table, with a methods paragraph
  python -m analysis import results.csv --out runs/theirs   results that somebody reported, as a run
  python -m analysis import-predictions scores.csv --out runs/theirs   scores of pairs, as a run
  python -m analysis coverage                    do the intervals cover what they say?
  python -m analysis rules                       every warning rule, and what to try
  python -m analysis schema                      every table and column of a run, as a page

exit status: 0; 1 where a file cannot be read and nothing else holds its rows; 2 for a mistake
"""


def print_ranking(
    run: Path | str,
    *,
    by: str | None = None,
    healthy: bool = False,
    top: int | None = None,
    rope: float = ROPE,
    distance: bool = False,
    console: Console | None = None,
    lang: str = "en",
) -> bool:
    """Print the ranking, warnings and notes of a run, and last what to do next.

    False where it is of less than the run had: a file could not be read, and nothing else holds its rows.

    Raises UserError (one sentence) when the path is not a run or nothing has finished.
    """
    with in_language(lang):
        ranking = rank(Run.open(run), by, healthy=healthy, rope=rope)
    console = console or plain_console()
    whole = print_ranked(ranking, top=top, distance=distance, console=console, lang=lang)
    say(console, next_view(ranking), lang)
    return whole


def print_ranked(
    ranking: Ranking,
    *,
    top: int | None = None,
    distance: bool = False,
    console: Console | None = None,
    lang: str = "en",
) -> bool:
    """As `print_ranking`, of a ranking that is there already, without what to do next: of a sweep more comes before it."""
    console, words = console or plain_console(), catalogue(lang)
    views = (
        ranking_view(ranking, top),
        distance_view(ranking, every=distance),
        preregistration_view(ranking.run),
    )
    say(console, chain(*views), lang)
    last = f"\ninteractive: open {NOTEBOOK}\nand set RUN = {str(user_path(ranking.run.path).absolute())!r}"
    console.print(words(last) if words else last, style="dim", markup=False, soft_wrap=True)
    return not ranking.run.lost


def _rank(argv: Sequence[str]) -> int:
    parser = run_parser("python -m analysis", _RANK_HELP, _RANK_EPILOG, rope=True)
    parser.add_argument(
        "--by", metavar="METRIC", help=f"{', '.join(CRITERIA)} (default: what the run was asked for)"
    )
    parser.add_argument(
        "--healthy",
        action="store_true",
        help="leave out configurations with a fault or a documented warning that the data do not imply",
    )
    parser.add_argument("--top", type=int, metavar="N", help="show the best N configurations only")
    add_language(parser)
    parser.add_argument(
        "--distance",
        action="store_true",
        help="AUPR by genomic distance and against distance-matched negatives, of every configuration",
    )
    options = parser.parse_args(argv)
    with in_language(options.lang):
        check_rope(options.rope)
        if options.top is not None and options.top < 1:
            raise UserError(f"--top must be at least 1, not {options.top}")
        whole = print_ranking(
            options.run,
            by=options.by,
            healthy=options.healthy,
            top=options.top,
            rope=options.rope,
            lang=options.lang,
            distance=options.distance,
        )
    return 0 if whole else 1


class Command(NamedTuple):
    """Where a command is: the module that has `<name>_command(argv, console)`, loaded when it is run, with its libraries;
    `width` in columns where there is no terminal."""

    module: str
    width: int = 100


COMMANDS = {
    "compare": Command("analysis.commands.compare"),
    "effects": Command("analysis.commands.effects", 80),
    "importance": Command("analysis.commands.importance", 80),
    "competition": Command("analysis.commands.competition"),
    "verify": Command("analysis.commands.verify"),
    "coverage": Command("analysis.commands.coverage", 80),
    "claims": Command("analysis.claims.command"),
    "export": Command("analysis.export.command"),
    "import": Command("analysis.imports.command"),
    "import-predictions": Command("analysis.imports.predictions_command"),
    "rules": Command("analysis.rules_page"),
    "report": Command("analysis.report.command"),
    "schema": Command("analysis.commands.schema"),
    "table": Command("analysis.paper.command"),
}
"""First word -> its command; anything else is a run to be ranked."""


def main(argv: Sequence[str]) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    command = COMMANDS.get(argv[0]) if argv else None
    if command is None:
        refuse_misspelt(argv[0] if argv else "-", COMMANDS)
        return _rank(argv)
    run = vars(import_module(command.module))[f"{argv[0].replace('-', '_')}_command"]
    return int(run(argv[1:], plain_console(command.width)))


if __name__ == "__main__":
    run_cli(lambda: main(sys.argv[1:]))
