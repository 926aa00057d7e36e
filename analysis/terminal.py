"""Rankings and comparisons as text for a terminal of 100 columns."""

import math
from collections.abc import Iterator

import pandas as pd
from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from analysis.criteria import CRITERIA
from analysis.documented import CAVEAT, DOCUMENTED
from analysis.flags import by_rule
from analysis.ranking import Ranking
from analysis.rules import RULES

_TIES = {"best": " ", "equal": "=", "unknown": "~", "worse": " ", "better": "+"}
_STYLE = {"fault": "bold red", "documented": "yellow", "hint": "cyan"}


def ranking_view(ranking: Ranking, top: int | None = None) -> Iterator[RenderableType]:
    """Header, table, legend, warnings: everything that `python -m analysis RUN` prints, in order."""
    yield from _header(ranking)
    yield _table(ranking, top)
    yield from _legend(ranking, top)
    yield from warnings_view(ranking)
    for problem in ranking.run.problems:
        yield Text(f"not read: {problem}", style="bold red")


def _header(ranking: Ranking) -> Iterator[RenderableType]:
    rows, run = ranking.configurations, ranking.run
    seeds, folds = rows["seeds"].max(), rows["folds"].max()
    yield Text(f"\nRun {run.name}", style="bold")
    counted = _many(len(rows), "configuration") + f" x {_many(folds, 'fold')} x {_many(seeds, 'seed')}"
    counted += f" ({rows['units'].sum()} finished units)"
    if ranking.left_out:
        counted += "; not ranked: " + ", ".join(f"{n} {status}" for status, n in ranking.left_out.items())
    direction = "higher" if ranking.by.higher_is_better else "lower"
    covers = f"95 % Student t over {_many(seeds, 'seed')}: for these cell lines and loci"
    if seeds < 2:
        covers = "none: one seed says nothing about its own spread"
    elif rows["seeds"].min() < seeds:
        covers += f" (fewest seeds in a row: {rows['seeds'].min()})"
    answer = "new cell lines: " + (
        f"t over {folds} folds, below the table" if folds > 1 else "not answered by one fold"
    )
    yield _definitions(
        {
            "what": counted,
            "by": f"{ranking.by.label} on val_unseen, {direction} is better; it decides {ranking.by.decides}",
            "selection": "weights best_on_validation; configurations by val_unseen; test reports only",
            "interval": f"{covers}; {answer}; new loci: not covered",
        }
    )


