"""`show`: what one run is: plan, folds, seeds, stamps, statuses, sizes, tags and note."""

import json
import math
from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.arms import arm_labels, arms
from analysis.language import AsIs
from analysis.output import counted
from analysis.reported import configuration_changes
from analysis.schema import TABLES
from analysis.stamps import STAMPS, WORDS, earlier_runs
from analysis.terminal import unread_view
from harness.runs.summary import RunSummary, bytes_of, size_text

OTHERS = ("logs", "checkpoints", "studies", "export", "earlier")
"""Folders of a run beside its tables."""
WRITTEN = ("tags", "note", "asks", "seeds", "objective", "arm", "rank it")
"""Facts that a person, or the program for programs, wrote."""


def description(run: RunSummary) -> Iterator[RenderableType]:
    """Facts of a run, then its sizes."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(run):
        facts.add_row(name, AsIs(text) if name in WRITTEN else Text(text))
    yield Text(f"Run {run.run.name}", style="bold")
    yield facts
    yield Text("")
    yield _sizes(run)
    yield from unread_view(run.run)


def _facts(run: RunSummary) -> Iterator[tuple[str, str]]:
    plan, units = run.plan, run.units
    yield "status", run.status
    if run.notes.tags:
        yield "tags", ", ".join(run.notes.tags)
    if run.notes.note:
        yield "note", run.notes.note
    if run.asks():
        yield "asks", run.asks()
    counts = units["state"].value_counts()
    said = ", ".join(f"{number} {state}" for state, number in counts.items()) or "none has begun"
    said = "their rows cannot be read" if units.empty and run.run.lost else said
    yield (
        "design",
        f"{'unknown' if run.plan_problem else run.design}, {counted(run.configurations, 'configuration')}",
    )
    yield "units", f"{'unknown how many' if run.plan_problem else run.planned} planned: {said}"
    for config, arm in arms(run.run).items():
        yield "arm", f"{config}  {arm.name}"
    for fold in run.run.fold_labels().values():
        yield "fold", fold
    if not plan and len(units):
        yield "fold", ", ".join(sorted({json.loads(text)["name"] for text in units["fold_json"].dropna()}))
    seeds = plan.get("seeds") or sorted(set(units["seed"].tolist()))
    yield "seeds", ", ".join(map(str, seeds))
    config, value, objective = run.best
    yield "objective", objective
    if not math.isnan(value):
        label = arm_labels(run.run, configuration_changes(run.run), [config])[config]
        yield "best", f"{value:.4f}, {config}: {label}"
    if units["started"].notna().any():  # results that somebody else reported have no time
        yield "began", f"{units['started'].min():%Y-%m-%d %H:%M} UTC"
        yield (
            "last",
            f"{run.last:%Y-%m-%d %H:%M} UTC, {run.age} ago; {units['wall_s'].sum():.0f} s of training in all",
        )
    yield from _stamps(run)
    for folder, number, cause in earlier_runs(run.run):
        yield "earlier", f"{counted(number, 'unit')} of {cause or 'another stamp'}: {folder}"
    if not math.isnan(value):
        yield "rank it", f"python -m analysis {run.run.path}"


def _stamps(run: RunSummary) -> Iterator[tuple[str, str]]:
    """Every stamp once; where units differ in one, all its values with how many units have each."""
    for name in STAMPS:
        if name == "objective":
            continue
        values = run.units[name].dropna().value_counts()
        texts = [_short(str(value)) for value in values.index]
        if len(texts) == 1:
            yield WORDS[name], texts[0]
        elif texts:
            counts = zip(texts, values, strict=True)
            yield (
                WORDS[name],
                "; ".join(f"{text} ({counted(int(number), 'unit')})" for text, number in counts),
            )


def _short(text: str) -> str:
    """A stamp for a person: JSON without its punctuation, a long hash by its first digits."""
    if text.startswith(("{", "[")):
        content = json.loads(text)
        named = content.items() if isinstance(content, dict) else ()
        items = [str(value) if key == "kind" else f"{key} {value}" for key, value in named] or content
        return ", ".join(map(str, items)) or "none"
    return text[:16] if len(text) > 40 and " " not in text else text


def _sizes(run: RunSummary) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name in ("table", "files", "size"):
        table.add_column(name, justify="left" if name == "table" else "right")
    for name in (*TABLES, *OTHERS):
        folder = run.run.path / name
        files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".")]
        if files:
            table.add_row(AsIs(name), str(len(files)), size_text(bytes_of(folder)))
    table.add_row("all", "", size_text(run.size), style="bold")
    return table
