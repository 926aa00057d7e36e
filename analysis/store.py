"""Reading a run: tables as data frames, tolerant of a run that is still being written."""

import contextlib
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.confirmation.seal import refuse_unopened
from analysis.errors import UserError
from analysis.files import TableFiles, with_codes
from analysis.nearest_path import nearest_path
from analysis.output import printable
from analysis.paths import driven, in_doubt, tried, user_path
from analysis.schema import ADDED, LOCK, TABLES, TRIAL_LOCK
from analysis.schema import KEYS as KEYS
from analysis.schema_version import refuse_older

_MARKERS = ("logs", "units", "trials", "plan.json", "provenance.json")


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run; UserError for a folder that this user may not look into."""
    try:
        return path.is_dir() and any((path / marker).exists() for marker in _MARKERS)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from None


def runs_in(folder: Path) -> list[str]:
    """Names of the runs right below a folder, sorted, without those that this user may not look into."""
    names = []
    for path in sorted(folder.iterdir()) if os.access(folder, os.R_OK | os.X_OK) else ():
        with contextlib.suppress(UserError):
            names += [path.name] if is_run(path) else []
    return names


@dataclass
class Run:
    """One run folder. Tables are read once per instance, so that all numbers of a report are of one moment.

    `problems` collects a sentence for every file that could not be read; nothing is left out silently. `lost` has those
    of them whose rows nothing else holds, so that numbers are made of less than the run had.
    """

    path: Path
    problems: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        refuse_older(self.path)

    @classmethod
    def open(cls, path: Path | str) -> "Run":
        """The run at `path`.

        Raises
        ------
        UserError
            when there is nothing at the path, or something that is not a run (nearest runs are named), and for a
            confirmation that is not complete: `Run(path)` without this check is for the driver that makes it.
        """
        path = user_path(path)
        known = is_run(path)
        if not path.exists():
            raise UserError(f"{path}: no such run{nearest_path(path, is_run)}")
        if not known:
            inside = runs_in(path) if path.is_dir() else []
            hint = (
                f"; it contains the runs {', '.join(str(path / name) for name in inside[:8])}"
                if inside
                else ""
            )
            raise UserError(f"{path} is not a run: a run is a folder with units/ and plan.json in it{hint}")
        refuse_unopened(path)
        return cls(path)

    @classmethod
    def find(cls, path: Path | str) -> "Run":
        """The run at `path`, as `open`; a relative one may also be below any folder that holds the working folder, and
        beside the package `analysis`, so that a notebook finds it wherever it was started. Prints which one it is
        where it is not the one that the working folder has: one further up may be another of the same name."""
        wanted, here = user_path(path), Path.cwd()
        for folder in (here, *here.parents, Path(__file__).resolve().parents[1]):
            run_folder = folder / wanted
            if is_run(run_folder):
                if run_folder != here / wanted:
                    print(
                        f"{printable(str(wanted))}: not in {printable(str(here))}; read from {printable(str(run_folder))}"
                    )
                return cls.open(run_folder)
        return cls.open(wanted)

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @cached_property
    def abandoned(self) -> bool:
        """Whether neither a driver nor a trial alone is at work although one was: what calls itself running is then
        interrupted. False where none ever was, as in a run of results that were imported, and where it cannot be known,
        which is said in the run's problems."""
        began = any((self.path / lock).exists() for lock in (LOCK, TRIAL_LOCK))
        if not began or driven(self.path) or tried(self.path):
            return False
        doubt = in_doubt(self.path)
        self.problems += [doubt] if doubt and doubt not in self.problems else []
        return not doubt

    def without_units(self) -> str:
        """What is to be said where the table `units` has no rows: that it is empty, or could not be read."""
        return "the table units is empty" + (f"; not read: {self.problems[0]}" if self.problems else "")

    def state(self, status: str) -> str:
        """A unit's status as it is at this moment: `running` is believed only while somebody is at work."""
        return "interrupted" if status == "running" and self.abandoned else status

    def table(self, name: str) -> pd.DataFrame:
        """All rows of one table with the columns of its schema; empty when nothing has been written yet. Rows of folds,
        seeds and configurations that the plan no longer asks for stay in the store and are left out: a mean over folds
        is over one set of them.

        Raises ValueError for a table that the schema does not have, UserError for a store of another version.
        """
        if name not in TABLES:
            raise ValueError(f"the store has no table '{name}'; it has {', '.join(TABLES)}")
        if name not in self._tables:
            self._tables[name] = self._asked_for(self._files(name).read(TABLES[name]).to_pandas())
        return self._tables[name]

    def columns(self, name: str, columns: list[str]) -> pd.DataFrame:
        """All rows of some columns of one table, of all folds that there are, read again at every call.

        Raises as `table`, and KeyError for a column that the schema does not have.
        """
        schema = pa.schema([TABLES[name].field(column) for column in columns])
        return self._files(name).read(schema).to_pandas()

    def rows_of(self, name: str, units: frozenset[str], columns: list[str]) -> pd.DataFrame:
        """Rows of some units (`<config>-<fold>-<seed>`) in some columns of one table, read again at every call: of a large
        run little more than these rows is read. Raises as `columns`."""
        schema = pa.schema([TABLES[name].field(column) for column in columns])
        return self._files(name).read(schema, units=units).to_pandas()

    def as_found(self) -> pd.DataFrame:
        """Rows of `cells` at the prevalence found, in the columns that rankings, rules and figures read.

        A third of the rows and two thirds of the columns of `table("cells")`: what makes large runs readable.
        """
        if "as_found" not in self._tables:
            schema = pa.schema([TABLES["cells"].field(column) for column in _READ_OF_CELLS])
            table = self._files("cells").read(schema, _is_as_found, lambda group: group[0] == "as_found")
            self._tables["as_found"] = self._asked_for(table.to_pandas())
        return self._tables["as_found"]

    def judged(self) -> pd.DataFrame:
        """The rows of `as_found` that decide: `val_unseen` after every epoch and of the reported weights, and `test`
        of the reported weights. `unit` is the position of their unit in `units`, -1 where it has no row there; names
        are categories.
        """
        if "judged" not in self._tables:
            schema = with_codes(pa.schema([TABLES["cells"].field(column) for column in _READ_OF_CELLS]))
            table = self._files("cells").read(schema, _is_judged, lambda group: group in _JUDGED)
            frame = self._asked_for(table.unify_dictionaries().to_pandas())
            frame["unit"] = units_of(frame, self.table("units"))
            self._tables["judged"] = frame
        return self._tables["judged"]

    def acted(self) -> pd.DataFrame:
        """What every part of a mechanism did over all epochs of a unit: of each column of `mechanisms` the largest value.

        A row in the place of one per epoch, which of thousands of units would be millions.
        """
        if "acted" not in self._tables:
            table = self._files("mechanisms").read(TABLES["mechanisms"], _over_epochs)
            self._tables["acted"] = self._asked_for(table.to_pandas())
        return self._tables["acted"]

    def _files(self, name: str) -> TableFiles:
        return TableFiles(self.path / name, self.problems, self.lost)

    def document(self, name: str) -> dict[str, Any]:
        """A JSON document of the run (plan.json, provenance.json), empty when it has not been written."""
        file = self.path / name
        if not file.exists():
            return {}
        try:
            loaded = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(loaded, dict):
                raise ValueError("it is no JSON object")
        except (ValueError, OSError) as error:
            problem = f"{name} cannot be read: {error}"
            self.problems += [] if problem in self.problems else [problem]
            return {}
        return loaded

    def plan(self) -> dict[str, Any]:
        """plan.json with the configurations that were added since it was written; empty where there is none."""
        plan = self.document("plan.json")
        added = self.path / ADDED
        if not (self.path / "plan.json").exists() and (self.path / "sweep.yaml").exists():
            problem = "plan.json is not there, although a sweep ran here"
            self.problems += [] if problem in self.problems or driven(self.path) else [problem]
        if plan and added.exists():
            # The last line of a driver that was killed may be half a one: its configuration never started.
            entries = []
            for number, line in enumerate(self._lines(added)[:-1], 1):
                try:
                    entry = json.loads(line)
                    entries.append((entry["id"], entry))
                except (ValueError, TypeError, KeyError) as error:
                    self.problems.append(f"{ADDED}, line {number} cannot be read: {error}")
            known = dict([*((entry["id"], entry) for entry in plan.get("configs", [])), *entries])
            plan["configs"] = list(known.values())
        if plan.get("other_configs"):
            other = self._unasked["config"]
            plan["configs"] = [entry for entry in plan.get("configs", []) if entry.get("id") not in other]
        return plan

    def _lines(self, file: Path) -> list[bytes]:
        try:
            return file.read_bytes().split(b"\n")
        except OSError as error:
            self.problems.append(f"{file.name} cannot be read: {error.strerror}")
            return []

    def folds(self) -> dict[str, Any]:
        """Identity -> content (`name`, `test`, `val`, `chromosomes`) of the folds that are asked for; empty where the plan
        does not say."""
        return self._planned_folds[0]

    def fold_labels(self) -> dict[str, str]:
        """Identity of a fold -> its name with its cell lines, of every fold that the plan knows the content of."""
        known = {**self._planned_folds[0], **self._planned_folds[1]}
        return {
            key: f"{fold['name']} (test {', '.join(fold['test'])}; validation {', '.join(fold['val'])}; held out "
            f"{', '.join(fold['chromosomes'])})"
            for key, fold in known.items()
        }

    @cached_property
    def _unasked(self) -> dict[str, frozenset[Any]]:
        """Column -> its values in units of the run that are no longer asked for."""
        plan = self.document("plan.json")
        others = {"config": plan.get("other_configs"), "seed": plan.get("other_seeds")}
        return {
            "fold": frozenset(self._planned_folds[1]),
            **{k: frozenset(v or ()) for k, v in others.items()},
        }

    @cached_property
    def _planned_folds(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Identity -> content of the folds that are asked for, and of those that no longer are."""
        plan = self.document("plan.json")
        return _mapping(plan.get("folds")), _mapping(plan.get("other_folds"))

    def _asked_for(self, frame: pd.DataFrame) -> pd.DataFrame:
        columns = [column for column, values in self._unasked.items() if values and column in frame]
        if not columns:
            return frame
        out = np.any([frame[column].isin(self._unasked[column]) for column in columns], axis=0)
        return frame[~out].reset_index(drop=True)

    def unasked(self) -> int:
        """Units that the store has and the plan no longer asks for."""
        keys = self.columns("units", KEYS)
        return len(keys) - len(self._asked_for(keys))


_READ_OF_CELLS = [
    *KEYS, "epoch", "selection", "split", "cell_line", "score", "prevalence_mode", "protocol", "n", "positives",
    "prevalence", "aupr", "auc", "f1", "precision", "recall", "f1_oracle", "threshold_oracle", "nll", "logit_sd",
    "probability_sd", "threshold_oracle_logit", "auc_design_effect", "saturated", "auc_null",
]  # fmt: skip
_JUDGED = {
    ("as_found", "val_unseen", "epoch"),
    ("as_found", "val_unseen", "best_on_validation"),
    ("as_found", "test", "best_on_validation"),
}


def _is_as_found(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["prevalence_mode"], "as_found"))


def _is_judged(table: pa.Table) -> pa.Table:
    test, last = pc.equal(table["split"], "test"), pc.equal(table["selection"], "best_on_validation")
    unseen = pc.equal(table["split"], "val_unseen")
    epoch = pc.or_(last, pc.equal(table["selection"], "epoch"))
    wanted = pc.or_(pc.and_(test, last), pc.and_(unseen, epoch))
    wanted = pc.and_(wanted, pc.equal(table["prevalence_mode"], "as_found"))
    return table if pc.all(wanted, skip_nulls=False).as_py() else table.filter(wanted)


def _over_epochs(mechanisms: pa.Table) -> pa.Table:
    """The largest value of each number over the epochs of a unit's part, in order of the parts."""
    of = [*KEYS, "id", "mechanism", "part", "keys"]
    numbers = [name for name in mechanisms.column_names if name not in of]
    grouped = mechanisms.group_by(of, use_threads=False).aggregate([(name, "max") for name in numbers])
    columns = [grouped[name if name in of else f"{name}_max"] for name in mechanisms.column_names]
    return pa.table(columns, schema=mechanisms.schema)


def units_of(frame: pd.DataFrame, unit_rows: pd.DataFrame) -> np.ndarray:
    """Position in `units` of every row's unit [rows], -1 where it has no row there."""
    known: dict[str, pd.Index] = {key: pd.Index(unit_rows[key].unique()) for key in KEYS}
    sizes = [len(known[key]) + 1 for key in KEYS]

    def codes(of: pd.DataFrame) -> np.ndarray:
        each = [_positions(of[key], known[key]) for key in KEYS]
        inside = np.all([code >= 0 for code in each], axis=0)
        return np.where(inside, (each[0] * sizes[1] + each[1]) * sizes[2] + each[2], -1)

    known_codes = codes(unit_rows)
    order = np.argsort(known_codes)
    at = np.searchsorted(known_codes[order], asked := codes(frame))
    at = np.minimum(at, max(len(order) - 1, 0))
    if not len(order):
        return np.full(len(frame), -1)
    return np.where((asked >= 0) & (known_codes[order][at] == asked), order[at], -1)


def _positions(column: pd.Series, known: pd.Index) -> np.ndarray:
    """Position of every value in `known` [n], -1 where it is not there."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        at = np.append(known.get_indexer(column.cat.categories), -1)
        positions: np.ndarray = at[column.cat.codes.to_numpy()]
        return positions
    return known.get_indexer(pd.Index(column))


def _mapping(value: Any) -> dict[str, Any]:
    """A mapping of a document; empty for what an older program wrote in its place."""
    return value if isinstance(value, dict) else {}
