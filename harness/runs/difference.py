"""`diff`: two configurations of a run, or two runs: keys, results and code."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.balance import common_to_seeds
from analysis.chosen import chosen
from analysis.criteria import CRITERIA
from analysis.errors import UserError
from analysis.intervals import t_interval
from analysis.language import AsIs
from analysis.measured_on import MeasuredLines
from analysis.output import counted
from analysis.reported import reported_units, resolved_configurations
from analysis.stamps import STAMPS, WORDS, modules_of
from analysis.terminal import unread_view
from harness.runs.choice import titled
from harness.runs.summary import RunSummary

MODULES = 12
"""Modules that are named of those in which two codes differ."""


def configurations_view(run: RunSummary, one: str, other: str) -> Iterator[RenderableType]:
    """Keys, results and stamps of two configurations of one run."""
    a, b = chosen(run.run, one), chosen(run.run, other)
    if a == b:
        raise UserError(f"'{one}' and '{other}' are one configuration, {a}; give two")
    names = (titled(run.run, a), titled(run.run, b))
    yield Text(f"{names[1]} against {names[0]} in run {run.run.name}", style="bold")
    contents = resolved_configurations(run.run)
    yield Text("\nKeys", style="bold")
    yield _keys(contents[a], contents[b], names)
    yield Text("\nResults on val_unseen", style="bold")
    units = reported_units(run.run)
    if unlike := MeasuredLines(run.run).unlike(a, b):
        yield Text(f"no difference is taken: {unlike}", style="yellow")
    else:
        yield from _results(units[units["config"] == a], units[units["config"] == b], names, _fold_names(run))
    yield from _code(run, run, run.units[run.units["config"] == a], run.units[run.units["config"] == b])
    yield from unread_view(run.run)


def runs_view(one: RunSummary, other: RunSummary) -> Iterator[RenderableType]:
    """Plan, results and stamps of two runs; results of the configurations that both have."""
    names = (one.run.name, other.run.name)
    if one.run.path.resolve() == other.run.path.resolve():
        raise UserError(
            f"{one.run.path} and {other.run.path} are one run; give two, or two configurations of it"
        )
    if names[0] == names[1]:
        names = (str(one.run.path), str(other.run.path))
    yield Text(f"run {names[1]} against run {names[0]}", style="bold")
    yield Text("\nPlan", style="bold")
    yield _keys(_plan(one), _plan(other), names, Text)
    configs = [set(run.units["config"]) for run in (one, other)]
    both = configs[0] & configs[1]
    yield Text(
        f"{counted(len(both), 'configuration')} in both, {len(configs[0] - both)} in {names[0]} alone, "
        f"{len(configs[1] - both)} in {names[1]} alone"
    )
    if both:
        yield Text("\nResults on val_unseen, of the configurations in both", style="bold")
        tables = [reported_units(run.run) for run in (one, other)]
        first_lines, second_lines = (MeasuredLines(run.run) for run in (one, other))
        apart = {config for config in both if first_lines.differs(second_lines, config)}
        if apart:
            many = counted(len(apart), "configuration")
            yield Text(f"{many} left out: measured on different cell lines in the two", style="yellow")
            both -= apart
        first, second = (table[table["config"].isin(both)] for table in tables)
        yield from _results(first, second, names, _fold_names(one, other), also=["config"])
    yield from _code(one, other, one.units, other.units)
    for run in (one, other):
        yield from unread_view(run.run)


def _plan(run: RunSummary) -> dict[str, Any]:
    """What of a plan decides whether two runs can be compared."""
    folds = run.run.fold_labels()
    return {
        "data": run.plan.get("data") or ", ".join(sorted(set(run.units["data"].dropna()))),
        "design": run.design,
        "objective": run.best[2],
        "folds": "; ".join(folds[fold] for fold in run.plan.get("folds", ()) if fold in folds),
        "seeds": run.plan.get("seeds") or sorted({int(seed) for seed in run.units["seed"]}),
        "configurations": run.configurations,
        "units ended": "?" if run.run.lost else run.ended,
    }


def _keys(
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    names: tuple[str, str],
    said: Callable[[str], Text] = AsIs,
) -> RenderableType:
    """The keys in which two mappings differ, side by side, with what each has there; all as `said` shows it."""
    missing = object()
    paths = [*one, *(path for path in other if path not in one)]
    differing = [path for path in paths if one.get(path, missing) != other.get(path, missing)]
    if not differing:
        return Text("none differs")
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name in (Text("key"), *map(AsIs, names)):
        table.add_column(name, overflow="fold")
    for path in differing:
        table.add_row(
            said(path), *(said(_value(each[path]) if path in each else "-") for each in (one, other))
        )
    return table


def _results(
    one: pd.DataFrame,
    other: pd.DataFrame,
    names: tuple[str, str],
    folds: Mapping[str, str],
    also: Sequence[str] = (),
) -> Iterator[RenderableType]:
    """Means of each over the units that both have a value of, and their difference paired by fold and seed.

    `folds`: identity -> name; `also`: what two units have in common beside fold and seed.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("metric")
    for heading in (*map(AsIs, names), Text("difference"), Text("95 % interval")):
        table.add_column(heading, justify="right", overflow="fold")
    notes: dict[str, list[str]] = {}
    for by in CRITERIA.values():
        pairs = _paired(one, other, [*also, "fold"], by.key)
        if pairs.empty:
            continue
        values = pairs.assign(difference=pairs["b"] - pairs["a"])
        seeds = values.groupby("seed")[["a", "b", "difference"]].mean()
        interval = t_interval(seeds["difference"])
        span = "" if math.isnan(interval.low) else f"{interval.low:+.4f} to {interval.high:+.4f}"
        a, b = seeds["a"].mean(), seeds["b"].mean()
        table.add_row(by.label, f"{a:.4f}", f"{b:.4f}", f"{interval.mean:+.4f}", span)
        notes.setdefault(
            _basis(pairs, (one[by.key].count(), other[by.key].count()), names, folds), []
        ).append(by.label)
    if not notes:
        yield Text(f"no unit of {names[0]} and {names[1]} has ended on the same fold with the same seed")
        return
    yield table
    for note, labels in notes.items():
        yield Text(note if len(notes) == 1 else f"{', '.join(labels)}: {note}", style="dim")


