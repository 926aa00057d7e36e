"""Units of other stamps: found, named in sentences, and put aside into runs of their own before anything else runs."""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from analysis.schema import OF_FOLDS, STUDIES
from analysis.stamps import EARLIER, WHY
from analysis.store import Run
from harness.design.plan import Plan, Unit
from harness.stamp.stamp import Stamp, reusable, stamp_id
from harness.store.moving import move_units
from harness.store.writer import replace_atomically
from harness.sweep.run.statuses import ENDED
from harness.sweep.run.verdict import Verdict

JOURNAL = f"{EARLIER}/.moving.json"
"""What is being moved: while it is there, a move is unfinished."""


class StampedRow(Protocol):
    """What sorting units out needs of a stored one: its `status` and the stamp columns of its row."""

    @property
    def status(self) -> str: ...
    @property
    def stamp(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Aside:
    """Units of one other stamp: `folder` (name below RUN/earlier), names of the `units`, how many `ended`, `why` in
    words, and whether --reuse-older-code would take those that ended."""

    folder: str
    units: tuple[Unit, ...]
    ended: int
    why: str
    reusable: bool

    def sentence(self, again: int) -> str:
        """What becomes of them; `again` of them are asked for."""
        left = len(self.units) - self.ended
        counts = [f"{n} {word}" for n, word in ((self.ended, "finished"), (left, "unfinished")) if n]
        units = "unit is" if len(self.units) == 1 else "units are"
        then = f", {'run anew' if again == len(self.units) else f'{again} of them run anew'}" if again else ""
        hint = (
            "; --reuse-older-code takes the finished ones as they are" if self.reusable and self.ended else ""
        )
        return f"{' and '.join(counts)} {units} of {self.why}: kept in {EARLIER}/{self.folder}{then}{hint}"


def sort_out(
    run: Path, stored: Mapping[Unit, StampedRow], stamp: Stamp, *, reuse: bool
) -> tuple[list[Aside], dict[str, int]]:
    """Which stored units are of other stamps than this start's, and how many units of which other stamps `reuse` takes
    as they are.

    `reuse` covers units that ended and differ in code or package versions alone: what is unfinished would be continued
    by other code, and results under another objective, scheduler or stop rule are not what is asked for.
    """
    groups: dict[str, dict[Unit, StampedRow]] = {}
    for unit, row in stored.items():
        groups.setdefault(stamp_id(row.stamp), {})[unit] = row
    aside: list[Aside] = []
    reused: dict[str, int] = {}
    for key, units in groups.items():
        differences = stamp.differences(next(iter(units.values())).stamp, run)
        if not differences:
            continue
        takes = reusable(differences)
        ended = {unit for unit, row in units.items() if row.status in ENDED}
        if reuse and takes:
            reused |= {key: len(ended)} if ended else {}
            units = {unit: row for unit, row in units.items() if unit not in ended}
            ended = set()
        if units:
            folder = _free(run, key, units)
            aside.append(Aside(folder, tuple(units), len(ended), "; ".join(differences.values()), takes))
    return aside, reused


def being_moved(run: Path) -> set[str]:
    """Names of the units that an interrupted start had begun to put aside."""
    return {unit for entry in _journal(run) if not entry.get("back") for unit in entry["units"]}


def put_aside(run: Path, aside: Iterable[Aside]) -> None:
    """Move the units into runs of their own. A kill at any instant loses nothing: `complete_moves` completes it."""
    entries = [
        {"folder": group.folder, "units": [unit.name for unit in group.units], "why": group.why}
        for group in aside
    ]
    _move_all(run, entries)


def move_back(run: Path, units: Mapping[str, Iterable[str]]) -> None:
    """Move units (folder below RUN/earlier -> names) into the run again, as safely as they were put aside."""
    _move_all(
        run, [{"folder": folder, "units": list(names), "back": True} for folder, names in units.items()]
    )


def _move_all(run: Path, entries: list[dict[str, Any]]) -> None:
    if entries:
        replace_atomically(run / JOURNAL, json.dumps([*_journal(run), *entries]).encode())
        complete_moves(run)


def complete_moves(run: Path) -> None:
    """Complete what the journal says; nothing where there is none. Held under the driver's lock."""
    entries = _journal(run)
    plan = Plan.load(run) if entries else None
    for entry in entries:
        target = run / EARLIER / entry["folder"]
        units = list(entry["units"])
        back = bool(entry.get("back"))
        if plan is not None and not back:
            _describe(run, plan, units, target, entry["why"])
        for config in {unit.rsplit("-", 2)[0] for unit in units}:
            Verdict.drop(run, config)
        if back:
            move_units(target, units, run)
            _describe_rest(target)
        else:
            move_units(run, units, target)
        # What a study was told by these units must not be known to the next one, which is made from plan and store.
        shutil.rmtree(run / STUDIES, ignore_errors=True)
    (run / JOURNAL).unlink(missing_ok=True)


def _describe(run: Path, plan: Plan, units: list[str], target: Path, why: str) -> None:
    """Make `target` a run: a plan of these units, the list of its code's modules, baselines and the reason."""
    wanted = set(units)
    moved = [unit for unit in plan.whole().units() if unit.name in wanted]
    before = Plan.load(target)
    configs = {unit.config_id: plan.configs[unit.config_id] for unit in moved}
    folds = {unit.fold: plan.known[unit.fold] for unit in moved}
    seeds = {unit.seed: None for unit in moved}
    if before is not None:
        configs, folds = {**before.configs, **configs}, {**before.known, **folds}
        seeds = {**dict.fromkeys(before.seeds), **seeds}
    replace(
        plan,
        trials=len(configs),
        configs=configs,
        # A mean over folds stays one over the folds that were asked for together.
        folds=tuple(fold for fold in folds if fold in plan.folds) or tuple(folds),
        known=folds,
        seeds=tuple(seeds),
        other_seeds=(),
        other_configs=(),
        status="finished" if plan.status == "finished" else "interrupted",
        reused=(),
    ).save(target)
    replace_atomically(target / WHY, (json.dumps({"why": why}, indent=1) + "\n").encode())
    for file in (run / "code").glob("*.json"):
        _copy(file, target / "code" / file.name)
    for fold in folds:
        for table in OF_FOLDS:
            _copy(run / table / f"{fold}.parquet", target / table / f"{fold}.parquet")
    _copy(run / "sweep.yaml", target / "sweep.yaml")


def _describe_rest(folder: Path) -> None:
    """Reduce the plan of a folder that units were moved back from to those that are left; remove an empty one."""
    rows = Run(folder).columns("units", ["config", "seed"])
    plan = Plan.load(folder)
    if rows.empty:
        shutil.rmtree(folder, ignore_errors=True)
    elif plan is not None:
        kept = set(rows["config"])
        configs = {config: planned for config, planned in plan.configs.items() if config in kept}
        seeds = tuple(seed for seed in plan.seeds if seed in set(rows["seed"]))
        replace(plan, configs=configs, trials=len(configs), seeds=seeds).save(folder)


def _copy(file: Path, target: Path) -> None:
    if file.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}")
        shutil.copyfile(file, draft)
        draft.replace(target)


def _free(run: Path, key: str, units: Iterable[Unit]) -> str:
    """A folder for units of a stamp: none that holds one of them already, from before the stamp came back."""
    names = [unit.name for unit in units]
    number, folder = 1, key
    while any(any((run / EARLIER / folder).glob(f"*/{name}.*")) for name in names):
        number += 1
        folder = f"{key}-{number}"
    return folder


def _journal(run: Path) -> list[dict[str, Any]]:
    try:
        entries: list[dict[str, Any]] = json.loads((run / JOURNAL).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return entries
