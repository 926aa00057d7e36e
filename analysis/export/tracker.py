"""The one interface through which a tracker is written, and the refusal of one whose client is not installed."""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from analysis.errors import UserError
from analysis.export.tracked import TrackedRun


class Tracker(ABC):
    """Writes tracked runs below `out`; `project` is the name of the run folder that they come from.

    A class names its `key` (what --to takes), the `client` that it imports (a module, None for the standard library), and
    whether one `out` may hold the runs of several projects (`shared`).

    Raises
    ------
    UserError
        where the client is not installed: one sentence with the pip command.
    """

    key: ClassVar[str]
    client: ClassVar[str | None] = None
    shared: ClassVar[bool] = False
    files: ClassVar[tuple[str, ...]] = ()
    """Names of the files in `out` that it writes, where they may be somebody else's."""
    packages: ClassVar[str] = ""
    """What pip installs, where that is not the client's own name."""
    opened: ClassVar[str]
    """How a person looks at what was written, with {out} in place of the folder."""

    def __init__(self, out: Path, project: str) -> None:
        self.require()
        self.out, self.project = out, project

    @classmethod
    def require(cls) -> None:
        """Raise UserError where the client is not installed here."""
        if cls.client is not None and importlib.util.find_spec(cls.client) is None:
            raise UserError(
                f"{cls.key}: its client is not installed here; pip install {cls.packages or cls.client} "
                "(docs/trackers.md says which versions were tested)"
            )

    @abstractmethod
    def write(self, run: TrackedRun, before: str | None) -> str:
        """Write a tracked run whole, in place of the one that an earlier call of the same key returned as `before`
        (None: there was none that is known). Returns what the tracker knows it by."""

    @abstractmethod
    def has(self, key: str, known_by: str) -> bool:
        """Whether the run that `write` returned `known_by` for is still there: whole by its size or number of rows, which
        costs no look at its values."""

    def edited(self, written: Mapping[str, str]) -> str:
        """Which of the runs that were `written` (key -> what `write` returned) hold other values now, in words; nothing
        where none does, or where that cannot be seen."""
        return ""

    def flush(self) -> None:  # noqa: B027 - most write at once
        """Have all that was written on disk: it is noted as written after this."""