def _paired(one: pd.DataFrame, other: pd.DataFrame, over: list[str], key: str) -> pd.DataFrame:
    """Pairs of units that both have a value: `a`, `b` and their statuses, over combinations of `over` of all seeds."""
    columns = [*over, "seed"]
    first, second = (
        part[[*columns, "status", key]]
        .dropna(subset=[key])
        .rename(columns={key: name, "status": f"status_{name}"})
        for part, name in ((one, "a"), (other, "b"))
    )
    pairs = first.merge(second, on=columns)
    return pairs if pairs.empty else pairs[common_to_seeds(pairs, over)]


def _basis(
    pairs: pd.DataFrame, valued: tuple[int, int], names: tuple[str, str], folds: Mapping[str, str]
) -> str:
    """What the numbers of a metric are of: pairs, folds and seeds, units without a partner, and units ended early."""
    on = sorted(folds.get(fold, fold) for fold in pairs["fold"].unique())
    where = f"{'fold' if len(on) == 1 else 'folds'} {', '.join(on)}"
    text = f"{counted(len(pairs), 'pair')} of units of one fold and seed, {where}; "
    text += f"t over {counted(pairs['seed'].nunique(), 'seed')}"
    alone = [(number - len(pairs), name) for number, name in zip(valued, names, strict=True)]
    if any(number for number, _ in alone):
        said = " and ".join(f"{counted(number, 'unit')} of {name}" for number, name in alone if number)
        text += f"; {said} left out, without a partner"
    early = [
        (int((pairs[f"status_{key}"] != "done").sum()), name) for key, name in zip("ab", names, strict=True)
    ]
    if any(number for number, _ in early):
        said = " and ".join(f"{counted(number, 'unit')} of {name}" for number, name in early if number)
        text += f"; censored: {said} ended early, with the best that was reached by then"
    return text


def _fold_names(*runs: RunSummary) -> dict[str, str]:
    """Identity of a fold -> its name, of every unit that says it."""
    rows = pd.concat([run.units[["fold", "fold_json"]] for run in runs]).dropna().drop_duplicates()
    return {
        fold: json.loads(text)["name"] for fold, text in zip(rows["fold"], rows["fold_json"], strict=True)
    }


def _code(
    one: RunSummary, other: RunSummary, first: pd.DataFrame, second: pd.DataFrame
) -> Iterator[RenderableType]:
    """Stamps that differ; of the code, which modules."""
    yield Text("\nCode and other stamps", style="bold")
    differing = [name for name in STAMPS if set(first[name].dropna()) != set(second[name].dropna())]
    if not differing:
        yield Text("equal: " + ", ".join(WORDS[name] for name in STAMPS))
        return
    for name in differing:
        texts = (", ".join(map(str, sorted(set(part[name].dropna())))) or "none" for part in (first, second))
        yield Text(f"{WORDS[name]}: {' against '.join(texts)}")
    for old in sorted(set(first["code"].dropna())) if "code" in differing else ():
        for new in sorted(set(second["code"].dropna()) - {old}):
            before, after = modules_of(one.run.path, old), modules_of(other.run.path, new)
            if not before or not after:
                yield Padding(Text(f"{old} or {new}: the run does not list its modules"), (0, 0, 0, 2))
                continue
            names = sorted(
                name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
            )
            more = f" and {len(names) - MODULES} more" if len(names) > MODULES else ""
            said = f"{counted(len(names), 'module')}: {', '.join(names[:MODULES])}{more}"
            yield Padding(Text(f"{new} differs from {old} in {said}"), (0, 0, 0, 2))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
