"""Repair of a run's documents: damaged ones are put aside and made again from the rest of the run."""

import json
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from analysis.schema import ADDED, PROVENANCE
from analysis.store import Run
from harness.config.blocks.explain import validate_stored
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.sweep import Sweep
from harness.data.folds import Fold
from harness.design.plan import FILE, Plan, Planned
from harness.store.damaged import put_aside
from harness.store.mending import mend
from harness.store.writer import replace_atomically


def mend_run(run: Path, sweep: Sweep) -> list[str]:
    """Make whole what a start of `sweep` needs of the run in `run`; a sentence for everything that was damaged.

    Called with nobody else writing there; a folder that is none yet needs nothing.

    Raises
    ------
    UserError
        where the plan cannot be made again, since nothing says which data it was for, for a store of another version, or
        for what this user may not read.
    """
    if not run.is_dir():
        return []
    said = mend(run)
    if (run / PROVENANCE).exists() and _object(run / PROVENANCE) is None:
        said.append(_aside(run / PROVENANCE, "this start writes its own entry"))
    added = _added(run, said)
    lost = lost_plan(run)
    if lost is None:
        return said
    plan = _made_again(run, sweep, added, lost)
    then = f"made again from the {len(plan.configs)} configurations of the store"
    there = (run / FILE).exists()
    said.append(_aside(run / FILE, then) if there else f"{FILE} {lost}: {then}")
    plan.save(run)
    return said


def lost_plan(run: Path) -> str | None:
    """What is wrong with a plan that there ought to be, in words; None where there is one, or nothing to plan for."""
    if (run / FILE).exists():
        return None if _object(run / FILE) is not None else "cannot be read"
    units = len(Run(run).columns("units", ["config"])) if run.is_dir() else 0
    return f"is missing beside {units} stored unit{'s' if units > 1 else ''}" if units else None


def plan_of_run(run: Path, sweep: Sweep) -> Plan | None:
    """The plan of RUN, or the one that `mend_run` would make again; None where the folder has none. Nothing is written.

    Raises
    ------
    UserError
        as `mend_run`, and as `Plan.load`.
    """
    lost = lost_plan(run)
    return Plan.load(run) if lost is None else _made_again(run, sweep, _entries(run)[0], lost)


def _made_again(run: Path, sweep: Sweep, added: list[dict[str, Any]], lost: str) -> Plan:
    """The plan of what the store holds and of what was appended to the plan that is lost."""
    data = _data(run)
    if data is None:
        raise UserError(
            f"{run / FILE} {lost}, and neither units nor {PROVENANCE} say "
            "which data its results are of: give another --out"
        )
    configs = _configs(run, added)
    stored = Run(run).columns("units", ["fold", "seed", "fold_json"])
    rows = stored.dropna()
    contents = sorted(set(zip(rows["fold"], rows["fold_json"], strict=True)))
    known = {fold: Fold.stored(json.loads(text)) for fold, text in contents}
    return Plan(
        name=sweep.config.name,
        design=sweep.config.design.kind,
        objective=sweep.config.objective,
        data=data,
        trials=max(sweep.trials, len(configs)),
        folds=tuple(known),
        known=known,
        seeds=tuple(sorted({*map(int, stored["seed"]), *sweep.config.seeds})),
        configs=configs,
        status="interrupted",
    )


def _object(file: Path) -> dict[str, Any] | None:
    """A JSON object; None where the file holds none, or is a folder.

    Raises UserError for one that this user may not read, or that the disk does not give: it may be whole.
    """
    try:
        content = json.loads(_read(file))
    except (ValueError, IsADirectoryError):
        return None
    return content if isinstance(content, dict) else None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except IsADirectoryError:
        raise
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}); it is a document of the run") from None


def _data(run: Path) -> str | None:
    """Content hash of the data by the newest provenance, or by the units of the store."""
    known = set(Run(run).columns("units", ["data"])["data"].dropna())
    if len(known) == 1:
        return str(known.pop())
    content = _object(run / PROVENANCE) if (run / PROVENANCE).exists() else None
    return None if content is None else content.get("data", {}).get("hash")


def _entries(run: Path) -> tuple[list[dict[str, Any]], int]:
    """The configurations that were appended to the plan, without lines that are none, and how many lines there are."""
    file = run / ADDED
    lines = _read(file).split(b"\n")[:-1] if file.is_file() else []
    entries: list[dict[str, Any]] = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.keys() >= {"id", "changes", "config"}:
            entries.append(entry)
    return entries, len(lines)


def _added(run: Path, said: list[str]) -> list[dict[str, Any]]:
    """The configurations that were appended to the plan; where a line in between is none, the others are kept."""
    if (run / ADDED).is_dir():
        said.append(_aside(run / ADDED, "no configuration was appended to the plan in it"))
    entries, lines = _entries(run)
    if len(entries) < lines:
        kept = b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)
        said.append(_aside(run / ADDED, f"{len(entries)} of its {lines} configurations are kept"))
        replace_atomically(run / ADDED, kept)
    return entries


def _configs(run: Path, added: list[dict[str, Any]]) -> dict[str, Planned]:
    """Every configuration that the store has a row of, and those that were appended to the plan."""
    rows = Run(run).columns("units", ["config", "changes_json", "config_json"]).drop_duplicates("config")
    texts = rows.dropna().itertuples(index=False, name=None)
    entries = [(config, json.loads(changes), json.loads(content)) for config, changes, content in texts]
    entries += [(entry["id"], entry["changes"], entry["config"]) for entry in added]
    read = [
        (config, changes, validate_stored(ConfigurationBlock, content))
        for config, changes, content in entries
    ]
    return {config: Planned(changes, content) for config, changes, content in read if content.id == config}


def _aside(file: Path, then: str) -> str:
    aside = put_aside(file)
    return f"{file.name} cannot be read and was put aside as {aside.name}; {then}"
