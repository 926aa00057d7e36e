"""`python -m analysis RUN`, and its commands; `print_ranked` ends a sweep."""

import math
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from rich.console import Console

from analysis.arguments import SentenceParser, command_parser
from analysis.by_distance import distance_view
from analysis.claims.command import claims_command
from analysis.comparison_view import comparison_view
from analysis.competition_view import competition_view
from analysis.confirmation.verify import verify_confirmation
from analysis.console import plain_console
from analysis.coverage.measure import FEWEST, MOST, REPLICATES
from analysis.coverage.view import coverage_view
from analysis.criteria import CRITERIA
from analysis.effects import compare
from analysis.effects_view import effects_view
from analysis.errors import UserError, run_cli
from analysis.export.command import export_command
from analysis.importance_view import importance_view
from analysis.imports.command import import_command
from analysis.imports.predictions_command import import_predictions_command
from analysis.language import LANGUAGES, catalogue, translated
from analysis.ledger_view import print_verification
from analysis.paper.command import table_command
from analysis.paths import user_path
from analysis.preregistration import preregistration_view
from analysis.ranking import ROPE, Ranking, rank
from analysis.report.command import report_command
from analysis.rules_page import rules_command
from analysis.schema_page import page
from analysis.store import Run
from analysis.terminal import ranking_view, unread_view

NOTEBOOK = Path(__file__).resolve().parent / "notebooks" / "rank.ipynb"

_RANK_HELP = """\
Rank the configurations of a run by what they do in cell lines they have never seen.

A run is the folder that a sweep leaves behind (runs/<name>). The ranking is by the mean over seeds on
val_unseen; the test column reports and never selects. Baselines on the same folds stand in the same table.
"""

_RANK_EPILOG = """\
which number for which question:
  aupr         macro AUPR: ranking within each unseen cell line. Energy forms with one R_E per cell line
  cannot
               change it (marked with a rank-invariant sign)
  pooled_aupr  AUPR over all unseen pairs together: compares energy forms, temperatures and R_E
  nll          negative log-likelihood of unseen pairs: the same, and calibration; lower is better

examples:
  python -m analysis runs/rp24
  python -m analysis runs/rp24 --by pooled_aupr --top 10
  python -m analysis runs/rp24 --healthy
  python -m analysis runs/rp24 --lang zh          in Chinese
  python -m analysis runs/epi --distance         AUPR by genomic distance, the shortcut of real pairs
  python -m analysis compare runs/truth_gated --key energy.form --a linear --b gated --metric pooled_aupr
  python -m analysis report runs/rp24            all of it as one HTML file
  python -m analysis effects runs/leave_one_out   what each arm of an ablation did
  python -m analysis importance runs/rp24        which hyper-parameters of a search the objective varied with
  python -m analysis competition runs/shortcut
  python -m analysis verify runs/rp24            every stored prediction again, from what the store keeps
  python -m analysis claims runs/rp24            what it says of the predictions of seed 004
  python -m analysis export runs/rp24 --to csv   into a tracker: csv, tensorboard, mlflow, trackio, wandb
  python -m analysis table runs/rp24 --latex     the paper's table, with a methods paragraph
  python -m analysis import results.csv --out runs/theirs   results that somebody reported, as a run
  python -m analysis import-predictions scores.csv --out runs/theirs   scores of pairs, as a run
  python -m analysis coverage                    do the intervals cover what they say?
  python -m analysis rules                       every warning rule, and what to try
  python -m analysis schema                      every table and column of a run, as a page

exit status: 0; 1 where a file cannot be read and nothing else holds its rows; 2 for a mistake
"""

_COMPARE_HELP = """\
What did one key do? Differences b - a between configurations that are equal in every other key, paired by
fold and seed: mean, t-interval over seeds, p, and the smallest difference that could have been detected.
"""

_COMPARE_EPILOG = """\
The configurations of a random or adaptive search never repeat their other keys; compare needs a grid design
(or one key in the space).

examples:
  python -m analysis compare runs/truth_gated --key energy.form --a linear --b gated --metric nll
  python -m analysis compare runs/truth_modulated --key environment.scope --a cell --b sample --metric aupr
"""


_EFFECTS_HELP = """\
What did each mechanism do? Of a run of leave_one_out, add_one_in, factorial or path: each arm minus what it is compared
with, paired by fold and seed; t-interval over seeds, Holm over the family, what could have been detected, a verdict
against the region of practical equivalence, the A/A placebo beside, and what was preregistered.
"""

_EFFECTS_EPILOG = """\
examples:
  python -m analysis effects runs/leave_one_out
  python -m analysis effects runs/leave_one_out --cells      and where: per cell line, exploratory
  python -m analysis effects runs/leave_one_out --metric nll --rope 0.01    exploratory: says that it is
"""

