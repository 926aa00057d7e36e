"""`python -m analysis importance`: which hyper-parameters the objective varied with."""

from collections.abc import Sequence

from rich.console import Console

from analysis.commands.of_run import end, run_parser, say
from analysis.importance_view import importance_view
from analysis.store import Run

_IMPORTANCE_HELP = """\
Which hyper-parameters of a search did the objective vary with? PED-ANOVA and fANOVA of Optuna over the finished
configurations, branch by branch of a conditional space. They have no sign and no interval: importance is not effect.
"""
_EPILOG = "example:\n  python -m analysis importance runs/rp24\n"


def importance_command(argv: Sequence[str], console: Console) -> int:
    """Run the command; the exit status."""
    options = run_parser("python -m analysis importance", _IMPORTANCE_HELP, _EPILOG).parse_args(argv)
    run = Run.open(options.run)
    say(console, importance_view(run))
    return end(run, console)
