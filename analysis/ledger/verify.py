"""The ledger of one unit, judged: recomputed, consistent, and what was written."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from analysis.ledger.branches import branches_are_the_better
from analysis.ledger.consistency import CONSISTENCY
from analysis.ledger.figures import cells_are_of_the_logits
from analysis.ledger.fitted import temperature_is_fitted
from analysis.ledger.hashing import content_hash
from analysis.ledger.prior import posterior_is_that_of_the_prior
from analysis.ledger.recompute import recompute, unknown_form
from analysis.ledger.selected import best_epoch_is_selected, objective_is_of_the_selected_epoch
from analysis.ledger.unit import UnitLedger


@dataclass(frozen=True)
class Verification:
    """Of one unit: predictions recomputed, the largest difference |stored - recomputed| of a logit and the largest over its
    tolerance; energy: sentences on predictions that differ, record: on what does not agree with itself; why_not: why
    nothing was recomputed."""

    recomputed: int
    largest: float
    gap: float
    energy: tuple[str, ...]
    record: tuple[str, ...]
    why_not: str | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        return self.energy + self.record


CHECKS = (
    *CONSISTENCY,
    posterior_is_that_of_the_prior,
    cells_are_of_the_logits,
    branches_are_the_better,
    best_epoch_is_selected,
    objective_is_of_the_selected_epoch,
    temperature_is_fitted,
)


def verify_unit(unit: UnitLedger) -> Verification:
    """Recompute every prediction of a unit and check that its record agrees with itself."""
    record = [text for check in CHECKS for text in check(unit)]
    why_not = unknown_form(unit.ledger)
    if why_not is not None:
        return Verification(0, 0.0, 0.0, (), tuple(record), why_not)
    made = recompute(unit.predictions, unit.ledger)
    energy = []
    if made.wrong.any():
        at = int(np.argmax(made.wrong))
        stored = unit.column("logit")[at]
        energy.append(
            f"{unit.row(at)}: the stored logit is {stored:.6g}, and {unit.ledger['form']} gives "
            f"{made.logit[at]:.6g} ({int(made.wrong.sum())} of {len(made.wrong)} predictions differ)"
        )
    largest = float(made.difference.max()) if len(made.difference) else 0.0
    return Verification(len(made.difference), largest, made.gap, tuple(energy), tuple(record))


def written_hash(predictions: pa.Table, embeddings: pa.Table) -> str:
    """The hash of a unit's ledger files, which its row of `ledger` has."""
    return content_hash([predictions, embeddings])
