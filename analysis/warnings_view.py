"""The warnings of a ranking as text: those that tell configurations apart, and in a line each what every one has."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas as pd
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from analysis.flags import by_rule, unseen_lines
from analysis.output import counted
from analysis.ranking import Ranking
from analysis.rules import why
from analysis.rules.ended import NOTHING
from analysis.schema import UNDATED

STYLE = {"fault": "bold red", "documented": "yellow", "hint": "cyan"}
"""Severity -> how it is printed."""


def common_rules(ranking: Ranking) -> set[str]:
    """Rules that every ranked configuration broke, which tell none of several from the others."""
    configs = len(ranking.configurations)
    broken = ranking.findings.groupby("rule")["config"].nunique()
    return set(broken.index[broken == configs]) if configs > 1 else set()


def letter(recorded: object) -> str:
    """The letter of a rule as its finding has it; a store that was written without one has ?."""
    return recorded if isinstance(recorded, str) and recorded else "?"


def warnings_view(ranking: Ranking) -> Iterator[RenderableType]:
    """Warnings grouped by rule, those of every configuration in a line each, then the rules that could not be evaluated."""
    grouped, rows = by_rule(ranking.findings), ranking.configurations
    yield Text("\nWarnings", style="bold")
    if grouped.empty:
        yield Text("no rule was broken in the ranked configurations")
    ranks = {str(row["config"]): f"#{row['rank']} {row['short']}" for row in rows.to_dict("records")}
    common, lines = common_rules(ranking), unseen_lines(ranking.run)
    told = grouped.to_dict("records")
    for row in told:
        if row["rule"] not in common:
            yield from _warning(row, ranking, ranks, lines)
    if common:
        ranked = "ranked " * (len(rows) < ranking.counts.configurations)
        yield Text(
            f"in all {counted(len(rows), f'{ranked}configuration')} (python -m analysis rules says what to try):",
            style="bold",
        )
    for row in told:
        if row["rule"] in common:
            yield Padding(_line(row, ranks), (0, 0, 0, 2))
    yield from _unevaluated(ranking)


def among(row: Mapping[Hashable, Any], ranking: Ranking) -> str:
    """`3 of 8 configurations, 8 of 24 units`: of those that are ranked, and of their units that have begun."""
    rows = ranking.configurations
    begun = ranking.counts.of(rows["config"]).begun
    if len(rows) == ranking.counts.configurations and begun == ranking.counts.planned:
        return f"{row['configs']} of {counted(len(rows), 'configuration')}, {row['units']} of {begun} units"
    return (
        f"{row['configs']} of {len(rows)} ranked configurations, {row['units']} of their {begun} begun units"
    )


def _warning(
    row: Mapping[Hashable, Any], ranking: Ranking, ranks: Mapping[str, str], lines: int
) -> Iterator[RenderableType]:
    """How many have it, the worst of it, the evidence and what to try."""
    head = Text()
    head.append(f"{letter(row['mark'])} {row['rule']}", style=STYLE.get(row["severity"], "bold"))
    head.append(f"  {row['severity']}, {row['source']}", style="dim")
    head.append(f"  in {among(row, ranking)}")
    if row["lines"]:
        head.append(f", {row['lines']} of {counted(lines, 'unseen cell line')}")
    if row["implied"]:
        head.append("; implied by data or sizes", style="dim")
    yield head
    where = _place(row, ranks)
    if pd.notna(row["epoch"]) and row["epoch"] != UNDATED:
        where.append(f"first at epoch {int(row['epoch'])}")
    yield Padding(Text(f"{_worst(row)} ({'; '.join(where)})"), (0, 0, 0, 2))
    if isinstance(row["evidence"], str) and row["evidence"]:
        yield Padding(Text(row["evidence"], style="dim"), (0, 0, 0, 2))
    yield Padding(Text(f"try: {row['advice']}"), (0, 0, 0, 2))


def _line(row: Mapping[Hashable, Any], ranks: Mapping[str, str]) -> Text:
    """`g generalisation_gap  worst 0.391, limit 0.2 (#6 b76c2b; C13)  documented limit`; `implied`: by data or sizes."""
    line = Text()
    line.append(f"{letter(row['mark'])} {row['rule']}", style=STYLE.get(row["severity"], "bold"))
    line.append(f"  {_worst(row)} ({'; '.join(_place(row, ranks))})")
    severity = "documented limit" if row["severity"] == "documented" else row["severity"]
    line.append(f"  {'implied' if row['implied'] else severity}", style="dim")
    return line


def _place(row: Mapping[Hashable, Any], ranks: Mapping[str, str]) -> list[str]:
    """Where the worst value is: rank and identity of its configuration, and its cell line, if it is of one."""
    line = row["cell_line"]
    return [ranks[row["config"]], *([line] if isinstance(line, str) else [])]


def _worst(row: Mapping[Hashable, Any]) -> str:
    return f"worst {row['value']:.3g}, limit {row['limit']:.3g}"


def _unevaluated(ranking: Ranking) -> Iterator[RenderableType]:
    idle = []
    units = "units" if ranking.counts.begun == ranking.counts.planned else "begun units"
    for (missing, count, of), part in ranking.unevaluated.groupby(["missing", "units", "of"], sort=False):
        text = f"{', '.join(part['rule'])} in {count} of {of} {units}: {why(str(missing))}"
        if str(missing).startswith(NOTHING):
            idle.append(text.replace(f": {NOTHING}: ", ": "))
        else:
            yield Text(f"not evaluated: {text}", style="magenta")
    if idle:
        yield Text(f"not evaluated, {NOTHING}: {'; '.join(idle)}", style="dim")
