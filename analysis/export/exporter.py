"""Feeds one tracker with what a run has and the tracker has not: the whole run, or units as they end."""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.completeness import asked_of_each, planned_units
from analysis.export.configuration_run import UnitSummary, tracked_configuration
from analysis.export.state import ExportSource, State
from analysis.export.stored_unit import StoredUnit, fingerprint, logged_unit, stored_rows, stored_units
from analysis.export.tracked import TrackedRun
from analysis.export.trackers import tracker_class
from analysis.export.unit_run import tracked_unit
from analysis.folds import evaluated_share
from analysis.labels import Labels
from analysis.stamps import refuse_mixture
from analysis.store import Run
from analysis.unit_log import ENDED

AT_ONCE = 100
"""Tracked runs between two notes of what was written."""
FOLDER = "export"
"""RUN/export/<tracker> is where an export goes that is given no other folder."""
LESS = "less than there was"
"""In place of the fingerprint of what was written of rows that could not all be read: the next export writes it again."""


@dataclass
class Exported:
    """How many runs of units and configurations were written, how many of these in place of an earlier one and how many
    of less than the run had, how many were there already, and how many units are still running and wait."""

    units: int = 0
    configurations: int = 0
    replaced: int = 0
    incomplete: int = 0
    unchanged: int = 0
    running: int = 0
    edited: str = ""
    """Where somebody changed values that were written, in words."""


@dataclass
class _Units:
    """Units of one configuration so far."""

    label: str
    settings: tuple[Mapping[str, Any], Mapping[str, Any]]
    made_of: dict[str, str] = field(default_factory=dict)
    summaries: dict[str, UnitSummary] = field(default_factory=dict)


