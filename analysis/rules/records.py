"""The records of one unit (configuration, fold, seed) that rules look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class UnitRecords:
    """One unit's row of `trials` and its rows of `epochs`, `terms` and `cells`, as in `analysis.schema`.

    Tables may be empty, lack columns, or hold only the epochs finished so far; a rule that misses an input
    says so.
    """

    trial: Mapping[str, Any]
    epochs: pd.DataFrame = field(default_factory=pd.DataFrame)
    terms: pd.DataFrame = field(default_factory=pd.DataFrame)
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    _rows: dict[tuple[str, ...], pd.DataFrame] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def split_rows(self, split: str, selections: tuple[str, ...]) -> pd.DataFrame:
        """Rows of one split as found, in order of epoch, of one protocol and one score.

        The protocol `exact` is preferred to `documented`, and the score `corrected` to `u_only`: a rule
        judges what is predicted, and never mixes two ways of measuring.
        """
        # Most rules ask for the same rows, after every epoch of every trial.
        if (split, *selections) not in self._rows:
            self._rows[(split, *selections)] = self._select(split, selections)
        return self._rows[(split, *selections)]

    def _select(self, split: str, selections: tuple[str, ...]) -> pd.DataFrame:
        rows = self.cells
        needed = {"epoch", "selection", "split", "cell_line"}
        if rows.empty or not needed <= set(rows.columns):
            return pd.DataFrame()
        rows = rows[(rows["split"] == split) & rows["selection"].isin(selections)]
        if "prevalence_mode" in rows:
            rows = rows[rows["prevalence_mode"] == "as_found"]
        for column, preferred in (("protocol", "exact"), ("score", "corrected")):
            if column in rows and (rows[column] == preferred).any():
                rows = rows[rows[column] == preferred]
        return rows.sort_values("epoch", kind="stable").reset_index(drop=True)

    def unseen(self) -> pd.DataFrame:
        """`val_unseen` rows of every epoch and of the reported weights; test never decides a warning."""
        return self.split_rows("val_unseen", ("epoch", "best_on_validation"))

    def epoch_values(self, column: str) -> list[tuple[int, float]]:
        """(epoch, value) of a column of `epochs` wherever it is not null, in order of epoch."""
        if self.epochs.empty or not {"epoch", column} <= set(self.epochs.columns):
            return []
        rows = self.epochs[["epoch", column]].dropna().sort_values("epoch")
        return list(zip(rows["epoch"].astype(int).tolist(), rows[column].astype(float).tolist(), strict=True))

    def train_aupr(self) -> list[tuple[int, float]]:
        """(epoch, macro AUPR on the training subset): from `epochs`, else the train rows of `cells`."""
        logged = self.epoch_values("train_aupr")
        if logged:
            return logged
        rows = self.split_rows("train", ("epoch",))
        if rows.empty or "aupr" not in rows:
            return []
        macro = rows[rows["cell_line"] == "macro"].dropna(subset=["aupr"])
        return list(
            zip(macro["epoch"].astype(int).tolist(), macro["aupr"].astype(float).tolist(), strict=True)
        )
