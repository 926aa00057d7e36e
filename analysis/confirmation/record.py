"""The record of a confirmation: what was chosen for it, and when its test split was opened, once."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from analysis.confirmation.seal import CHANGED, DIGEST, FILE, FOLDER, sealed, unbroken
from analysis.store import Run


@dataclass(frozen=True)
class Candidate:
    """A configuration that is confirmed: its identity in the selection (`config`) and in the confirmation
    (`confirmed_as`), `role` (winner or tie), label, and what the selection saw: value with its t-interval over seeds."""

    config: str
    confirmed_as: str
    role: str
    label: str
    value: float
    low: float | None
    high: float | None
    seeds: int


@dataclass(frozen=True)
class Opening:
    """When the test split was opened, by whom, with which command, and for which configurations."""

    date: str
    by: str
    command: str
    configurations: tuple[str, ...]
    units: int


@dataclass(frozen=True)
class ChoiceRecord:
    """What is confirmed: `candidates` by `criterion` (the best `baseline` and its value beside them), chosen on the folds
    `selected_on`, run again with `seeds` on `fold` (its label); `notes` on seeds and fold in sentences."""

    criterion: str
    chosen: str
    selected_on: tuple[str, ...]
    fold: str
    seeds: int
    candidates: tuple[Candidate, ...]
    baseline: str
    baseline_value: float | None
    notes: tuple[str, ...] = ()
    opened: Opening | None = None

    @property
    def configs(self) -> set[str]:
        """Identities of the candidates in the selection."""
        return {each.config for each in self.candidates}

    @property
    def winner(self) -> Candidate:
        return self.candidates[0]

    def content(self) -> dict[str, Any]:
        """As plain data, for the document, with its seal."""
        return sealed(json.loads(json.dumps(asdict(self))))

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "ChoiceRecord":
        """From its `content()`; TypeError, KeyError or ValueError for what is none."""
        candidates = tuple(Candidate(**each) for each in content["candidates"])
        if not candidates:
            raise ValueError("it has no candidates")
        opened = content["opened"]
        if opened is not None:
            opened = Opening(**{**opened, "configurations": tuple(opened["configurations"])})
        words = {name: tuple(content[name]) for name in ("selected_on", "notes")}
        rest = {name: value for name, value in content.items() if name != DIGEST}
        return cls(**{**rest, **words, "candidates": candidates, "opened": opened})


def confirmation_of(run: Run) -> Run | None:
    """The confirmation of a run, itself a run, also where its record is gone; None where there is none."""
    folder = run.path / FOLDER
    return Run(folder) if any((folder / name).exists() for name in (FILE, "units", "logs")) else None


def read_record(confirmation: Run) -> ChoiceRecord | None:
    """The record in the folder of a confirmation; None where it is gone, cannot be read, or was changed after the fact
    (said in the run's problems, and what it held is lost)."""
    content = confirmation.document(FILE)
    if content:
        try:
            record = ChoiceRecord.of(content)
            if unbroken(content):
                return record
            confirmation.problems.append(CHANGED)
        except (TypeError, KeyError, ValueError) as error:
            confirmation.problems.append(f"{FILE} cannot be read: {type(error).__name__}: {error}")
    elif not confirmation.problems:
        confirmation.problems.append(f"{FILE} is gone or empty")
    confirmation.lost.append(confirmation.problems[-1])
    return None