def _definitions(pairs: dict[str, str]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, text in pairs.items():
        grid.add_row(name, text)
    return grid


def _table(ranking: Ranking, top: int | None) -> Table:
    by = ranking.by
    others = [c for c in CRITERIA.values() if c.key != by.key]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("#", no_wrap=True)
    table.add_column("configuration", ratio=1, min_width=20)
    short = {"aupr": "AUPR", "pooled_aupr": "pooled", "nll": "NLL"}
    for heading in (short[by.key], "95 % interval", "P>best", *(short[c.key] for c in others)):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("U only", "test†"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("flags", no_wrap=True)
    entries: list[tuple[float, list[RenderableType], str]] = []
    shown = ranking.configurations.head(top) if top else ranking.configurations
    for row in shown.to_dict("records"):
        invariant = row["rank_invariant"] and by.key == "aupr"
        alone = _number(row[f"u_{by.key}"]) + ("≡" if invariant else "")
        label = row["label"] + (f" [censored {row['censored']}/{row['units']}]" if row["censored"] else "")
        cells: list[RenderableType] = [
            f"{row['rank']}{_TIES[row['tie']]}",
            Text(label),
            _number(row["value"]),
            _span(row["low"], row["high"]),
            _number(row["p_better"], 2),
            *(_number(row[c.key]) for c in others),
            alone,
            _number(row["test_aupr"]),
            _flags(ranking, row["config"]),
        ]
        entries.append((row["value"], cells, "bold" if row["tie"] == "best" else ""))
    for row in ranking.baselines.to_dict("records"):
        cells = ["b", Text(f"baseline {row['baseline']}"), _number(row[by.key]), "", ""]
        cells += [*(_number(row[c.key]) for c in others), "", _number(row["test_aupr"]), ""]
        entries.append((row[by.key], cells, "dim italic"))
    entries.sort(key=lambda e: (math.isnan(e[0]), -e[0] if by.higher_is_better else e[0]))
    for _, cells, style in entries:
        table.add_row(*cells, style=style)
    return table


def _flags(ranking: Ranking, config: str) -> Text:
    own = ranking.findings[ranking.findings["config"] == config]
    text = Text()
    for row in by_rule(own).to_dict("records"):
        style = "dim" if row["implied"] else _STYLE.get(row["severity"], "")
        text.append(RULES[row["rule"]].mark if row["rule"] in RULES else "?", style=style)
    return text


def _legend(ranking: Ranking, top: int | None) -> Iterator[RenderableType]:
    rows, best = ranking.configurations, ranking.configurations.iloc[0]
    marks = {
        "=": f"as good as the best: interval of the paired difference within ±{ranking.rope:g}",
        "~": "cannot be told apart from the best: the interval allows both signs, or there is none",
        "+": "better than the row ranked first on the seeds and folds that both have",
        "b": "baseline on the same folds",
        "≡": "rank-invariant: R_E cannot change the ranking within a cell line; see pooled and NLL",
        "P>best": "share of pairs of seeds in which the row beats the best",
        "U only": f"{ranking.by.label} of U_I alone",
        "†": f"macro AUPR on test, reporting only; selection regret against the best on test {ranking.regret:.3f}",
    }
    shown = {
        "=": (rows["tie"] == "equal").any(),
        "~": (rows["tie"] == "unknown").any(),
        "+": (rows["tie"] == "better").any(),
        "b": len(ranking.baselines) > 0,
        "≡": rows["rank_invariant"].any() and ranking.by.key == "aupr",
        "P>best": len(rows) > 1,
        "†": rows["test_aupr"].notna().any(),
    }
    legend = {mark: text for mark, text in marks.items() if shown.get(mark, True)}
    raised = [r for r in RULES.values() if (ranking.findings["rule"] == r.id).any()]
    if raised:
        legend["flags"] = ", ".join(f"{r.mark} {r.id}" for r in raised) + " (dim: implied by data or sizes)"
    if rows["folds"].max() > 1:
        legend["folds"] = (
            f"for new cell lines #1 has {_span(best['fold_low'], best['fold_high'])}, 95 % t over folds"
        )
    if ranking.by.key == "aupr":
        known = ", ".join(f"{d.name} {d.aupr:.3f}" for d in DOCUMENTED)
        legend["documented"] = f"macro AUPR {known}: {CAVEAT}"
    if top and top < len(rows):
        legend["--top"] = f"{len(rows) - top} more configurations are not shown"
    changes = ranking.changes[best["config"]]
    said = ", ".join(f"{path}={value}" for path, value in changes.items()) or "nothing beyond the base"
    legend["#1 is"] = f"{best['config']}: {said}"
    yield _definitions(legend)


def warnings_view(ranking: Ranking) -> Iterator[RenderableType]:
    """Warnings grouped by rule, then the rules that could not be evaluated."""
    grouped = by_rule(ranking.findings)
    rows = ranking.configurations
    yield Text("\nWarnings", style="bold")
    if grouped.empty:
        yield Text("no rule was broken in the ranked configurations")
    ranks = dict(zip(rows["config"], rows["rank"], strict=True))
    for row in grouped.to_dict("records"):
        rule = RULES.get(row["rule"])
        head = Text()
        head.append(f"{rule.mark if rule else '?'} {row['rule']}", style=_STYLE.get(row["severity"], "bold"))
        head.append(f"  {row['severity']}, {row['source']}", style="dim")
        head.append(
            f"  in {row['configs']} of {_many(len(rows), 'configuration')}, {_many(row['units'], 'unit')}"
        )
        yield head
        where = [f"#{ranks[row['config']]}"]
        if isinstance(row["cell_line"], str):
            where.append(row["cell_line"])
        if pd.notna(row["epoch"]):
            where.append(f"first at epoch {int(row['epoch'])}")
        worst = f"worst {row['value']:.3g}, limit {row['limit']:.3g} ({'; '.join(where)})"
        yield Padding(Text(worst), (0, 0, 0, 2))
        if isinstance(row["evidence"], str) and row["evidence"]:
            yield Padding(Text(row["evidence"], style="dim"), (0, 0, 0, 2))
        yield Padding(Text(f"try: {row['advice']}"), (0, 0, 0, 2))
    for row in ranking.unevaluated.to_dict("records"):
        text = (
            f"not evaluated: {row['rule']} in {row['units']} of {row['of']} units, missing {row['missing']}"
        )
        yield Text(text, style="magenta")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _number(value: float, digits: int = 3) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _span(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:.3f}-{high:.3f}"


def plain_console() -> Console:
    """A console as wide as the terminal, and 100 columns where there is none (a pipe, a log)."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=100)
