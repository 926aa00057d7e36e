"""What a run says of its fidelity (fidelity.json), and the record by which a screen is trusted or not (trust.json)."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from analysis.fidelity.agreement import Agreement
from analysis.store import Run

FILE, TRUST = "fidelity.json", "trust.json"
SCREEN = "screen"
"""Folder of a run with the screen that promoted its configurations, a run by itself."""
FEWEST = 24
"""Configurations that a record has to be of."""
LOWEST, SHARE = 0.5, 0.8
"""Lower bound of the rank correlation, and share of the full best that the promoted ones hold, from which a screen is
trusted."""


@dataclass(frozen=True)
class TrustRecord:
    """A screen against full training: `key` names space, data and code; `screened` against full training on the same seeds,
    `ceiling` full training against itself on other seeds; of the `best` by full training the promoted ones hold `held`."""

    key: str
    screened: Agreement
    ceiling: Agreement
    best: int
    held: float
    made: str

    @property
    def faults(self) -> list[str]:
        """Why the screen is not trusted, in words; empty where it is."""
        said = []
        if self.screened.count < FEWEST:
            said.append(f"{self.screened.count} configurations were compared, {FEWEST} are needed")
        if not self.screened.low >= LOWEST:  # NaN is no bound
            said.append(
                f"the lower bound of the rank correlation is {_number(self.screened.low)}, below {LOWEST}"
            )
        if not self.held >= SHARE:
            said.append(
                f"of the best {self.best} by full training it promotes {self.held:.0%}, less than {SHARE:.0%}"
            )
        return said

    def content(self) -> dict[str, Any]:
        """As plain data; NaN as null."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)), parse_constant=lambda _: None)
        return content

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "TrustRecord":
        """From its `content()`; TypeError, KeyError or ValueError for what is none."""
        both = {name: _agreement(content[name]) for name in ("screened", "ceiling")}
        best, held = int(content["best"]), float(content["held"])
        return cls(str(content["key"]), **both, best=best, held=held, made=str(content["made"]))


@dataclass(frozen=True)
class FidelityRecord:
    """What fidelity.json says: `fidelity` (cached, or promoted by a screen), the `key` of space, data and code of a screen,
    keys that it did not screen, loss terms of the base that trained the sequence side and rest behind it, how many
    configurations were promoted of how many, and of a screen how many it `promotes` once it has ended."""

    fidelity: str
    key: str
    not_screened: tuple[str, ...]
    resting: tuple[str, ...]
    promoted: int = 0
    of: int = 0
    promotes: int = 0

    def content(self) -> dict[str, Any]:
        """As plain data."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return content


def read_fidelity(run: Run) -> FidelityRecord | None:
    """Of a run; None for one that was trained in full, or says it unreadably (noted in its problems)."""
    if not (run.path / FILE).exists():
        return None
    content = run.document(FILE)
    try:
        names = {name: tuple(content[name]) for name in ("not_screened", "resting")}
        return FidelityRecord(**{**content, **names})
    except (TypeError, KeyError, ValueError) as error:
        _unreadable(run, FILE, error)
        return None


def unpromoted(run: Run) -> int:
    """How many configurations of a screen are still to be chosen and trained in full; 0 for any other run."""
    record = read_fidelity(run)
    begun = (run.path.parent / FILE).exists()
    return 0 if record is None or begun else record.promotes


def read_trust(run: Run) -> TrustRecord | None:
    """Of a run; None where there is none, or none that can be read (noted in its problems)."""
    if not (run.path / TRUST).exists():
        return None
    try:
        return TrustRecord.of(run.document(TRUST))
    except (TypeError, KeyError, ValueError) as error:
        _unreadable(run, TRUST, error)
        return None


def _unreadable(run: Run, name: str, error: Exception) -> None:
    said = f"{name} cannot be read: {type(error).__name__}: {error}"
    run.problems += [] if said in run.problems else [said]


def _agreement(content: Mapping[str, Any]) -> Agreement:
    numbers = {
        name: math.nan if content[name] is None else float(content[name]) for name in ("rho", "low", "high")
    }
    return Agreement(**numbers, count=int(content["count"]))


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.2f}"
