"""Who takes the steps that units ask for: each unit's own trainer, or a stack of them."""

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.trial.clock import Clock
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.stack import Stack
from harness.trial.step.trainer import StepLog, Trainer
from harness.trial.summary import EpochSummary

if TYPE_CHECKING:
    from harness.trial.unit_run import UnitRun


class Asked(NamedTuple):
    """A step that a unit's trainer is to take: `progress` in epochs, `probe` as in `Trainer.step`."""

    batch: EpisodeBatch
    progress: float
    probe: bool


class StepTaken(NamedTuple):
    """What a step measured, and its seconds on the clock and of the processor: of a stack, an equal share."""

    log: StepLog
    wall: float
    cpu: float


Epoch = Generator[Asked, StepTaken, EpochSummary]
"""An epoch of a unit: asks for its steps one by one, returns its summary."""


def take_alone(epoch: Epoch, trainer: Trainer) -> EpochSummary:
    """Run a unit's epoch with the steps of its trainer."""
    try:
        asked = next(epoch)
        while True:
            began = Clock.now()
            try:
                log = trainer.step(asked.batch, progress=asked.progress, probe=asked.probe)
            except Exception as error:  # noqa: BLE001  # what it means is the unit's to say
                asked = epoch.throw(error)
            else:
                asked = epoch.send(StepTaken(log, began.wall, began.cpu))
    except StopIteration as end:
        summary: EpochSummary = end.value
        return summary


class StackedUnits:
    """Units of one trial whose epochs run in lockstep. The stack is made anew when other units take part than before: one
    that has ended leaves it."""

    def __init__(self) -> None:
        self._stack: Stack | None = None
        self._of: list[UnitRun] = []

    def advance(self, units: Sequence["UnitRun"]) -> Iterator[tuple["UnitRun", EpochSummary | Exception]]:
        """Advance all of them by one epoch; each with its summary, or with the error that it met."""
        running: dict[UnitRun, tuple[Epoch, Asked]] = {}
        ended: dict[UnitRun, EpochSummary | Exception] = {}

        def answer(unit: "UnitRun", epoch: Epoch, reply: StepTaken | Exception | None) -> None:
            running.pop(unit, None)
            try:
                if reply is None:
                    asked = next(epoch)
                elif isinstance(reply, Exception):
                    asked = epoch.throw(reply)
                else:
                    asked = epoch.send(reply)
            except StopIteration as end:
                ended[unit] = end.value
            except Exception as error:  # noqa: BLE001  # told to who advances them, for each unit by itself
                ended[unit] = error
            else:
                running[unit] = (epoch, asked)

        for unit in units:
            answer(unit, unit.epoch_steps(), None)
        while running:
            turn = list(running.items())
            taken = self._taken([unit for unit, _ in turn], [asked for _, (_, asked) in turn])
            for (unit, (epoch, _)), reply in zip(turn, taken, strict=True):
                answer(unit, epoch, reply)
        yield from ended.items()

    def _taken(self, units: list["UnitRun"], asked: list[Asked]) -> list[StepTaken | Exception]:
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
        return [
            log if isinstance(log, Exception) else StepTaken(log, began.wall * share, began.cpu * share)
            for log in logs
        ]
