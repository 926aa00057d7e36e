"""A base without each of its mechanisms, one at a time."""

from collections.abc import Iterable

from harness.config.blocks.design import Basis, Changes, design
from harness.design.ablation import Ablation
from harness.design.removal import Switched, removals
from harness.mechanisms.mechanism import Mechanism


@design("leave_one_out")
class LeaveOneOut(Ablation):
    """The base (preset, trial, set), and it without each mechanism that it has: what does each do beside all the others?
    What cannot be without the mechanism goes with it, and is named."""

    runs = "takes one mechanism out of the base at a time"
    family = "removal"
    moves = "takes"

    def exchanges(self, basis: Basis) -> Iterable[Switched | tuple[Mechanism, str]]:
        return removals(basis.compose)

    def nothing(self, basis: Basis) -> str:
        return f"the base {basis.base} has no mechanism that can be taken out"

    def called(self, basis: Basis, names: str) -> str:
        return f"without {names}"

    def held(self, exchange: Switched) -> Changes:
        return {}
