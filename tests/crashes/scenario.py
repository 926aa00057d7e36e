"""What is crashed: an act on a folder, whose every boundary is tried, and what has to hold afterwards."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

Told = Callable[[str], None]


class Scenario(ABC):
    """`prepare` makes the folder that every try begins with; `act` is crashed; `readable` must not fail at the instant of
    the crash, given what `act` had `told` by then; `again` goes on as a person would; `content` is to be equal to that
    of an act that nothing broke."""

    @abstractmethod
    def prepare(self, folder: Path) -> None: ...

    @abstractmethod
    def act(self, folder: Path, told: Told) -> None: ...

    @abstractmethod
    def readable(self, folder: Path, told: list[str]) -> None: ...

    def again(self, folder: Path) -> None:
        self.act(folder, lambda said: None)

    @abstractmethod
    def content(self, folder: Path) -> Any: ...
