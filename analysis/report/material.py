"""What the sections of a report are made of: read and computed once, by what the terminal prints of the same run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from analysis.arms import base
from analysis.asked import asked_by
from analysis.claims.evaluate import configuration_claims, judged_configuration
from analysis.confirmation.figures import Confirmation, confirmation
from analysis.contrast_rows import ContrastRows, contrast_rows
from analysis.preregistration import Preregistration, preregistration
from analysis.ranking import Ranking
from analysis.report.texts import Texts
from analysis.schema import MACRO, POOLED, SCORES
from analysis.store import KEYS, Run, units_of

TOP = 30
"""Configurations that tables show one by one."""
LEADERS = 4
"""Configurations whose training and predictions are drawn."""


@dataclass(frozen=True)
class Material:
    """A run by its ranking, and the sentences in which it is told."""

    ranking: Ranking
    texts: Texts

    @property
    def run(self) -> Run:
        return self.ranking.run

    @cached_property
    def rows(self) -> pd.DataFrame:
        """`Ranking.configurations`, with labels in the language of the report."""
        rows = self.ranking.configurations
        return rows.assign(label=rows["label"].map(self.texts.said))

    @cached_property
    def shown(self) -> list[str]:
        """The configurations that tables show."""
        return [str(config) for config in self.rows["config"].head(TOP)]

    @cached_property
    def leaders(self) -> list[str]:
        """The configurations that are drawn one by one: the first ones of the ranking."""
        return [str(config) for config in self.rows["config"].head(LEADERS)]

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Configuration -> its name beside the others."""
        return dict(zip(self.rows["config"], self.rows["label"], strict=True))

    @cached_property
    def short(self) -> Mapping[str, str]:
        """Configuration -> the beginning of its identity, as commands take it."""
        return dict(zip(self.rows["config"], self.rows["short"], strict=True))

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Configuration -> its rank."""
        return dict(zip(self.rows["config"], self.rows["rank"], strict=True))

    def named(self, config: str) -> tuple[str, str]:
        """(`#1`, its name) of a ranked configuration."""
        return f"#{self.places[config]}", self.labels[config]

    @cached_property
    def preregistration(self) -> Preregistration | None:
        return preregistration(self.run)

    @cached_property
    def contrasts(self) -> ContrastRows | None:
        """What each contrast of the design did; None for a design without, and where no unit has a number."""
        told = contrast_rows(self.run, self.preregistration)
        return told if told is not None and told.measured else None

    @cached_property
    def confirmation(self) -> Confirmation | None:
        """What fresh seeds said of the selection; None for a run without a confirmation."""
        return confirmation(self.run, self.ranking.rope)

    @cached_property
    def claims(self) -> pd.DataFrame | None:
        """What the run says of the falsifiable predictions, of the configuration that the terminal judges; None where that
        has no units."""
        first = self.shown[0] if self.ranking.by.key == asked_by(self.run).key else None
        config = base(self.run) or first or judged_configuration(self.run)  # the last one ranks anew
        return configuration_claims(self.run, config).frame() if config in self.places else None

    @cached_property
    def cells(self) -> pd.DataFrame:
        """config, fold, seed, cell_line, aupr of the reported weights in every unseen validation cell line."""
        rows = self._unseen("best_on_validation")
        rows = rows[~rows["cell_line"].isin([MACRO, POOLED]).to_numpy()]
        return _reported_score(rows, [*KEYS, "cell_line"])

    def unseen_curves(self, configs: Sequence[str] | None = None) -> pd.DataFrame:
        """config, fold, seed, epoch and macro AUPR on val_unseen after every epoch, of the reported score."""
        rows = self._unseen("epoch")
        rows = rows[(rows["cell_line"] == MACRO).to_numpy()]
        rows = rows if configs is None else rows[rows["config"].isin(configs).to_numpy()]
        return _reported_score(rows, [*KEYS, "epoch"])

    def _unseen(self, selection: str) -> pd.DataFrame:
        """Rows of `judged` on val_unseen that are in the ranking: without those of units that the audit stopped."""
        rows = self.run.judged()
        wanted = (rows["split"] == "val_unseen").to_numpy() & (rows["selection"] == selection).to_numpy()
        accused = units_of(self.ranking.accused, self.run.table("units"))
        return rows[
            wanted & ~np.isin(rows["unit"].to_numpy(), accused) & rows["score"].isin(SCORES[:2]).to_numpy()
        ]


def _reported_score(rows: pd.DataFrame, of: list[str]) -> pd.DataFrame:
    """The AUPR by `of`: corrected where it was written, else U_I alone, as in the ranking."""
    alone = (rows["score"] != SCORES[1]).to_numpy()
    rows = rows.assign(alone=alone).sort_values("alone", kind="stable").drop_duplicates(of)
    names = {name: str for name in ("config", "fold", "cell_line") if name in of}
    return rows[[*of, "aupr"]].astype(names).sort_values(of, ignore_index=True)


def number(value: float, digits: int = 3) -> str:
    """As the terminal's ranking writes it; empty for none."""
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def signed(value: float, digits: int = 3) -> str:
    """With its sign, a minus of the width of the plus."""
    return "" if math.isnan(value) else f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "\u2212")
