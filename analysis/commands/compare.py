"""`python -m analysis compare`: what one key did."""

from collections.abc import Sequence

from rich.console import Console

from analysis.commands.of_run import check_rope, end, run_parser, say
from analysis.comparison_view import comparison_view
from analysis.criteria import CRITERIA
from analysis.effects import compare
from analysis.store import Run

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


def compare_command(argv: Sequence[str], console: Console) -> int:
    """Run the command; the exit status."""
    parser = run_parser("python -m analysis compare", _COMPARE_HELP, _COMPARE_EPILOG, rope=True)
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
    check_rope(options.rope)
    run = Run.open(options.run)
    comparison = compare(run, options.key, options.a, options.b, metric=options.metric, split=options.split)
    say(console, comparison_view(comparison, options.rope))
    return end(run, console)
