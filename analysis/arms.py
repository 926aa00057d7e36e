"""The arms of a run's design, as plan.json names them: which configuration is the base, what each other one is about."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.fidelity.view import MARK, cached_configs
from analysis.labels import labels
from analysis.store import Run

BASE = "base"
"""The family of the arm that others are compared with."""


@dataclass(frozen=True)
class PlannedArm:
    """One configuration of a design: what a person calls it, the family of comparisons that it belongs to, the catalogue's
    keys that it is about and that go or come along, its levels of a factorial's factors, and what else is said of it."""

    name: str
    family: str
    mechanism: str = ""
    along: tuple[str, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)
    note: str = ""


def arms(run: Run) -> dict[str, PlannedArm]:
    """Configuration -> its arm, in the order of the plan, of those that have a name: none of a search, a grid, a run of
    before designs had arms."""
    return {
        str(entry["id"]): PlannedArm(
            entry["arm"],
            entry.get("family", ""),
            entry.get("mechanism", ""),
            tuple(entry.get("along", ())),
            entry.get("levels", {}),
            entry.get("note", ""),
        )
        for entry in run.plan().get("configs", [])
        if entry.get("arm")
    }


def base(run: Run) -> str | None:
    """The configuration that arms are compared with; None in a run without one."""
    return next((config for config, arm in arms(run).items() if arm.family == BASE), None)


def arm_labels(run: Run, changes: Mapping[str, Mapping[str, Any]], configs: Iterable[str]) -> dict[str, str]:
    """Configuration -> the name of its arm, or by the keys in which it differs from all others of the run (`changes`),
    whichever of them are looked at; those of a screen say that they are cached."""
    known, cached, told = arms(run), cached_configs(run), labels(changes)
    named = {config: known[config].name if config in known else told[config] for config in configs}
    return {config: f"{name} [{MARK}]" if config in cached else name for config, name in named.items()}
