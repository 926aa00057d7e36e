"""`python -m analysis effects`: what each arm of a design did."""

from collections.abc import Sequence

from rich.console import Console

from analysis.commands.of_run import add_language, check_rope, end, run_parser, say
from analysis.criteria import CRITERIA
from analysis.effects_view import effects_view
from analysis.language import in_language
from analysis.ranking import ROPE
from analysis.store import Run

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
  python -m analysis effects runs/leave_one_out --lang zh    in Chinese
"""


def effects_command(argv: Sequence[str], console: Console) -> int:
    """Run the command; the exit status."""
    parser = run_parser("python -m analysis effects", _EFFECTS_HELP, _EFFECTS_EPILOG)
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
    add_language(parser)
    options = parser.parse_args(argv)
    with in_language(options.lang):
        check_rope(ROPE if options.rope is None else options.rope)
        run = Run.open(options.run)
        told = effects_view(run, metric=options.metric, rope=options.rope, cells=options.cells)
        say(console, told, options.lang)
        return end(run, console, options.lang)
