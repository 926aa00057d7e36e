"""Rule generalisation_gap."""

from collections.abc import Mapping
from typing import ClassVar

import pandas as pd

from analysis.rules.records import UnitRecords
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation


class GeneralisationGap(Rule):
    """Train macro AUPR minus unseen AUPR above 0.2, macro and for the worst unseen cell line (seed 004).

    Judged on val_unseen; the gap to test stands in the evidence only.
    """

    id = "generalisation_gap"
    mark = "g"
    condition_text = "train AUPR - unseen AUPR > 0.2, macro and for the worst cell line"
    severity = "documented"
    source = "seed 004"
    advice = (
        "stop earlier, regularise, or compare with promoter-only: the gap may be new loci, not new cell lines"
    )
    limits: ClassVar[dict[str, float]] = {"generalisation_gap": 0.2}

    def measure(self, unit: UnitRecords) -> list[Reading] | NotEvaluated:
        train = dict(unit.train_aupr())
        if not train:
            return NotEvaluated("train_aupr of the table epochs")
        rows = unit.unseen()
        if rows.empty or "aupr" not in rows:
            return NotEvaluated("AUPR rows of split val_unseen in the table cells")
        readings = []
        test = _test_macro(unit)
        for key, group in rows.groupby(["epoch", "selection"], sort=True):
            epoch, final = int(group["epoch"].iloc[0]), key[1] != "epoch"
            auprs = pd.to_numeric(group.set_index("cell_line")["aupr"], errors="coerce").dropna()
            if epoch not in train:
                continue
            known = {"train": train[epoch]}
            if final and test is not None:
                known["test"] = test
            if "macro" in auprs:
                values = {**known, "unseen": float(auprs["macro"])}
                readings.append(Reading(values, epoch, "macro", "macro", final))
            lines = auprs.drop(["macro", "pooled"], errors="ignore")
            if len(lines):
                values = {**known, "unseen": float(lines.min())}
                readings.append(Reading(values, epoch, "worst", str(lines.idxmin()), final))
        return readings or NotEvaluated("an epoch with both train AUPR and AUPR of val_unseen")

    def condition(self, reading: Reading, limits: Mapping[str, float]) -> Violation | None:
        train, unseen = reading.values["train"], reading.values["unseen"]
        gap, limit = train - unseen, limits[self.id]
        if gap <= limit:
            return None
        evidence = f"train AUPR {train:.3f}, unseen {unseen:.3f} at epoch {reading.epoch}"
        if "test" in reading.values:
            evidence += f"; gap to test (macro, reporting only) {train - reading.values['test']:.3f}"
        return Violation(gap, limit, evidence)


def _test_macro(unit: UnitRecords) -> float | None:
    rows = unit.split_rows("test", ("best_on_validation",))
    if rows.empty or "aupr" not in rows:
        return None
    macro = rows[rows["cell_line"] == "macro"]["aupr"].dropna()
    return float(macro.iloc[-1]) if len(macro) else None
