"""`combine`: units of several runs with equal data and folds in one run that analysis ranks."""

import contextlib
import fcntl
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import UserError
from analysis.fidelity.view import cached_configs
from analysis.files import TableFiles, unit_names
from analysis.identity import FILE as IDENTITY
from analysis.imports.view import DOCUMENT as IMPORTED
from analysis.paths import driven, in_doubt
from analysis.preregistration import CARRIED
from analysis.preregistration import FILE as ASKED
from analysis.schema import KEYS, LOCK, OF_FOLDS, PART, PROVENANCE, TABLES
from analysis.stamps import REUSABLE, STAMPS, WORDS, agree, modules_of
from analysis.store import Run, is_run
from analysis.unit_log import ENDED, log_file
from harness.runs.summary import RunSummary
from harness.store.compaction import write_part
from harness.store.exporting import ORDER
from harness.store.storage import check_shareable, locking, writing
from harness.store.writer import RunWriter

RESULTS = ["status", "epochs", "selected_epoch", "objective_value"]
"""Columns of `units` that two runs of one unit of one stamp must have alike."""
DESIGN = "combined"
"""Design of a combined run, which no sweep has: it is ranked, and not gone on with."""
SOURCES = "combined.json"


@dataclass(frozen=True)
class Combination:
    """What was put together: units per run, how many were in several runs (taken from the first) and in what they differ
    there, unfinished ones that were left out, and configurations that lack seeds of the others."""

    units: Mapping[str, int]
    repeated: int
    conflict: str
    unfinished: int
    lacking: int


def combine(paths: Sequence[Path], out: Path, *, reuse_older_code: bool) -> Combination:
    """Write the run `out` from the ended units of the runs at `paths`, whole or not at all; the runs stay as they are.

    Rows, logs and baselines are copied, checkpoints are not. Of a unit that several runs have the first one counts.

    Raises
    ------
    UserError
        for fewer than two runs, an `out` that is there, a run that is running or has no plan, other data or folds, and
        units of other stamps, unless they differ in code or package versions alone and `reuse_older_code` asks for them.
    """
    if out.exists():
        raise UserError(f"--out {out} is there already; give the name of a new folder")
    inside = next((folder for folder in out.absolute().parents if is_run(folder)), None)
    if inside is not None:
        raise UserError(f"--out {out} is inside the run {inside}; give a folder beside it")
    runs = [RunSummary(Run.open(path)) for path in paths]
    if len({run.run.path.resolve() for run in runs}) < 2:
        raise UserError("combine: expected two runs or more, each of them once")
    _check(runs)
    stamps = _stamps(runs, reuse_older_code)
    taken, repeated, unfinished = _shared_out(runs)
    conflict = _conflict(runs)
    check_shareable(out)
    with writing(out), _draft(out) as draft:
        for number, (run, units) in enumerate(zip(runs, taken, strict=True), 1):
            _copy(run.run, sorted(units), draft, number)
        lacking = _document(runs, taken, draft, out.name, stamps)
    counts = {str(path): len(units) for path, units in zip(paths, taken, strict=True)}
    return Combination(counts, repeated, conflict, unfinished, lacking)


@contextlib.contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A hidden folder beside `out`, renamed to it at the end. Those of combinations that were killed are removed first:
    one that is at work holds the lock in its own."""
    for stale in out.parent.glob(f".{out.name}.{'[0-9a-f]' * 32}"):
        if not driven(stale) and not in_doubt(stale):
            shutil.rmtree(stale, ignore_errors=True)
    draft = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    draft.mkdir(parents=True)
    try:
        with (draft / LOCK).open("w") as lock:
            with locking(out):
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield draft
            (draft / LOCK).unlink()
            draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check(runs: Sequence[RunSummary]) -> None:
    """Refuse runs whose units mean nothing beside each other's."""
    first = runs[0]
    for run in runs:
        path = run.run.path
        if driven(path):
            raise UserError(f"{path}: a sweep is running in it; combine it when it has ended")
        if run.plan_problem:
            raise UserError(f"{path}: {run.plan_problem}; its data and folds cannot be compared")
        if not run.plan:
            raise UserError(
                f"{path} has no plan.json, as a sweep's run has; its data and folds cannot be compared"
            )
        if run.run.document(IMPORTED):
            raise UserError(
                f"{path} holds imported results, which have no data or folds; combine takes sweeps"
            )
        for what, words in (("data", "other data"), ("objective", "another objective")):
            if run.plan[what] != first.plan[what]:
                raise UserError(
                    f"{path} has {words} than {first.run.path} ({run.plan[what]}, {first.plan[what]})"
                )
        if set(run.plan["folds"]) != set(first.plan["folds"]):
            named = (
                ", ".join(sorted(each.run.fold_labels()[f] for f in each.plan["folds"]))
                for each in (run, first)
            )
            raise UserError(f"{path} has other folds than {first.run.path}: {' against '.join(named)}")
        trained = ["on cached features" if cached_configs(each.run) else "in full" for each in (run, first)]
        if trained[0] != trained[1]:
            raise UserError(
                f"{path} was trained {trained[0]}, and {first.run.path} {trained[1]}: such results are not mixed "
                "in one ranking"
            )


