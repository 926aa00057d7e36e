"""What the predictions are judged by: the rows of one configuration's finished units."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.balance import common_to_seeds
from analysis.intervals import Interval, t_interval
from analysis.reported import reported_units, resolved_configurations
from analysis.schema import TABLES
from analysis.store import KEYS, Run
from analysis.terminal import many

UNIT = ["fold", "seed"]
"""What tells the units of one configuration apart."""
KNOWN, UNSEEN = ("val_seen",), ("val_unseen", "test")
"""Splits of held-out pairs: of training cell lines, and of others."""


@dataclass(frozen=True)
class ClaimInputs:
    """Of a configuration: its name, resolved settings by dotted path, and rows of tables of the store, each of its units
    that are done and share their folds with all seeds.

    units: as `reported_units` on val_unseen, with `phase`, `w` and `form` of the ledger; embeddings, vectors
    (`pair_vectors`) and cells (exact protocol, best_on_validation); `left`: units that were left out, in words.
    """

    config: str
    settings: Mapping[str, Any]
    units: pd.DataFrame
    embeddings: pd.DataFrame
    vectors: pd.DataFrame
    cells: pd.DataFrame
    left: str = ""

    @classmethod
    def of(cls, run: Run, config: str) -> "ClaimInputs":
        """Read a configuration of a run. Raises UserError for a mixture of stamps."""
        units = reported_units(run)
        units = units[units["config"] == config]
        done = units[units["status"] == "done"]
        common = done[common_to_seeds(done, ["fold"])] if len(done) else done
        ledger = run.table("ledger")[[*KEYS, "phase", "w", "form"]]
        common = common.merge(ledger, on=KEYS, how="left").reset_index(drop=True)
        left = len(units) - len(common)
        names = frozenset(
            f"{config}-{fold}-{seed}" for fold, seed in zip(common["fold"], common["seed"], strict=True)
        )
        cells, embeddings, vectors = (
            run.rows_of(name, names, TABLES[name].names).merge(common[KEYS], on=KEYS)
            for name in ("cells", "embeddings", "pair_vectors")
        )
        reported = cells[(cells["protocol"] == "exact") & (cells["selection"] == "best_on_validation")]
        said = f"{many(left, 'unit')} that did not end as planned, or on folds that not all seeds have"
        settings = resolved_configurations(run).get(config, {})
        return cls(config, settings, common, embeddings, vectors, reported, said if left else "")

    @property
    def source(self) -> str:
        """Where z_E comes from; none without an environment."""
        return str(self.settings.get("environment.source", "none"))

    @property
    def decoupled(self) -> frozenset[str]:
        """Names of the estimators of dependence that training lowers."""
        weights = {key: value for key, value in self.settings.items() if key.startswith("decouple.")}
        trained = (key for key, value in weights.items() if isinstance(value, int | float) and value > 0)
        return frozenset(key.removeprefix("decouple.") for key in trained)

    @property
    def in_phase1(self) -> bool:
        """Whether the reported weights of every unit are of phase 1, where R_E is not in force."""
        phase = self.units["phase"].dropna()
        return bool(len(phase) and (phase == 1).all())

    def environment_missing(self) -> str:
        """Why R_E is in no score; empty where it is."""
        if self.source == "none":
            return "an environment (environment.source is none)"
        if self.in_phase1:
            return "weights of phase 2 (those reported are of phase 1, where R_E = 0)"
        return ""

    def embedding_missing(self) -> str:
        """Why nothing can be said of z_E, R_S and gates; empty where it can."""
        return self.environment_missing() or ("the table embeddings" if self.embeddings.empty else "")


def by_unit(rows: pd.DataFrame) -> Iterator[tuple[str, int, pd.DataFrame]]:
    """(fold, seed, rows) of every unit, in order."""
    units = rows[UNIT].drop_duplicates().sort_values(UNIT)
    for fold, seed in zip(units["fold"].tolist(), units["seed"].tolist(), strict=True):
        yield str(fold), int(seed), rows[(rows["fold"] == fold) & (rows["seed"] == seed)]


def over_seeds(rows: pd.DataFrame, column: str) -> Interval:
    """t over seeds of a number per unit (columns fold, seed): the seed is the unit of replication, its value the mean over
    its folds."""
    return t_interval(rows.groupby("seed")[column].mean().to_numpy(dtype=np.float64))


def line_means(embeddings: pd.DataFrame, column: str, splits: tuple[str, ...]) -> pd.DataFrame:
    """Mean over support draws of a number: fold, seed, split, cell_line, `column`; without those that are null."""
    rows = embeddings[embeddings["split"].isin(splits)]
    means = rows.groupby([*UNIT, "split", "cell_line"], observed=True)[column].mean()
    return means.dropna().reset_index()
