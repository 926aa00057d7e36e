"""What a run is in a few numbers: status, plan, units, best value, size and age."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.balance import common_to_seeds
from analysis.counts import RunCounts, counts
from analysis.errors import UserError
from analysis.fidelity.record import unpromoted
from analysis.fidelity.view import design_of
from analysis.paths import driven, in_doubt, tried
from analysis.reported import REPORTED, statuses
from analysis.store import Run
from harness.runs.notes import Notes


@dataclass(frozen=True)
class RunSummary:
    """Numbers of one run, each read when it is asked for."""

    run: Run

    @cached_property
    def plan(self) -> dict[str, Any]:
        """plan.json, empty for a run of one configuration without a sweep."""
        return self.run.plan()

    @cached_property
    def units(self) -> pd.DataFrame:
        """The table `units`, with `state`: the status as it is at this moment."""
        return self.run.table("units").assign(state=statuses(self.run))

    @cached_property
    def counts(self) -> RunCounts:
        """Configurations and units by what became of them, as every other view counts them."""
        return counts(self.run)

    @cached_property
    def notes(self) -> Notes:
        """Tags and note; neither, and a problem of the run, where they cannot be read."""
        try:
            return Notes.of(self.run.path)
        except UserError as error:
            self.run.problems.append(str(error))
            return Notes()

    @property
    def status(self) -> str:
        """running, finished, interrupted, `single` without a plan, `damaged` where there ought to be one, or `unknown`
        where nobody can tell whether it is running."""
        if driven(self.run.path) or tried(self.run.path):
            return "running"
        if in_doubt(self.run.path) and self.plan.get("status") != "finished":
            return "unknown"
        if not self.plan:
            return "damaged" if self.plan_problem else "single"
        whole = self.plan.get("status") == "finished" and not unpromoted(self.run)
        return "finished" if whole else "interrupted"

    @property
    def plan_problem(self) -> str:
        """Why there is no plan where there ought to be one; empty otherwise."""
        said = [] if self.plan else [text for text in self.run.problems if text.startswith("plan.json ")]
        return said[0] if said else ""

    @property
    def design(self) -> str:
        """The design that was asked for, `-` without a plan."""
        return design_of(self.run) or "-"

    @property
    def configurations(self) -> int:
        """Configurations that are asked for or that the store has units of."""
        return self.counts.configurations

    @property
    def planned(self) -> int:
        """Units that are asked for, of a search that goes on those of configurations that it has yet to propose too;
        those of the store without a plan."""
        return self.counts.planned

    @property
    def ended(self) -> int:
        """Units that have a result."""
        return self.counts.finished + self.counts.states.get("diverged", 0)

    @property
    def counted(self) -> str:
        """`6/8` units have ended; `?` for a number that what could not be read decides."""
        ended, planned = str(self.ended), str(self.planned)
        return f"{'?' if self.run.lost else ended}/{'?' if self.plan_problem else planned}"

    @cached_property
    def best(self) -> tuple[str, float, str]:
        """(configuration, mean of its objective over seeds within fold, then over folds, objective) of the best among those
        with the most units; NaN where none has a value. The ranking (python -m analysis) is the judge."""
        valued = self.units[self.units["state"].isin(REPORTED) & self.units["objective_value"].notna()]
        if valued.empty:
            return "", math.nan, str(self.plan.get("objective", ""))
        objective = str(valued["objective"].iloc[-1])
        valued = valued[valued["objective"] == objective]
        counts = valued.groupby("config").size()
        valued = valued[common_to_seeds(valued, ["fold"], ["config"])]
        by_fold = valued.groupby(["config", "fold"])["objective_value"].mean()
        means = by_fold.groupby("config").mean()[counts == counts.max()].sort_values(kind="stable")
        lower = objective.endswith("/nll")
        config = str(means.index[0 if lower else -1])
        return config, float(means[config]), objective

    @property
    def size(self) -> int:
        """Bytes of the folder."""
        return bytes_of(self.run.path)

    @cached_property
    def last(self) -> datetime | None:
        """When a unit last ended or began."""
        moments = pd.concat([self.units["finished"], self.units["started"]]).dropna()
        return moments.max().to_pydatetime() if len(moments) else None

    @property
    def age(self) -> str:
        """`3 h` since then."""
        return "-" if self.last is None else elapsed((datetime.now(UTC) - self.last).total_seconds())

    def asks(self) -> str:
        """The question of its YAML: the comment that begins with `Asks:`; empty where there is none."""
        try:
            lines = (self.run.path / "sweep.yaml").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise UserError(f"{self.run.path / 'sweep.yaml'} cannot be read ({error})") from None
        said: list[str] = []
        for line in lines:
            text = line.removeprefix("# ")
            if text.startswith("Asks: "):
                said.append(text.removeprefix("Asks: "))
            elif said and line.startswith("# ") and not text.startswith("Launch:"):
                said.append(text)
            elif said:
                break
        return " ".join(said)


def bytes_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; what vanishes meanwhile, or may not be looked at, counts nothing."""
    total = 0
    for place in [path, *path.rglob("*")]:
        try:
            stat = place.lstat()
        except (FileNotFoundError, PermissionError):
            continue
        total += stat.st_size if not place.is_dir() else 0
    return total


def size_text(size: float) -> str:
    """`812 B`, `3.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def elapsed(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`, `2 d`."""
    for limit, length, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{max(0, int(seconds / length))} {unit}"
    return f"{int(seconds / 86400)} d"


def parsed(text: Any) -> Mapping[str, Any]:
    """A JSON object of a column; empty for none."""
    content: Mapping[str, Any] = json.loads(text) if isinstance(text, str) and text else {}
    return content