_IMPORTANCE_HELP = """\
Which hyper-parameters of a search did the objective vary with? PED-ANOVA and fANOVA of Optuna over the finished
configurations, branch by branch of a conditional space. They have no sign and no interval: importance is not effect.
"""

_COVERAGE_HELP = """\
Do the intervals cover what they say? Simulated runs of known truth (AUPR of finite pairs in loci, with cell lines and seeds
of their own; seeds with skewed effects; folds that are correlated as those that share training pairs are), and the share
of them whose interval holds it; and how often a family of arms that do nothing has a finding.
"""

_COMPETITION_HELP = """\
How did Student and Opportunist stand against each other? Per configuration with a competition: how often push-away and
pull-in acted, the Opportunist's advantage on cell lines that it has learnt and that it has not, and rho_c.
"""

_VERIFY_HELP = """\
Is what the store says what the energy gives? Every stored prediction of every split is recomputed in float64 from its
U_I, R_E and T and the unit's row of the table ledger, by code that shares nothing with the model; the record is checked
against itself (one T, one R_E per cell line, fused and standardised as recorded, U_I equal where a pair repeats); a
prior's posterior is made again from its kernel; and the rows of the table cells, those of branch_select too, from the
logits. Units are read one by one, in memory that does not grow with the run. A confirmation that was opened is verified
with it: its record by its hash and by the units that the selection chose by, and its own units.
"""

_VERIFY_EPILOG = """\
example:
  python -m analysis verify runs/rp24

exit status: 0; 1 where something differs (the first row of it is named) or could not be read; 2 for a mistake
"""


def print_ranking(
    run: Path | str,
    *,
    by: str = "aupr",
    healthy: bool = False,
    top: int | None = None,
    rope: float = ROPE,
    distance: bool = False,
    console: Console | None = None,
    lang: str = "en",
) -> bool:
    """Print the ranking, warnings and notes of a run.

    False where it is of less than the run had: a file could not be read, and nothing else holds its rows.

    Raises UserError (one sentence) when the path is not a run or nothing has finished.
    """
    ranking = rank(Run.open(run), by, healthy=healthy, rope=rope)
    return print_ranked(ranking, top=top, distance=distance, console=console, lang=lang)


def print_ranked(
    ranking: Ranking,
    *,
    top: int | None = None,
    distance: bool = False,
    console: Console | None = None,
    lang: str = "en",
) -> bool:
    """As `print_ranking`, of a ranking that is there already."""
    console, words = console or plain_console(), catalogue(lang)
    views = (
        ranking_view(ranking, top),
        distance_view(ranking, every=distance),
        preregistration_view(ranking.run),
    )
    for part in translated(chain(*views), words):
        console.print(part)
    last = f"\ninteractive: open {NOTEBOOK}\nand set RUN = {str(user_path(ranking.run.path).absolute())!r}"
    console.print(words(last) if words else last, style="dim", markup=False, soft_wrap=True)
    return not ranking.run.lost


def _parser(prog: str, description: str, epilog: str, *, rope: bool = True) -> SentenceParser:
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


def _rank(argv: Sequence[str]) -> int:
    parser = _parser("python -m analysis", _RANK_HELP, _RANK_EPILOG)
    parser.add_argument(
        "--by", default="aupr", metavar="METRIC", help=f"{', '.join(CRITERIA)} (default aupr)"
    )
    parser.add_argument(
        "--healthy",
        action="store_true",
        help="leave out configurations with a fault or a documented warning that the data do not imply",
    )
    parser.add_argument("--top", type=int, metavar="N", help="show the best N configurations only")
    parser.add_argument("--lang", default="en", metavar="LANG", help=f"{', '.join(LANGUAGES)} (default en)")
    parser.add_argument(
        "--distance",
        action="store_true",
        help="AUPR by genomic distance and against distance-matched negatives, of every configuration",
    )
    options = parser.parse_args(argv)
    _check_rope(options.rope)
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


def _compare(argv: Sequence[str]) -> int:
    parser = _parser("python -m analysis compare", _COMPARE_HELP, _COMPARE_EPILOG)
    parser.add_argument("--key", required=True, metavar="PATH", help="dotted key, e.g. energy.form")
    parser.add_argument("--a", required=True, metavar="VALUE", help="value that is subtracted")
    parser.add_argument("--b", required=True, metavar="VALUE", help="value that it is subtracted from")
    parser.add_argument(
        "--metric",
        default="pooled_aupr",
        metavar="METRIC",
        help=f"{', '.join(CRITERIA)} (default pooled_aupr)",
    )
    parser.add_argument(
        "--split", default="val_unseen", metavar="SPLIT", help="val_unseen (default), val_seen or test"
    )
    options = parser.parse_args(argv)
    _check_rope(options.rope)
    run = Run.open(options.run)
    comparison = compare(run, options.key, options.a, options.b, metric=options.metric, split=options.split)
    console = plain_console()
    for part in comparison_view(comparison, options.rope):
        console.print(part)
    return _unread(run, console)


