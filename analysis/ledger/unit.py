"""What the store has of one unit's end, as the checks read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

KNOWN = ("train", "val_seen")
"""Splits of cell lines that were trained on; those of the others are unseen."""


@dataclass(frozen=True)
class UnitLedger:
    """ledger: the unit's row of that table; predictions, embeddings: its rows, and cells those of selection
    best_on_validation; settings: the resolved configuration, empty where it is not known; half: whether the sequence side
    ran in bfloat16, so that U_I of one pair may differ between batches; objective: what epochs are selected by, with its
    recorded value by epoch (`objectives`, empty where it is not known), and the one that the unit reports
    (`objective_value`, None where the audit stopped it).

    A column `sequence` of predictions, where there is one, is equal for pairs of equal sequences.
    """

    ledger: Mapping[str, Any]
    predictions: pd.DataFrame
    embeddings: pd.DataFrame
    cells: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    half: bool = False
    objective: str = ""
    objectives: Mapping[int, float] = field(default_factory=dict)
    objective_value: float | None = None

    @property
    def acts(self) -> bool:
        """Whether R_E stands in the energy: there is an environment, and phase 1 is over."""
        return bool(self.ledger["environment"]) and self.ledger["phase"] == 2

    @cached_property
    def groups(self) -> list[tuple[str, str, np.ndarray]]:
        """(split, cell line, positions of its predictions), in order of the rows."""
        if self.predictions.empty:
            return []
        keys = [pd.factorize(self.predictions[name]) for name in ("split", "cell_line")]
        joined = keys[0][0] * len(keys[1][1]) + keys[1][0]
        order = np.argsort(joined, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(joined[order])) + 1)
        first = [part[0] for part in parts]
        splits, lines = (keys[at][1].take(keys[at][0][first]) for at in (0, 1))
        return list(zip(map(str, splits), map(str, lines), parts, strict=True))

    def column(self, name: str) -> np.ndarray:
        """A column of predictions as float64 [N]."""
        return self.predictions[name].to_numpy(dtype=np.float64)

    def embedded(self, name: str) -> np.ndarray:
        """A column of embeddings as float64; NaN for null."""
        return self.embeddings[name].to_numpy(dtype=np.float64, na_value=np.nan)

    def row(self, at: int | np.signedinteger[Any]) -> str:
        """`split test, pair 812, cell line C6`: where a prediction stands."""
        row = self.predictions.iloc[int(at)]
        return f"split {row['split']}, pair {row['pair']}, cell line {row['cell_line']}"

    def place(self, at: int | np.signedinteger[Any]) -> str:
        """`split test, cell line C6, draw 0`: where a row of embeddings stands."""
        row = self.embeddings.iloc[int(at)]
        return f"split {row['split']}, cell line {row['cell_line']}, draw {row['draw']}"