def _stamps(runs: Sequence[RunSummary], reuse_older_code: bool) -> list[str]:
    """Stamps of all units that ended; more than one only where a person asked for it."""
    stamps: dict[str, tuple[RunSummary, dict[str, Any]]] = {}
    for run in runs:
        ended = run.units[run.units["status"].isin(ENDED)]
        for row in ended.drop_duplicates("stamp").to_dict("records"):
            stamps.setdefault(str(row["stamp"]), (run, {name: row[name] for name in STAMPS}))
    (first, values), *others = stamps.values() or [(runs[0], {})]
    for run, other in others:
        differing = [name for name in STAMPS if other[name] != values[name]]
        modules = [modules_of(r.run.path, v["code"]) for r, v in ((first, values), (run, other))]
        if differing == ["code"] and agree(*modules):
            continue
        allowed = reuse_older_code and set(differing) <= set(REUSABLE)
        if not allowed:
            words = " and ".join(WORDS[name] for name in differing)
            hint = "; --reuse-older-code takes them together" if set(differing) <= set(REUSABLE) else ""
            raise UserError(
                f"{run.run.path} has units that differ from those of {first.run.path} in {words}{hint}"
            )
    return list(stamps)


def _shared_out(runs: Sequence[RunSummary]) -> tuple[list[set[str]], int, int]:
    """Names of the units that each run gives, how many are in several runs, and how many are unfinished everywhere."""
    taken: list[set[str]] = []
    known: set[str] = set()
    repeated: set[str] = set()
    every: set[str] = set()
    for run in runs:
        names = run.units["config"] + "-" + run.units["fold"] + "-" + run.units["seed"].astype(str)
        ended = set(names[run.units["status"].isin(ENDED)])
        repeated |= ended & known
        taken.append(ended - known)
        known |= ended
        every |= set(names)
    if not known:
        raise UserError("combine: no unit of these runs has ended")
    return taken, len(repeated), len(every - known)


def _conflict(runs: Sequence[RunSummary]) -> str:
    """How the results of units that several runs have differ from those of the first; empty where none does."""
    rows = pd.concat([run.units[run.units["status"].isin(ENDED)] for run in runs], ignore_index=True)
    first = rows.groupby(KEYS)[RESULTS].transform("first")
    differs = (rows[RESULTS] != first) & ~(rows[RESULTS].isna() & first.isna())
    units = len(rows.loc[differs.any(axis=1), KEYS].drop_duplicates())
    if not units:
        return ""
    columns = ", ".join(name for name in RESULTS if differs[name].any())
    largest = (rows["objective_value"] - first["objective_value"]).abs().max()
    by = f"; the objective by up to {largest:.4g}" if largest > 0 else ""
    return f"{units} of them with other results there ({columns}{by})"


def _copy(run: Run, units: list[str], out: Path, number: int) -> None:
    """The units' rows as one part per table, their logs, and the run's tables of folds and lists of modules."""
    wanted = pa.array(units, pa.string())
    for name in ORDER if units else ():
        table = TableFiles(run.path / name, run.problems, run.lost).read(TABLES[name])
        rows = table.filter(pc.is_in(unit_names(table), value_set=wanted))
        (out / name).mkdir(parents=True, exist_ok=True)
        write_part(out / name / f"{PART}{number:07d}.parquet", units, _by_unit(rows, units))
    if run.lost:
        raise UserError(
            f"{run.path}: {run.lost[0]}; its sweep mends what can be mended when it is started again"
        )
    files = [log_file(run.path, unit) for unit in units]
    files += [
        file for folder in (*OF_FOLDS, "code", "use") for file in sorted((run.path / folder).glob("[!.]*"))
    ]
    for file in files:
        target = out / file.relative_to(run.path)
        if file.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _carry(run: Path, target: Path, number: int) -> None:
    """What was preregistered of a run, and what its starts wrote down of that, each run's in a folder of its name."""
    before = sorted((run / CARRIED).glob("*"))
    for source in before or ([run] if (run / ASKED).is_file() else []):
        for name in (ASKED, PROVENANCE):
            if (source / name).is_file():
                copied = target / f"{number}-{source.name}" / name
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source / name, copied)


def _by_unit(rows: pa.Table, units: list[str]) -> Iterator[pa.Table]:
    names = unit_names(rows)
    for unit in units:
        yield rows.filter(pc.equal(names, unit))


def _document(
    runs: Sequence[RunSummary], taken: Sequence[set[str]], out: Path, name: str, stamps: list[str]
) -> int:
    """plan.json, provenance.json and what it was made of; how many configurations lack units that others have."""
    present = {unit.rsplit("-", 2)[0] for units in taken for unit in units}
    configs = {entry["id"]: entry for run in runs for entry in run.plan["configs"] if entry["id"] in present}
    seeds = sorted({seed for run in runs for seed in run.plan["seeds"]})
    plan = {
        **runs[0].plan,
        "name": name,
        "design": DESIGN,
        "status": "finished",
        "trials": len(configs),
        "other_folds": {},
        "other_seeds": [],
        "other_configs": [],
        "reused": stamps[1:],
        "seeds": seeds,
        "configs": list(configs.values()),
    }
    writer = RunWriter(out)
    writer.write_json("plan.json", plan)
    writer.write_json(IDENTITY, {"id": uuid.uuid4().hex})
    writer.write_json(SOURCES, {"runs": [str(run.run.path.absolute()) for run in runs]})
    entries = [entry for run in runs if (entry := run.run.document(PROVENANCE))]
    if entries:
        writer.write_json(PROVENANCE, {**entries[0], "earlier": entries[1:]})
    for number, run in enumerate(runs, 1):
        _carry(run.run.path, out / CARRIED, number)
    counts: dict[str, int] = {}
    for unit in (unit for units in taken for unit in units):
        config = unit.rsplit("-", 2)[0]
        counts[config] = counts.get(config, 0) + 1
    return sum(count < len(plan["folds"]) * len(seeds) for count in counts.values())
