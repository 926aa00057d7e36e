"""The stamp of a unit: what decides its numbers beside configuration, fold and seed."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from analysis.stamps import REUSABLE, STAMPS, WORDS
from analysis.store import Run
from harness.config.blocks.sweep import SweepBlock
from harness.stamp.code import Code

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas")
"""Packages that compute what a unit records: training, sampling, metrics. Ray, Optuna, pyarrow and pydantic schedule,
propose, store and check, and no number comes from them."""
SELECTION = "best_on_validation"
"""The rule by which a unit's reported weights are chosen."""
NAMED = 3
"""Changed modules that a sentence names before it counts the rest."""


@cache
def package_versions() -> str:
    """Python and `PACKAGES` with their versions, as JSON; a patch level of Python moves no number."""
    python = ".".join(platform.python_version_tuple()[:2])
    return json.dumps({"python": python, **{name: installed_version(name) for name in PACKAGES}})


def installed_version(name: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Stamp:
    """One text per column `STAMPS` of `units`; see there. Units of different stamps are never averaged, continued,
    selected or compared together."""

    data: str
    objective: str
    scheduler: str = '{"kind": "none"}'
    stop: str = "[]"
    selection: str = SELECTION
    versions: str = field(default_factory=package_versions)
    code: str = field(default_factory=lambda: Code.today().hash)

    @classmethod
    def of(cls, config: SweepBlock, *, data: str) -> "Stamp":
        """The stamp of the units that a sweep starts now on the data with content hash `data`."""
        return cls(
            data=data,
            objective=config.objective,
            scheduler=json.dumps(config.scheduler.identity(), sort_keys=True),
            stop=json.dumps(sorted(config.stop)),
        )

    @property
    def id(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of all of it."""
        return stamp_id({name: getattr(self, name) for name in STAMPS})

    def row(self) -> dict[str, str]:
        """Columns of `units`."""
        return {**{name: getattr(self, name) for name in STAMPS}, "stamp": self.id}

    def differences(self, row: Mapping[str, Any], run: Path) -> dict[str, str]:
        """Column of the stamp -> how a stored unit's differs from this one's, in a few words.

        Codes are compared over the modules that the unit's code had, so that a later module is no difference.
        """
        words = {}
        for name in STAMPS:
            mine, its = getattr(self, name), row.get(name)
            if mine == its:
                continue
            if not its:
                words[name] = f"unknown {WORDS[name]}"
            elif name == "code":
                changed = Code.today().changed(run, its)
                if changed is None:
                    words[name] = f"other code ({its}, of which no list of modules is left)"
                elif changed:
                    words[name] = f"other code ({_named(changed)} changed)"
            elif name == "versions":
                words[name] = f"other package versions ({_moved(its, mine)})"
            else:
                words[name] = f"{'other' if name == 'stop' else 'another'} {WORDS[name]} ({its})"
        return words


def refuse_other(stamp: Stamp | None, row: Mapping[str, Any], run: Path, unit: str) -> None:
    """Refuse to continue a unit under another stamp than it was begun with (None: this start has no stamp).

    Raises
    ------
    UserError
        when the unit's stored row has another stamp.
    """
    differences = stamp.differences(row, run) if stamp is not None else {}
    if differences:
        raise UserError(
            f"{run}: unit {unit} was begun with {'; '.join(differences.values())}, and its epochs cannot be continued "
            "with what there is now; give another --out"
        )


def refuse_beside(stamp: Stamp, run: Path) -> None:
    """Refuse to add units of `stamp` to a run with units of another stamp: no mean could be over both.

    Raises
    ------
    UserError
        when a unit of the run that has trained has another stamp.
    """
    rows = Run(run).columns("units", [*STAMPS, "epochs"]).astype(object)
    rows = rows[(rows["epochs"].fillna(0) > 0).to_numpy()]
    for key, group in rows.where(rows.notna(), None).groupby(list(STAMPS), dropna=False):
        its = {
            name: value if isinstance(value, str) else None for name, value in zip(STAMPS, key, strict=True)
        }
        differences = stamp.differences(its, run)
        if differences:
            units = "1 unit is" if len(group) == 1 else f"{len(group)} units are"
            raise UserError(
                f"{run}: {units} of {'; '.join(differences.values())}, and no mean can be over those and what would be "
                "added now; give another --out"
            )


def stamp_id(row: Mapping[str, Any]) -> str:
    """Identity of the stamp columns of a row."""
    text = json.dumps([row.get(name) or "" for name in STAMPS])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def reusable(differences: Mapping[str, str]) -> bool:
    """Whether --reuse-older-code covers what differs."""
    return set(differences) <= set(REUSABLE)


def _moved(old: str, new: str) -> str:
    """`numpy 2.0 instead of 2.1, torch ...`, of two JSON objects."""
    before, now = json.loads(old), json.loads(new)
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} {before.get(name)} and now {now.get(name)}" for name in names)


def _named(modules: list[str]) -> str:
    rest = len(modules) - NAMED
    return ", ".join(modules[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
