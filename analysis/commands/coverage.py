"""`python -m analysis coverage`: do the intervals cover what they say?"""

from collections.abc import Sequence

from rich.console import Console

from analysis.arguments import command_parser
from analysis.commands.of_run import say
from analysis.coverage.measure import FEWEST, MOST, REPLICATES
from analysis.coverage.view import coverage_view
from analysis.errors import UserError

_COVERAGE_HELP = """\
Do the intervals cover what they say? Simulated runs of known truth (AUPR of finite pairs in loci, with cell lines and seeds
of their own; seeds with skewed effects; folds that are correlated as those that share training pairs are), and the share
of them whose interval holds it; and how often a family of arms that do nothing has a finding.
"""


def coverage_command(argv: Sequence[str], console: Console) -> int:
    """Run the command; the exit status."""
    parser = command_parser("python -m analysis coverage", _COVERAGE_HELP)
    parser.add_argument(
        "--replicates", type=int, default=REPLICATES, metavar="N", help="per cell (default %(default)s)"
    )
    replicates = parser.parse_args(argv).replicates
    if not FEWEST <= replicates <= MOST:
        raise UserError(f"--replicates must be between {FEWEST} and {MOST:,}, not {replicates}")
    say(console, coverage_view(replicates))
    return 0
