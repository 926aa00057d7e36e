"""`python -m analysis verify`: every stored prediction again, from what the store keeps."""

from collections.abc import Sequence

from rich.console import Console

from analysis.commands.of_run import end, run_parser
from analysis.confirmation.verify import verify_confirmation
from analysis.ledger_view import print_verification
from analysis.store import Run

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


def verify_command(argv: Sequence[str], console: Console) -> int:
    """Run the command; the exit status."""
    options = run_parser("python -m analysis verify", _VERIFY_HELP, _VERIFY_EPILOG).parse_args(argv)
    run = Run.open(options.run)
    agree = [print_verification(run, console), verify_confirmation(run, console)]
    return max(end(run, console), 0 if all(agree) else 1)