class Exporter:
    """The one writer of one tracker for one run; `whole` exports all that ended, `add` units that have just ended.

    A unit is written once, when it has ended, and again in place of that only if its row in the store or its label is
    another one, the tracker has it no longer, or not all of its rows could be read. A configuration's run is written
    again whenever one of its units is.

    Raises
    ------
    UserError
        for an unknown tracker (nearest name), a client that is not installed, or a folder that is in use.
    """

    def __init__(self, run: Path, tracker: str, out: Path | None = None) -> None:
        kind = tracker_class(tracker)
        kind.require()
        store = Run.open(run)
        self.path, self.out = store.path, (out or store.path / FOLDER / tracker).absolute()
        self.exported = Exported()
        self._asked = asked_of_each(store)
        self._share = evaluated_share(store)
        # Without a plan any configuration may go on: nobody said with how many units.
        self._enough = len(self._asked) if store.plan().get("seeds") else math.inf
        self._state = State(self.out, tracker, ExportSource.of(store), writes=kind.files, shared=kind.shared)
        try:
            self._tracker = kind(self.out, store.name)
        except BaseException:
            self._state.close()
            raise
        self._labels, self._named = Labels(), set[str]()
        self._open: dict[str, _Units] = {}
        self._written: dict[str, tuple[str, str]] = {}

    def whole(self) -> Run:
        """Export everything that ended and is not there yet; the run that was read, for its `problems`."""
        run = Run.open(self.path)
        refuse_mixture(run)
        self._asked = asked_of_each(run)
        rows = stored_rows(run)
        ended: dict[str, dict[str, str]] = {}
        for row in rows.values():
            self._name(row)
        for name, row in rows.items():
            if row["status"] == "running":
                self.exported.running += 1
            else:
                ended.setdefault(row["config"], {})[name] = self._fingerprint(row)
        changed = {
            config
            for config, units in ended.items()
            if not self._has(config, self._joined(units))
            or not all(self._has(name, made_of) for name, made_of in units.items())
        }
        # A driver goes on with configurations of which units are still to come.
        wanted = changed | {
            config
            for config, units in ended.items()
            if sum(rows[name]["status"] in ENDED for name in units) < self._enough
        }
        self.exported.edited = self._tracker.edited(self._state.ids)
        self.exported.unchanged += sum(
            len(units) + 1 for config, units in ended.items() if config not in wanted
        )
        if wanted:
            self._export(wanted, ended, stored_units(run, rows))
        self._note()
        return run

    def _export(
        self,
        wanted: Collection[str],
        ended: Mapping[str, Mapping[str, str]],
        read: Callable[[str], StoredUnit],
    ) -> None:
        for config in (config for config in ended if config in wanted):
            self._open.pop(config, None)
            for name in ended[config]:
                self._take(read(name))
            self._complete(config)

    def add(self, units: Iterable[str]) -> None:
        """Export units that have just ended, by their names, and the means of their configurations.

        Raises UserError where a unit cannot be read from its log; the next `whole` finds it.
        """
        run = Run(self.path)
        configs: dict[str, None] = {}
        for name in units:
            unit = logged_unit(run, name)
            self._name(unit.row)
            self._take(unit)
            configs[unit.row["config"]] = None
        for config in configs:
            self._complete(config)
        self._note()

    def abandon(self) -> None:
        """Note nothing of what is not noted yet, since it could not be written: a later export writes it."""
        self._written = {}

    def close(self) -> None:
        """End the work with the tracker; what was written stays noted."""
        self._note()
        self._state.close()

    def _name(self, row: Mapping[str, Any]) -> None:
        """Take a configuration's changes for its label; a unit whose worker died at once does not say them."""
        if row["changes_json"]:
            self._labels.add(row["config"], json.loads(row["changes_json"]))
            self._named.add(row["config"])

    def _label(self, config: str) -> str:
        """What a configuration is called beside those that are known so far."""
        return self._labels.name(config) if config in self._named else config

    def _fingerprint(self, row: Mapping[str, Any]) -> str:
        return fingerprint({**row, "label": self._label(row["config"])})

    def _take(self, unit: StoredUnit) -> None:
        config = unit.row["config"]
        label = self._label(config)
        tracked = tracked_unit(unit, label)
        kept = self._open.setdefault(config, _Units(label, ({}, {})))
        kept.label, kept.settings = (
            label,
            (tracked.params, tracked.changed) if tracked.params else kept.settings,
        )
        kept.made_of[unit.name] = self._fingerprint(unit.row) if unit.whole else LESS
        kept.summaries[unit.name] = UnitSummary.of(tracked)
        if self._write(tracked, kept.made_of[unit.name]):
            self.exported.units += 1

    def _complete(self, config: str) -> None:
        kept = self._open[config]
        summaries = [kept.summaries[name] for name in sorted(kept.summaries)]
        planned = len(planned_units(self._asked, ((unit.fold, unit.seed) for unit in summaries)))
        tracked = tracked_configuration(config, kept.label, kept.settings, summaries, planned, self._share)
        if self._write(tracked, self._joined(kept.made_of)):
            self.exported.configurations += 1
        if sum(unit.status in ENDED for unit in summaries) >= self._enough:
            del self._open[config]

    def _write(self, run: TrackedRun, made_of: str) -> bool:
        if self._has(run.key, made_of):
            self.exported.unchanged += 1
            return False
        before = self._state.ids.get(run.key)
        self.exported.replaced += before is not None
        self.exported.incomplete += made_of == LESS
        self._written[run.key] = (made_of, self._tracker.write(run, before))
        if len(self._written) >= AT_ONCE:
            self._note()
        return True

    def _note(self) -> None:
        """Have on disk what was written, and then say so."""
        if self._written:
            self._tracker.flush()
            self._state.add(self._written)
            self._written = {}

    def _has(self, key: str, made_of: str) -> bool:
        """Whether the tracker has a run of this very content."""
        return (
            made_of != LESS and self._state.has(key, made_of) and self._tracker.has(key, self._state.ids[key])
        )

    def _joined(self, made_of: Mapping[str, str]) -> str:
        """Fingerprint of a configuration: of all of its units together, and of what it is asked for."""
        if LESS in made_of.values():
            return LESS
        text = json.dumps([sorted(self._asked), sorted(made_of.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:16]