def _effects(argv: Sequence[str]) -> int:
    parser = _parser("python -m analysis effects", _EFFECTS_HELP, _EFFECTS_EPILOG, rope=False)
    parser.add_argument(
        "--metric", metavar="METRIC", help=f"{', '.join(CRITERIA)} (default: the objective's)"
    )
    parser.add_argument(
        "--rope",
        type=float,
        metavar="X",
        help=f"differences up to X count as no effect (default: as preregistered, or {ROPE})",
    )
    parser.add_argument(
        "--cells",
        action="store_true",
        help="also the change of macro AUPR per unseen cell line, a family of its own (exploratory)",
    )
    options = parser.parse_args(argv)
    _check_rope(ROPE if options.rope is None else options.rope)
    console, run = plain_console(80), Run.open(options.run)
    for part in effects_view(run, metric=options.metric, rope=options.rope, cells=options.cells):
        console.print(part)
    return _unread(run, console)


def _importance(argv: Sequence[str]) -> int:
    epilog = "example:\n  python -m analysis importance runs/rp24\n"
    options = _parser("python -m analysis importance", _IMPORTANCE_HELP, epilog, rope=False).parse_args(argv)
    console, run = plain_console(80), Run.open(options.run)
    for part in importance_view(run):
        console.print(part)
    return _unread(run, console)


def _coverage(argv: Sequence[str]) -> int:
    parser = command_parser("python -m analysis coverage", _COVERAGE_HELP)
    parser.add_argument(
        "--replicates", type=int, default=REPLICATES, metavar="N", help="per cell (default %(default)s)"
    )
    replicates = parser.parse_args(argv).replicates
    if not FEWEST <= replicates <= MOST:
        raise UserError(f"--replicates must be between {FEWEST} and {MOST:,}, not {replicates}")
    console = plain_console(80)
    for part in coverage_view(replicates):
        console.print(part)
    return 0


def _export(argv: Sequence[str]) -> int:
    return export_command(argv, plain_console())


def _competition(argv: Sequence[str]) -> int:
    epilog = "example:\n  python -m analysis competition runs/shortcut\n"
    options = _parser("python -m analysis competition", _COMPETITION_HELP, epilog, rope=False).parse_args(
        argv
    )
    console, run = plain_console(), Run.open(options.run)
    for part in competition_view(run):
        console.print(part)
    return _unread(run, console)


def _verify(argv: Sequence[str]) -> int:
    options = _parser("python -m analysis verify", _VERIFY_HELP, _VERIFY_EPILOG, rope=False).parse_args(argv)
    console, run = plain_console(), Run.open(options.run)
    agree = [print_verification(run, console), verify_confirmation(run, console)]
    return max(_unread(run, console), 0 if all(agree) else 1)


def _unread(run: Run, console: Console) -> int:
    """Say what could not be read; the exit status: 1 where nothing else holds its rows."""
    for part in unread_view(run):
        console.print(part)
    return 1 if run.lost else 0


def _schema(argv: Sequence[str]) -> int:
    parser = command_parser(
        "python -m analysis schema",
        "Print every table and column of a run's store, as Markdown (docs/store.md).",
    )
    parser.parse_args(argv)
    print(page(), end="")
    return 0


def _check_rope(rope: float) -> None:
    if not 0 < rope < math.inf:
        raise UserError(f"--rope must be a number above 0, not {rope:g}")


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "compare": _compare,
    "effects": _effects,
    "importance": _importance,
    "competition": _competition,
    "verify": _verify,
    "coverage": _coverage,
    "claims": lambda argv: claims_command(argv, plain_console()),
    "export": _export,
    "import": lambda argv: import_command(argv, plain_console()),
    "import-predictions": lambda argv: import_predictions_command(argv, plain_console()),
    "rules": lambda argv: rules_command(argv, plain_console()),
    "report": lambda argv: report_command(argv, plain_console()),
    "schema": _schema,
    "table": table_command,
}
"""First word -> what it does with the others; anything else is a run to be ranked."""


def main(argv: Sequence[str]) -> int:
    """Run the command line on its arguments; the return value is the exit status."""
    command = COMMANDS.get(argv[0]) if argv else None
    return command(argv[1:]) if command else _rank(argv)


if __name__ == "__main__":
    run_cli(lambda: main(sys.argv[1:]))
