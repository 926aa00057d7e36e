"""The interface of a unit's inspector, which the loop takes as an argument, and what becomes of what it says."""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from harness.config.blocks.reads import Reads
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.folds import Fold
from harness.trial.episodes.sampler import EpisodeBatch, Sampler
from harness.trial.record import Record
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.step.diverged import Diverged, diverging
from harness.trial.step.trainer import StepLog, Trainer

Row = dict[str, Any]
Moment = Literal["first", "run", "last"]
"""Before the first step, at a batch or a scoring of the run, or after the last evaluation."""
NOT_A_NUMBER = re.compile(r"\b(nans?|infs?|infinit\w*|finite)\b", re.IGNORECASE)
"""How libraries name what is not finite in the message of an error."""


@dataclass(frozen=True)
class Subject:
    """What an inspector sees of a unit: its parts (`codes` [C], the training cell lines' indices in the dataset), which
    settings it has read so far, and what it promises: configuration, fold, the pairs that are trained on, and those that
    are scored by split. Nothing of it may be changed."""

    trainer: Trainer
    sampler: Sampler
    predictor: Predictor
    codes: np.ndarray
    reads: Reads
    config: ConfigurationBlock
    fold: Fold
    training: np.ndarray
    pairs: Mapping[str, np.ndarray]


class Inspection(NamedTuple):
    """Rows of table `audit` without the unit's key, and the sentence that stops a strict trial (None: nothing does)."""

    rows: list[Row]
    fault: str | None


class UnitInspector(Protocol):
    """Looks at one unit from its first step to its end, and changes nothing; any method may raise Diverged where numbers
    are not finite. What is at fault is said once, at the moment where it is seen first."""

    def first(self) -> Inspection:
        """Before the first step of all."""
        ...

    def before_step(self, batch: EpisodeBatch, epoch: int, progress: float) -> Inspection:
        """The trainer is about to take this batch of `epoch` (1-based)."""
        ...

    def after_step(self, log: StepLog) -> Inspection:
        """The trainer has taken it."""
        ...

    def passed(self, batch: EpisodeBatch, epoch: int) -> Inspection:
        """The step on this batch of phase 1 was another unit's (`harness.trial.prefix`)."""
        ...

    def shared(self, state: Row) -> Inspection:
        """So were all further steps of the epoch; that unit's inspector has seen them and left its `state`."""
        ...

    def scored(self, scores: Mapping[str, SplitScores], epoch: int, draws: int) -> Inspection:
        """Splits were scored with the trainer's present weights, which are those of `epoch`."""
        ...

    def ended(self, record: Record) -> Inspection:
        """After the last evaluation; `record` has the rows of the whole unit."""
        ...

    def state(self) -> Row:
        """What a resumed inspector needs to know, as JSON."""
        ...

    def resume(self, state: Row) -> None:
        """Continue from the `state` of an earlier one."""
        ...


Inspect = Callable[[Subject, bool], UnitInspector]
"""Makes the inspector of a unit before it resumes, so that it meets the parameters as they were initialised. The bool: this
unit judges the mechanisms on twins, for all seeds of its trial."""


class Inspections:
    """What an inspector says of one unit; nothing where `mode` is off. `rows`: of table `audit` so far; `fault`: the
    sentence that ends a strict unit, None while there is none."""

    def __init__(self, mode: Literal["strict", "warn", "off"]) -> None:
        self.mode = mode
        self.rows: list[Row] = []
        self.fault: str | None = None
        self._inspector: UnitInspector | None = None
        self._new: list[Row] = []
        self._subject: Subject | None = None

    def begin(self, inspect: Inspect | None, subject: Subject, *, twins: bool) -> None:
        """Have the inspector made, unless nothing is to be looked at."""
        if inspect is not None and self.mode != "off":
            self._subject = subject
            with subject.reads.paused():
                self._inspector = inspect(subject, twins)

    def first(self) -> None:
        if self._inspector is not None:
            with self._judging():
                self._note(self._inspector.first())

    def before_step(self, batch: EpisodeBatch, epoch: int, progress: float) -> None:
        if self._inspector is not None:
            with self._judging():
                self._note(self._inspector.before_step(batch, epoch, progress))

    def after_step(self, log: StepLog) -> None:
        if self._inspector is not None:
            with self._judging():
                self._note(self._inspector.after_step(log))

    def passed(self, batch: EpisodeBatch, epoch: int) -> None:
        if self._inspector is not None:
            with self._judging():
                self._note(self._inspector.passed(batch, epoch))

    def shared(self, state: Row | None) -> None:
        if self._inspector is not None and state is not None:
            with self._judging():
                self._note(self._inspector.shared(state))

    @property
    def looks(self) -> bool:
        """Whether there is an inspector."""
        return self._inspector is not None

    @property
    def complained(self) -> bool:
        """Whether anything was said of the run between its first step and its end."""
        return any(row["moment"] == "run" for row in self.rows)

    def scored(self, scores: Mapping[str, SplitScores], epoch: int, draws: int) -> None:
        if self._inspector is not None:
            with self._judging():
                self._note(self._inspector.scored(scores, epoch, draws))

    def ended(self, record: Record) -> None:
        if self._inspector is not None:
            with self._judging():
                self._note(self._inspector.ended(record))

    def taken(self) -> list[Row]:
        """The rows that no earlier call gave, for the next write."""
        rows, self._new = self._new, []
        return rows

    def state(self) -> Row:
        """Plain data beside `rows`, which are in the store."""
        return {"fault": self.fault, "of": self.seen() or {}}

    def seen(self) -> Row | None:
        """The state of the inspector alone; None where there is none."""
        return None if self._inspector is None else self._inspector.state()

    def resume(self, rows: list[Row], state: Row) -> None:
        """Continue from the rows and the `state` of an earlier instance (empty: its unit has ended)."""
        self.rows = rows
        if state:
            self.fault = state["fault"]
            if self._inspector is not None and state["of"]:
                self._inspector.resume(state["of"])

    def _note(self, inspection: Inspection) -> None:
        self.rows += inspection.rows
        self._new += inspection.rows
        if self.mode == "strict" and self.fault is None:
            self.fault = inspection.fault

    @contextlib.contextmanager
    def _judging(self) -> Iterator[None]:
        """Raise Diverged for what is not finite inside an audit, whatever library says so; what an audit reads of the
        configuration is no use of it."""
        assert self._subject is not None
        try:
            with diverging(self._subject.trainer.weights), self._subject.reads.paused():
                yield
        except (ValueError, RuntimeError) as error:
            if NOT_A_NUMBER.search(str(error)) is None:
                raise
            raise Diverged(f"in the audit: {error}") from error
