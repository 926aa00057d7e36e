"""What rules measure on all units of a run at once, as columns: the same readings as one by one, a hundred times faster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Readings:
    """Readings of one rule on many units.

    unit [n]: position of the unit in `trials`; scope [n]: code of the series within the unit; epoch [n], NaN for what
    is known before training; final [n]: the evaluation of the reported weights; cell_line [n] or None; values: column
    -> [n], NaN where a reading does not have it.
    """

    unit: np.ndarray
    scope: np.ndarray
    epoch: np.ndarray
    final: np.ndarray
    values: Mapping[str, np.ndarray]
    cell_line: np.ndarray | None = None

    def sorted(self, units: np.ndarray) -> "Readings":
        """Those of `units` [units, bool], in the order that `standing` wants."""
        order = np.lexsort((self.epoch, self.final, self.scope, self.unit))
        order = order[units[self.unit[order]]]
        return Readings(
            self.unit[order],
            self.scope[order],
            self.epoch[order],
            self.final[order],
            {name: column[order] for name, column in self.values.items()},
            None if self.cell_line is None else self.cell_line[order],
        )

    def joined(self, other: "Readings") -> "Readings":
        """These and those of `other`, which have scopes of their own; a value that only one has is NaN in the other."""
        names = {**self.values, **other.values}
        lines = (self.cell_line, other.cell_line)
        return Readings(
            np.concatenate([self.unit, other.unit]),
            np.concatenate([self.scope, other.scope]),
            np.concatenate([self.epoch, other.epoch]),
            np.concatenate([self.final, other.final]),
            {name: np.concatenate([_values(self, name), _values(other, name)]) for name in names},
            None if lines[0] is None or lines[1] is None else np.concatenate([lines[0], lines[1]]),
        )


def _values(readings: Readings, name: str) -> np.ndarray:
    return readings.values.get(name, np.full(len(readings.unit), np.nan))


@dataclass(frozen=True)
class RunColumns:
    """All units of a run: `trials` as it is; `epochs`, `terms` and `unseen` (rows of `Run.judged` on val_unseen) with
    `unit`.

    `unseen` holds of every unit the rows that its rules would see: of protocol `exact` where there are any, of score
    `corrected` where there are any. `plain` [units]: units whose rows are as a trial writes them, one per epoch and
    scope; the others are left to the rules one by one.
    """

    trials: pd.DataFrame
    epochs: pd.DataFrame
    unseen: pd.DataFrame
    test: pd.DataFrame
    terms: pd.DataFrame
    plain: np.ndarray

    @classmethod
    def of(
        cls, trials: pd.DataFrame, epochs: pd.DataFrame, judged: pd.DataFrame, terms: pd.DataFrame
    ) -> "RunColumns":
        """From tables of which all but `trials` have a column `unit`."""
        units = len(trials)
        parts = {}
        plain = np.ones(units, dtype=bool)
        for split in ("val_unseen", "test"):
            rows = judged[(judged["split"] == split).to_numpy() & (judged["unit"] >= 0).to_numpy()]
            for column, preferred in (("protocol", "exact"), ("score", "corrected")):
                chosen = (rows[column] == preferred).to_numpy()
                has = np.zeros(units, dtype=bool)
                has[rows["unit"].to_numpy()[chosen]] = True
                rows = rows[chosen | ~has[rows["unit"].to_numpy()]]
            parts[split] = rows
            odd = (
                rows.duplicated(["unit", "selection", "cell_line", "epoch"], keep=False)
                | rows["epoch"].isna()
            )
            plain[rows["unit"].to_numpy()[odd.to_numpy()]] = False
            final = rows[rows["selection"] != "epoch"]
            several = final.duplicated(["unit", "cell_line"], keep=False).to_numpy()
            plain[final["unit"].to_numpy()[several]] = False
        epochs = epochs[epochs["unit"] >= 0]
        twice = (epochs.duplicated(["unit", "epoch"], keep=False) | epochs["epoch"].isna()).to_numpy()
        plain[epochs["unit"].to_numpy()[twice]] = False
        return cls(trials, epochs, parts["val_unseen"], parts["test"], terms[terms["unit"] >= 0], plain)

    def series(self, column: str, name: str) -> Readings:
        """A column of `epochs` wherever it is not null, as `name`, in one scope."""
        rows = self.epochs[self.epochs[column].notna()]
        count = len(rows)
        return Readings(
            rows["unit"].to_numpy(),
            np.zeros(count, dtype=int),
            rows["epoch"].to_numpy(dtype=float),
            np.zeros(count, dtype=bool),
            {name: rows[column].to_numpy(dtype=float)},
        )

    def cells(self, columns: Sequence[str], *, optional: Sequence[str] = (), pooled: bool = True) -> Readings:
        """As `cell_readings`: unseen validation rows, one series per cell line and, with `pooled`, one for all pairs."""
        rows = self.unseen
        left_out = ["macro"] if pooled else ["macro", "pooled"]
        kept = (
            ~rows["cell_line"].isin(left_out).to_numpy() & rows[list(columns)].notna().all(axis=1).to_numpy()
        )
        rows = rows[kept]
        codes, _ = pd.factorize(rows["cell_line"])
        return Readings(
            rows["unit"].to_numpy(),
            codes,
            rows["epoch"].to_numpy(dtype=float),
            (rows["selection"] != "epoch").to_numpy(),
            {name: rows[name].to_numpy(dtype=float) for name in (*columns, *optional)},
            rows["cell_line"].to_numpy(dtype=object),
        )

    def trial(self, columns: Sequence[str]) -> Readings:
        """Columns of `trials` where all are above 0, known before training."""
        values = {name: self.trials[name].to_numpy(dtype=float, na_value=np.nan) for name in columns}
        return self.before_training(values, np.all([column > 0 for column in values.values()], axis=0))

    def before_training(self, values: Mapping[str, np.ndarray], known: np.ndarray) -> Readings:
        """Values per unit [units], of the units where they are `known`."""
        at = np.flatnonzero(known)
        zero = np.zeros(len(at), dtype=int)
        kept = {name: column[at] for name, column in values.items()}
        return Readings(at, zero, np.full(len(at), np.nan), zero > 0, kept)
