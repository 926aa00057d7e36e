"""What every blow has: when it may come, how it strikes, and what a sweep owes after it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar

import psutil

from harness.chaos.snapshot import Unit
from harness.chaos.sweep_process import SweepProcess


@dataclass(frozen=True)
class Place:
    """Where a blow strikes: the `folder` of the YAML, the `run`, what lists the processes of a `second` node, and what
    starts another sweep, with the command that it is to be started by in front."""

    folder: Path
    run: Path
    second: Callable[[], list[psutil.Process]]
    start: Callable[[Path, Sequence[str], Mapping[str, str]], SweepProcess]


class Blow(ABC):
    """One kind of blow, made anew for each time that it strikes."""

    key: ClassVar[str]
    meaning: ClassVar[str]
    in_training: ClassVar[bool] = True
    """Whether its moment counts from the first unit's beginning rather than from the start of the process."""
    statuses: ClassVar[frozenset[int]]
    """Exit statuses with which the broken sweep may end; 0: it has to mend itself."""
    one_epoch: ClassVar[bool] = True
    """Whether at most one epoch of a unit may have to be trained again."""
    in_its_own_words: ClassVar[bool] = False
    """Whether Ray ends the process with words that nobody can catch."""
    nodes: ClassVar[int] = 1

    def __init__(self, random: Random, place: Place) -> None:
        self.random, self.place, self.run = random, place, place.run
        self.spoilt: frozenset[Unit] = frozenset()
        """Units whose results are to differ: those that it makes diverge."""
        self.beside: list[Path] = []
        """Run folders of other sweeps that ran at the same time, which are to be bit-equal as well."""
        self.wrong: list[str] = []
        """What is wrong beside the run itself, in sentences."""

    @classmethod
    def impossible(cls) -> str:
        """Why it cannot strike on this machine; empty where it can."""
        return ""

    @classmethod
    def ends_well(cls, status: int, printed: str) -> bool:
        """Whether the broken sweep may end with this status, having said this."""
        return status in cls.statuses

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Before the sweep is started."""

    @abstractmethod
    def strike(self, sweep: SweepProcess) -> str | None:
        """Break something; what was broken, in words, or None where there was nothing to break any more."""

    def clear(self) -> None:  # noqa: B027 - most leave nothing
        """After the broken sweep has ended: what a person does before going on."""

    def meanwhile(self, sweep: SweepProcess) -> None:  # noqa: B027 - most are over by then
        """While the sweep that goes on is running."""

    def end(self) -> None:  # noqa: B027 - most leave nothing
        """When all is compared."""
