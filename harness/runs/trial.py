"""`trial`: one configuration of a run: its changes, units, metrics, warnings and audit."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.arms import arms
from analysis.audit_view import counted_verdicts, verdicts_of
from analysis.chosen import chosen
from analysis.criteria import CRITERIA
from analysis.flags import by_rule, survey
from analysis.labels import labels
from analysis.language import AsIs
from analysis.output import counted
from analysis.reported import configuration_changes, reported_units
from analysis.store import KEYS
from analysis.terminal import unread_view
from harness.runs.choice import titled
from harness.runs.stacked import StackedTable
from harness.runs.summary import RunSummary

HEADINGS = ("fold", "seed", "status", "epochs", "AUPR", "pooled", "NLL", "test†", "wall")


def trial_view(run: RunSummary, text: str) -> Iterator[RenderableType]:
    """Everything that the store has of the configuration that `text` stands for."""
    config = chosen(run.run, text)
    changes = configuration_changes(run.run)
    yield Text(f"Configuration {titled(run.run, config)} of run {run.run.name}", style="bold")
    if config not in arms(run.run):
        yield Text(labels(changes)[config])
    yield Text("\nChanges of the base", style="bold")
    yield _pairs(changes[config]) if changes[config] else Text("none: it is the base")
    yield Text("\nUnits", style="bold")
    yield from _units(run, config)
    yield Text("\nWarnings", style="bold")
    yield from _warnings(run, config)
    yield Text("\nAudit", style="bold")
    yield from _audit(run, config)
    yield from unread_view(run.run)


def _pairs(changes: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    for path, value in changes.items():
        table.add_row(AsIs(path), AsIs(value if isinstance(value, str) else json.dumps(value)))
    return table


def _units(run: RunSummary, config: str) -> Iterator[RenderableType]:
    units = run.units[run.units["config"] == config]
    values = reported_units(run.run).merge(
        reported_units(run.run, "test")[[*KEYS, "aupr"]], on=KEYS, suffixes=("", "_test"), how="left"
    )
    rows = units.merge(values[[*KEYS, *CRITERIA, "aupr_test"]], on=KEYS, how="left").sort_values(
        ["fold", "seed"]
    )
    lines = []
    for row in rows.to_dict("records"):
        fold = json.loads(row["fold_json"])["name"] if isinstance(row["fold_json"], str) else row["fold"]
        numbers = [_number(row[key]) for key in (*CRITERIA, "aupr_test")]
        chosen_epoch = f" (best {row['selected_epoch']:.0f})" if pd.notna(row["selected_epoch"]) else ""
        wall = "" if pd.isna(row["wall_s"]) else f"{row['wall_s']:.0f} s"
        epochs = "" if pd.isna(row["epochs"]) else f"{row['epochs']:.0f}{chosen_epoch}"
        lines.append([*map(Text, (fold, str(row["seed"]), row["state"], epochs, *numbers, wall))])
    yield StackedTable(HEADINGS, lines, {"fold": 5, "status": 11}, said=("status", "epochs", "wall"))
    yield Text("of val_unseen, at the reported weights; † macro AUPR, reporting only", style="dim")
    ended_early = units[units["reason"].fillna("") != ""]
    for (state, reason), part in ended_early.groupby(["state", "reason"], sort=False):
        yield Padding(Text(f"{state} {counted(len(part), 'unit')}: {reason}", style="red"), (0, 0, 0, 2))


def _warnings(run: RunSummary, config: str) -> Iterator[RenderableType]:
    findings = survey(run.run).findings
    findings = findings[findings["config"] == config]
    units = int((run.units["config"] == config).sum())
    if findings.empty:
        yield Text("no rule was broken")
        return
    for row in by_rule(findings).to_dict("records"):
        line = Text(str(row["rule"]), style="bold")
        line.append(f"  {row['severity']} in {row['units']} of {counted(units, 'unit')}", style="not bold")
        line.append(f": worst {row['value']:.3g}, limit {row['limit']:.3g}", style="not bold")
        line.append("; implied by data or sizes" if row["implied"] else "", style="dim not bold")
        yield line
        yield Padding(Text(f"try: {row['advice']}"), (0, 0, 0, 2))


def _audit(run: RunSummary, config: str) -> Iterator[RenderableType]:
    audit = run.run.table("audit")
    rows = verdicts_of(audit[audit["config"] == config])
    if rows.empty:
        yield Text("it was not audited")
        return
    yield Text(counted_verdicts(rows))
    for row in rows[~rows["verdict"].isin(["active", "rank-invariant"])].to_dict("records"):
        name = row["mechanism"] if row["id"] == "-" else f"{row['id']} {row['mechanism']}"
        said = (
            Text(f"{row['verdict']} ")
            .append(name, style="bold")
            .append(f"  {row['reason']}", style="not bold")
        )
        yield Padding(said, (0, 0, 0, 2))


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
