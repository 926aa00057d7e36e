"""The record of a confirmation: what was chosen for it, and when its test split was opened, once."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from analysis.store import Run

FOLDER = "confirmation"
"""Folder of a run that holds the confirmation of its selection, a run by itself."""
FILE = "confirmation.json"
"""In that folder: the record."""


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
        """As plain data, for the document."""
        content: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return content

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
        return cls(**{**content, **words, "candidates": candidates, "opened": opened})


def confirmation_of(run: Run) -> Run | None:
    """The confirmation of a run, itself a run; None where there is none."""
    folder = run.path / FOLDER
    return Run(folder) if (folder / FILE).exists() else None


def read_record(confirmation: Run) -> ChoiceRecord | None:
    """The record in the folder of a confirmation; None where there is none, or none that can be read (said in the run's
    problems)."""
    content = confirmation.document(FILE)
    if not content:
        return None
    try:
        return ChoiceRecord.of(content)
    except (TypeError, KeyError, ValueError) as error:
        confirmation.problems.append(f"{FILE} cannot be read: {type(error).__name__}: {error}")
        return None


def refuse_unopened(run: Run) -> None:
    """Numbers on test of a confirmation that is under way are shown by nobody: they are opened once, when it is complete.

    Raises
    ------
    UserError
        for the folder of such a confirmation.
    """
    record = read_record(run) if (run.path / FILE).exists() else None
    if record is not None and record.opened is None:
        selection: Path = run.path.parent
        raise UserError(
            f"{run.path}: this confirmation is not complete, and its test split is opened once, when it is: start the "
            f"sweep again with --confirm --resume, then look at {selection}"
        )
