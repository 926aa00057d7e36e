"""What the scheduler decided about a configuration, on disk, with the circumstances it was decided in."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.store.writer import replace_atomically


@dataclass(frozen=True)
class Verdict:
    """A configuration is to end early: the driver writes it, the workers of its trials carry it out.

    On disk, so that it survives a kill of either side; for the same reason it can be older than the start that finds
    it. It says under which `objective` and `scheduler` (the block as JSON) it was given, and on which `units` that
    were training then; it binds nothing else.
    """

    sentence: str
    objective: str
    scheduler: str
    units: tuple[str, ...]

    @staticmethod
    def file(run: Path, config: str) -> Path:
        return run / "checkpoints" / f"{config}.pruned"

    def write(self, run: Path, config: str) -> None:
        """Replace the verdict on `config`; whole or not at all."""
        replace_atomically(self.file(run, config), json.dumps(asdict(self)).encode())

    @classmethod
    def read(cls, run: Path, config: str) -> "Verdict | None":
        """The verdict on `config`; None when there is none, or one of an older program, which binds nobody."""
        try:
            content = json.loads(cls.file(run, config).read_text(encoding="utf-8"))
            return cls(**{**content, "units": tuple(content["units"])})
        except (FileNotFoundError, json.JSONDecodeError, TypeError, KeyError):
            return None

    @classmethod
    def drop(cls, run: Path, config: str) -> None:
        """The configuration ended, or starts again from nothing: what was decided about it is of no more use."""
        cls.file(run, config).unlink(missing_ok=True)

    def binds(self, units: Iterable[str], *, objective: str, scheduler: str) -> bool:
        """Whether it still applies: to no unit that had not begun, and under the same objective and scheduler."""
        return (self.objective, self.scheduler) == (objective, scheduler) and set(units) <= set(self.units)
