"""The interface of a trial's inspector, which the loop takes as an argument."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from harness.config.blocks.reads import Reads
from harness.trial.episodes.sampler import Sampler
from harness.trial.record import Record
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.step.trainer import Trainer

Moment = Literal["first", "last"]
"""Before the first step, or after the last."""


@dataclass(frozen=True)
class Subject:
    """What an inspector sees of a trial: its parts as they are at that moment (`codes` [C], the training cell lines'
    indices in the dataset), and which settings it has read so far. Nothing of it may be changed."""

    trainer: Trainer
    sampler: Sampler
    predictor: Predictor
    codes: np.ndarray
    reads: Reads


class Inspection(NamedTuple):
    """Rows of table `audit` without the unit's key, and the sentence that stops a strict trial (None: nothing does)."""

    rows: list[dict[str, Any]]
    fault: str | None


class Inspector(Protocol):
    """Looks at a trial at one moment; may raise Diverged where a clone of it does."""

    def __call__(self, subject: Subject, moment: Moment) -> Inspection: ...


class Keeper(Protocol):
    """Looks at what one unit stores: after each epoch at its scores, and at its end at what is on disk then."""

    def scored(self, scores: Mapping[str, SplitScores], epoch: int) -> Inspection: ...

    def ended(self, record: Record) -> Inspection: ...


class Inspections:
    """What an inspector says of one unit, once at each moment; nothing where there is none or `mode` is off.

    `rows`: of table `audit`, all moments so far.
    """

    def __init__(self, inspector: Inspector | None, mode: Literal["strict", "warn", "off"]) -> None:
        self._inspector, self._mode = inspector, mode
        self.rows: list[dict[str, Any]] = []

    def at(self, moment: Moment, subject: Subject) -> Inspection | None:
        """The inspection, its fault left out where that stops nothing (mode warn, or the end of the trial); None where
        there is nothing to do at this moment."""
        done = any(row["moment"] == moment for row in self.rows)
        if self._inspector is None or self._mode == "off" or done:
            return None
        inspection = self._inspector(subject, moment)
        self.rows += inspection.rows
        stops = moment == "first" and self._mode == "strict"
        return inspection if stops else inspection._replace(fault=None)
