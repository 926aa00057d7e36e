"""Is what a confirmation says what its store and that of the selection give?"""

from rich.console import Console
from rich.text import Text

from analysis.confirmation.figures import confirmation
from analysis.confirmation.record import confirmation_of
from analysis.ledger_view import print_verification
from analysis.ranking import ROPE
from analysis.store import Run


def verify_confirmation(run: Run, console: Console) -> bool:
    """Verify the confirmation of a run, if it has one that was opened, and print what was seen; whether nothing differs.
    A record that is not relied on is a problem of the run."""
    told, inner = confirmation(run, ROPE), confirmation_of(run)
    if told is None or inner is None or not told.opened:
        return True
    console.print(Text(f"\nConfirmation {inner.path}", style="bold"))
    for sentence in told.differences:
        console.print(Text(f"differs: {sentence}", style="bold red"))
    agrees = print_verification(inner, console)
    return agrees and not told.differences
