"""Who takes the steps that units ask for: each unit's own trainer, or a stack of them."""

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from harness.trial.clock import Clock
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.stack import Stack
from harness.trial.step.trainer import StepLog, Trainer
from harness.trial.summary import EpochSummary

if TYPE_CHECKING:
    from harness.trial.unit_run import UnitRun


class StepRequest(NamedTuple):
    """A step that a unit's trainer is to take: `progress` in epochs, `probe` as in `Trainer.step`."""

    batch: EpisodeBatch
    progress: float
    probe: bool


class StepTaken(NamedTuple):
    """What a step measured, and its seconds on the clock and of the processor: of a stack, an equal share."""

    log: StepLog
    wall: float
    cpu: float


Take = Callable[[], StepTaken]
"""Takes the step that was asked for, or tells that it was taken; raises what the step has raised."""
Epoch = Generator[StepRequest, Take, EpochSummary]
"""An epoch of a unit: asks for its steps one by one, returns its summary."""


def take_alone(epoch: Epoch, trainer: Trainer) -> EpochSummary:
    """Run a unit's epoch with the steps of its trainer."""
    try:
        asked = next(epoch)
        while True:
            asked = epoch.send(partial(_step, trainer, asked))
    except StopIteration as end:
        summary: EpochSummary = end.value
        return summary


def _step(trainer: Trainer, asked: StepRequest) -> StepTaken:
    began = Clock.now()
    log = trainer.step(asked.batch, progress=asked.progress, probe=asked.probe)
    return StepTaken(log, began.wall, began.cpu)


class StackedUnits:
    """Units of one trial whose epochs run in lockstep. The stack is made anew when other units take part than before: one
    that has ended leaves it."""

    def __init__(self) -> None:
        self._stack: Stack | None = None
        self._of: list[UnitRun] = []

    def advance(self, units: Sequence["UnitRun"]) -> Iterator[tuple["UnitRun", EpochSummary | Exception]]:
        """Advance all of them by one epoch; each with its summary, or with the error that it met."""
        epochs = {unit: unit.epoch_steps() for unit in units}
        ended: dict[UnitRun, EpochSummary | Exception] = {}

        def answered(unit: "UnitRun", take: Take | None) -> StepRequest | None:
            try:
                return next(epochs[unit]) if take is None else epochs[unit].send(take)
            except StopIteration as end:
                ended[unit] = end.value
            except Exception as error:  # noqa: BLE001  # told to who advances them, of each unit by itself
                ended[unit] = error
            return None

        asked = {unit: answered(unit, None) for unit in units}
        while running := {unit: one for unit, one in asked.items() if one is not None}:
            takes = self._taken(list(running), list(running.values()))
            asked = {unit: answered(unit, take) for unit, take in zip(running, takes, strict=True)}
        yield from ended.items()

    def _taken(self, units: list["UnitRun"], asked: list[StepRequest]) -> list[Take]:
        """One step of the stack of these units, which ask for the same one on batches of their own."""
        began, first = Clock.now(), asked[0]
        logs: Sequence[StepLog | Exception]
        try:
            if self._stack is None or self._of != units:
                if self._stack is not None:
                    self._stack.leave()
                self._stack, self._of = Stack([unit.trainer for unit in units]), units
            logs = self._stack.step([one.batch for one in asked], progress=first.progress, probe=first.probe)
        except Exception as error:  # noqa: BLE001  # whatever ends the stack ends each of its units
            logs = [error] * len(units)
        share = 1.0 / len(units)
        return [partial(_told, log, began.wall * share, began.cpu * share) for log in logs]


def _told(log: StepLog | Exception, wall: float, cpu: float) -> StepTaken:
    if isinstance(log, Exception):
        raise log
    return StepTaken(log, wall, cpu)
