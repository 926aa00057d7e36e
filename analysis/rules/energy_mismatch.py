"""Rule energy_mismatch."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from analysis.ledger.forms import FORMS
from analysis.rules.readings import Readings
from analysis.rules.registry import register
from analysis.rules.rule import Broken, Reading, Rule
from analysis.rules.sources import documents
from analysis.rules.table import Floats, Mask
from analysis.rules.units import Units


@register
class EnergyMismatch(Rule):
    """Prediction has another energy than training (documents 000, 003): logits of prediction that the audit recomputed from
    U_I, R_E and T by the energy of training differ by more than the tolerance, 1e-5 (1 + what is summed) / T."""

    id = "energy_mismatch"
    mark = "E"
    order = 200
    condition_text = "training and prediction energies differ"
    severity = "fault"
    source = documents("000", "003")
    advice = "python -m analysis verify RUN names the first row that differs; report nothing of this unit"
    limits: ClassVar[Mapping[str, float]] = {"energy_mismatch": 1.0}
    """Largest |stored - recomputed| logit, in tolerances."""

    def measure(self, units: Units) -> Readings:
        rows = units.audit
        gap = np.nan_to_num(rows.numbers("energy_gap"))
        largest = np.zeros(units.count)
        np.maximum.at(largest, rows.unit, gap)
        ended = rows.where(rows.equals("mechanism", "prediction") & rows.equals("moment", "last"))
        # A form of a person's own cannot be recomputed.
        personal = [each is not None and each not in FORMS for each in units.settings("energy.form")]
        lacks = [
            ("rows of the table audit", ~units.having(rows)),
            ("the audit of the unit's end in the table audit", ~units.having(ended) & ~(largest > 0)),
            ("a NumPy form of its energy", np.array(personal, dtype=bool) & ~(largest > 0)),
        ]
        return units.before_training({"gap": largest}, lacks)

    def condition(self, values: Mapping[str, Floats], limits: Mapping[str, Floats]) -> Broken:
        gap, limit = values["gap"], limits[self.id]
        return Broken(gap, limit, gap > limit)

    def evidence(self, reading: Reading) -> str:
        return f"a logit of prediction is off the training energy's by {reading.values['gap']:.3g} times the tolerance"

    def remembered(self, units: Units) -> Mapping[str, Mask]:
        gap = np.nan_to_num(units.audit.numbers("energy_gap"))
        kept = np.zeros(len(gap), dtype=bool)
        kept[np.argsort(-gap, kind="stable")[:1]] = True
        kept |= units.audit.equals("mechanism", "prediction") & units.audit.equals("moment", "last")
        return {"audit": kept}
