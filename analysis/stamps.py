"""Stamps: what decided a unit's numbers beside its configuration, fold and seed. A mean is over units of one stamp.

A unit's stamp is the columns `STAMPS` of `units`. Two code hashes count as one code when RUN/code/<hash>.json shows
that every module that both know is the same in both: a module that was added later changed nothing of what ran before.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from analysis.store import KEYS, Run

STAMPS = ("data", "code", "versions", "objective", "selection", "scheduler", "stop")
REUSABLE = ("code", "versions")
"""Stamps in which finished units may differ where a person asked for it (--reuse-older-code)."""
WORDS = {
    "data": "data set",
    "code": "code",
    "versions": "package versions",
    "objective": "objective",
    "selection": "selection rule",
    "scheduler": "scheduler",
    "stop": "stop rules",
}
"""Name of each stamp in a sentence."""
EARLIER = "earlier"
"""Folder of a run that holds, each as a run of its own, units of other stamps than the run's."""
WHY = "earlier.json"
"""In a folder of `EARLIER`: why its units were put there."""


@dataclass(frozen=True)
class Mixture:
    """Units of several stamps in one store: `differing` stamps, and how many units each distinct stamp has, oldest
    first; `allowed` when a person asked for units of older code to be taken as they are."""

    differing: tuple[str, ...]
    counts: tuple[int, ...]
    allowed: bool

    def sentence(self) -> str:
        """`units of 2 codes stand together: 4 and 2 units`."""
        words = " and ".join(WORDS[name] for name in self.differing)
        counts = " and ".join(str(count) for count in self.counts)
        return f"units that differ in {words} stand together: {counts} units"


def modules_of(run: Path, code: str) -> dict[str, str]:
    """Module -> hash of its syntax tree, of the code with this hash; empty where the run does not know it."""
    file = run / "code" / f"{code}.json"
    try:
        modules: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))["modules"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return modules


def agree(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two codes are the same in every module that both know; of an unknown code nobody can say so."""
    common = one.keys() & other.keys()
    return bool(common) and all(one[name] == other[name] for name in common)


def mixture(run: Run) -> Mixture | None:
    """The stamps in which units of the run differ; None where all have one stamp."""
    unit_rows = run.table("units")
    stamps = unit_rows[list(STAMPS)].astype(object).where(unit_rows[list(STAMPS)].notna(), None)
    stamps["code"] = stamps["code"].map(_codes(run.path, [c for c in stamps["code"].unique() if c]))
    # A trial that never came to write its stamps has no numbers either.
    stamps = stamps[unit_rows["epochs"].fillna(0).to_numpy() > 0]
    differing = tuple(name for name in STAMPS if stamps[name].nunique(dropna=False) > 1)
    if not differing:
        return None
    counts = stamps.fillna("").value_counts(sort=False, dropna=False)
    allowed = bool(run.plan().get("reused")) and set(differing) <= set(REUSABLE)
    return Mixture(differing, tuple(sorted((int(n) for n in counts), reverse=True)), allowed)


def refuse_mixture(run: Run) -> None:
    """Means are over units of one stamp only.

    Raises
    ------
    UserError
        when units of the run differ in more than configuration, fold and seed, and nobody asked for that.
    """
    mixed = mixture(run)
    if mixed is not None and not mixed.allowed:
        remedy = (
            "start its sweep again, which puts the older ones aside"
            if run.plan()
            else "run each configuration anew in a folder of its own (python -m harness.single CONFIG --out FOLDER)"
        )
        raise UserError(f"{run.path}: {mixed.sentence()}, and their mean would mean nothing; {remedy}")


def earlier_runs(run: Run) -> list[tuple[Path, int, str]]:
    """(folder, units, why) of the units that were put aside because they have other stamps."""
    runs = []
    folders = sorted((run.path / EARLIER).iterdir()) if (run.path / EARLIER).is_dir() else []
    for folder in folders:
        if folder.is_dir() and not folder.name.startswith("."):
            aside = Run(folder)
            units = len(aside.columns("units", KEYS))
            said: Any = aside.document(WHY).get("why", "")
            runs.append((folder, units, str(said)))
            run.problems.extend(f"{EARLIER}/{folder.name}/{problem}" for problem in aside.problems)
    return [entry for entry in runs if entry[1]]


def _codes(run: Path, codes: list[str]) -> dict[str, str]:
    """Code -> the first code that it agrees with."""
    known: dict[str, dict[str, str]] = {}
    same: dict[str, str] = {}
    for code in codes:
        modules = modules_of(run, code)
        same[code] = next((other for other, its in known.items() if agree(modules, its)), code)
        known.setdefault(same[code], modules)
    return same
