"""Rule generalisation_gap."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from analysis.rules.columns import Readings, RunColumns
from analysis.rules.records import UnitRecords, number
from analysis.rules.rule import NotEvaluated, Reading, Rule, Violation


class GeneralisationGap(Rule):
    """Train macro AUPR minus unseen AUPR above 0.2, macro and for every unseen cell line (seed 004).

    Judged on val_unseen; the gap to test stands in the evidence only.
    """

    id = "generalisation_gap"
    mark = "g"
    condition_text = "train AUPR - unseen AUPR > 0.2, macro or any cell line"
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
        if all("aupr" not in row for row in rows):
            return NotEvaluated("AUPR rows of split val_unseen in the table cells")
        groups: dict[tuple[int, bool], dict[str, float]] = {}
        for row in rows:
            value, epoch = number(row, "aupr"), int(row["epoch"])
            if value is not None and epoch in train:
                groups.setdefault((epoch, row["selection"] != "epoch"), {})[str(row["cell_line"])] = value
        readings = []
        test = _test_macro(unit)
        for (epoch, final), auprs in sorted(groups.items()):
            known = {"train": train[epoch]}
            if final and test is not None:
                known["test"] = test
            if "macro" in auprs:
                readings.append(Reading({**known, "unseen": auprs["macro"]}, epoch, "macro", "macro", final))
            readings += [
                Reading({**known, "unseen": value}, epoch, name, name, final)
                for name, value in auprs.items()
                if name not in ("macro", "pooled")
            ]
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

    def columns(self, run: RunColumns) -> Readings:
        train = run.epochs.loc[run.epochs["train_aupr"].notna(), ["unit", "epoch", "train_aupr"]]
        rows = run.unseen[run.unseen["aupr"].notna()].merge(train, on=["unit", "epoch"])
        final, line = (rows["selection"] != "epoch").to_numpy(), rows["cell_line"].to_numpy(dtype=object)
        unit, epoch = rows["unit"].to_numpy(), rows["epoch"].to_numpy(dtype=float)
        aupr = rows["aupr"].to_numpy(dtype=float)
        at = np.flatnonzero(line != "pooled")
        tested = run.test[(run.test["cell_line"] == "macro") & run.test["aupr"].notna()]
        test = np.full(len(run.trials), np.nan)
        test[tested["unit"].to_numpy()] = tested["aupr"].to_numpy()
        values = {
            "train": rows["train_aupr"].to_numpy(dtype=float)[at],
            "test": np.where(final, test[unit], np.nan)[at],
            "unseen": aupr[at],
        }
        scope, _ = pd.factorize(line[at])
        return Readings(unit[at], scope, epoch[at], final[at], values, line[at])

    def excess(self, values: Mapping[str, np.ndarray], limits: Mapping[str, float]) -> np.ndarray:
        over = values["train"] - values["unseen"] - limits[self.id]
        return np.where(over > 0, over, np.nan)


def _test_macro(unit: UnitRecords) -> float | None:
    rows = unit.rows("test", ("best_on_validation",))
    macro = [number(row, "aupr") for row in rows if row["cell_line"] == "macro"]
    known = [value for value in macro if value is not None]
    return known[-1] if known else None
