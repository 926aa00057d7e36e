"""`python -m analysis competition`: how Student and Opportunist stood against each other."""

from collections.abc import Sequence

from rich.console import Console

from analysis.commands.of_run import end, run_parser, say
from analysis.competition_view import competition_view
from analysis.store import Run

_COMPETITION_HELP = """\
How did Student and Opportunist stand against each other? Per configuration with a competition: how often push-away and
pull-in acted, the Opportunist's advantage on cell lines that it has learnt and that it has not, and rho_c.
"""
_EPILOG = "example:\n  python -m analysis competition runs/shortcut\n"


def competition_command(argv: Sequence[str], console: Console) -> int:
    """Run the command; the exit status."""
    options = run_parser("python -m analysis competition", _COMPETITION_HELP, _EPILOG).parse_args(argv)
    run = Run.open(options.run)
    say(console, competition_view(run))
    return end(run, console)
