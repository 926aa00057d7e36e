"""Rankings as text for a terminal, of 80 columns or more."""

import math
import shlex
from collections.abc import Iterator, Mapping

import pandas as pd
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.asked import chosen_because
from analysis.audit_view import audit_view
from analysis.confirmation.view import confirmation_view
from analysis.criteria import CRITERIA, Criterion
from analysis.data_signs import signs_view
from analysis.dead_dimensions import dimensions_view
from analysis.documented import CAVEAT, DOCUMENTED
from analysis.fidelity.view import fidelity_sentences
from analysis.flags import by_rule, rules_in_order
from analysis.folds import MEASURED
from analysis.imports.view import imported_view
from analysis.ledger_view import footer
from analysis.ranking import Ranking
from analysis.reported import AUDIT_STOP
from analysis.schema import REPORTED_BY_OTHERS
from analysis.sized import ROOMY, ByWidth, Name
from analysis.stamps import earlier_runs
from analysis.store import Run
from analysis.verdict import verdict, verdict_sentence
from analysis.warnings_view import STYLE, common_rules, letter, warnings_view

BEYOND = "◊"
"""Marks an interval that reaches beyond the possible values."""
MANY_ROWS = 50
"""Rows of a ranking beyond which `--top` is named."""
_TIES = {"best": " ", "equal": "=", "unknown": "~", "worse": " ", "better": "+", "apart": " "}


def ranking_view(ranking: Ranking, top: int | None = None) -> Iterator[RenderableType]:
    """Confirmation, header, table, legend, warnings: everything that `python -m analysis RUN` prints, in order."""
    yield from confirmation_view(ranking)
    yield from _header(ranking)
    yield ByWidth(lambda width: [_table(ranking, top, width >= ROOMY), _legend(ranking, top, width >= ROOMY)])
    for sentence in fidelity_sentences(ranking.run):
        yield Text(sentence, style="yellow")
    yield from warnings_view(ranking)
    yield from signs_view(ranking.run)
    yield from imported_view(ranking.run)
    yield from _accused(ranking)
    yield from dimensions_view(ranking.run)
    yield from audit_view(ranking.run)
    yield from footer(ranking.run)
    unasked = ranking.run.unasked()
    if unasked:
        yield Text(
            f"left out: {many(unasked, 'unit')} of folds, seeds or configurations that the sweep no longer asks for",
            style="yellow",
        )
    for folder, units, cause in earlier_runs(ranking.run):
        aside = f"{many(units, 'unit')} of {cause or 'another stamp'}"
        yield Text(
            f"kept apart: {aside}; rank them with python -m analysis {shlex.quote(str(folder))}",
            style="yellow",
        )
    yield from unread_view(ranking.run)


def _accused(ranking: Ranking) -> Iterator[RenderableType]:
    """A line for every configuration and reason that the audit stopped units for."""
    for (config, reason), units in ranking.accused.groupby(["config", "reason"], sort=False):
        text = Text("stopped by the audit: ", style="bold red")
        text.append(
            f"{many(len(units), 'unit')} of {units['label'].iloc[0]} ({config}), in no figure above",
            style="not bold",
        )
        yield text.append(f"; {str(reason).removeprefix(AUDIT_STOP)}", style="not bold")


def unread_view(run: Run) -> Iterator[RenderableType]:
    """A line for every file of a run that could not be read, and one where rows are missing for that."""
    for problem in run.problems:
        yield Text(f"not read: {problem}", style="bold red")
    if run.lost:
        yield Text(
            f"incomplete: nothing else holds the rows of {many(len(run.lost), 'file')}", style="bold red"
        )


def _header(ranking: Ranking) -> Iterator[RenderableType]:
    rows, run = ranking.configurations, ranking.run
    seeds, folds = rows["seeds"].max(), rows["folds"].max()
    yield Text(f"\nRun {run.name}", style="bold")
    whole, units = ranking.counts, int(rows["units"].sum())
    part = units < whole.planned
    counted = f"{len(rows)} of " * (len(rows) < whole.configurations) + many(
        whole.configurations, "configuration"
    )
    counted += f" x {many(folds, 'fold')} x {many(seeds, 'seed')} "
    counted += f"({units} of {whole.planned} units ranked)" if part else f"({units} finished units)"
    if ranking.left_out:
        counted += "; not ranked: " + ", ".join(f"{n} {status}" for status, n in ranking.left_out.items())
    direction = "higher" if ranking.by.higher_is_better else "lower"
    covers = f"95 % Student t over {many(seeds, 'seed')}: for these cell lines and loci"
    if seeds < 2:
        covers = "none: one seed says nothing about its own spread"
    elif rows["seeds"].min() < seeds:
        covers += f" (fewest seeds in a row: {rows['seeds'].min()})"
    answer = "new cell lines: " + (
        f"t over {folds} folds, below the table" if folds > 1 else "not answered by one fold"
    )
    mixed = f"{ranking.mixture.sentence()}, as --reuse-older-code asked for" if ranking.mixture else ""
    told = verdict(ranking)
    alarming = "bold red" if told.faults or told.below_every else "bold"
    yield _definitions(
        {
            "verdict": Text(verdict_sentence(ranking), style=alarming),
            "what": counted,
            **({"mixed": mixed} if mixed else {}),
            "by": f"{ranking.by.label} on val_unseen, {direction} is better; {chosen_because(run, ranking.by)}; it decides "
            + (
                "ranking within the one unseen cell line of a fold"
                if _within_one(ranking)
                else ranking.by.decides
            ),
            "selection": f"weights {_weights(run)}; configurations by val_unseen; test reports only",
            "interval": f"{covers}; {answer}; new loci: not covered",
        }
    )


def _within_one(ranking: Ranking) -> bool:
    """Whether the criterion, pooled or not, is of one cell line at a time."""
    return ranking.one_line and ranking.by.key == "pooled_aupr"


def _weights(run: Run) -> str:
    """What chose the weights that are ranked: of imported results nobody says."""
    return (
        "as reported"
        if (run.table("units")["selection"] == REPORTED_BY_OTHERS).any()
        else "best_on_validation"
    )


def _definitions(pairs: Mapping[str, str | Text]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, text in pairs.items():
        grid.add_row(name, Text(text) if isinstance(text, str) else text)
    return grid


def _table(ranking: Ranking, top: int | None, roomy: bool) -> Table:
    """`roomy`: with what only widens the view, P>best and the score of U_I alone."""
    by = ranking.by
    others = [c for c in CRITERIA.values() if c.key != by.key]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, int(roomy), 0, 0), header_style="bold")
    table.add_column("#", no_wrap=True)
    table.add_column("id", no_wrap=True, style="dim")
    table.add_column("configuration", ratio=1)
    short = {"aupr": "AUPR", "pooled_aupr": "pooled", "nll": "NLL"}
    for heading in (short[by.key], "95 % interval", *(["P>best"] * roomy), *(short[c.key] for c in others)):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in (*(["U only"] * roomy), "test†"):
        table.add_column(heading, justify="right", no_wrap=True)
    everywhere = _letters(ranking)
    table.add_column("flags" + (f"\nall: {everywhere}" if everywhere else ""), no_wrap=True)
    entries: list[tuple[int, float, list[RenderableType], str]] = []
    flags = _flags(ranking)
    shown = ranking.configurations.head(top) if top else ranking.configurations
    for row in shown.to_dict("records"):
        invariant = "≡" if row["rank_invariant"] else ""
        notes = [f"censored {row['censored']}/{row['units']}"] if row["censored"] else []
        notes += [note for note in (row["lacking"], row["common_folds"], row["other_lines"]) if note]
        if not math.isnan(row["leaked_test_aupr"]):
            notes.append(f"branch_select {row['leaked_test_aupr']:.3f}‡ on test")
        state = "" if row["complete"] else "✗" if row["diverged"] else "!"
        cells: list[RenderableType] = [
            f"{row['rank']}{_TIES[row['tie']]}{state}",
            row["short"],
            Name(row["label"], notes=notes),
            _number(row["value"]) + ("" if roomy else invariant),
            _span(row["low"], row["high"], by),
            *([_number(row["p_better"], 2)] * roomy),
            *(_number(row[c.key]) for c in others),
            *([_number(row[f"u_{by.key}"]) + invariant] * roomy),
            _number(row["test_aupr"]),
            flags.get(row["config"], Text()),
        ]
        entries.append((row["behind"], row["value"], cells, "bold" if row["tie"] == "best" else ""))
    for row in ranking.baselines.to_dict("records"):
        name = Name(f"baseline {row['baseline']}" if roomy else row["baseline"])
        cells = ["b", "", name, _number(row[by.key]), "", *([""] * roomy)]
        cells += [*(_number(row[c.key]) for c in others), *([""] * roomy), _number(row["test_aupr"]), ""]
        entries.append((0, row[by.key], cells, "dim italic"))
    entries.sort(key=lambda e: (e[0], math.isnan(e[1]), -e[1] if by.higher_is_better else e[1]))
    for _, _, cells, style in entries:
        table.add_row(*cells, style=style)
    return table


def _flags(ranking: Ranking) -> dict[str, Text]:
    """Configuration -> the letters of its rules, but for what data or sizes imply and what every configuration has: that is
    said once per run."""
    texts: dict[str, Text] = {}
    place = {rule: at for at, rule in enumerate(rules_in_order(ranking.findings))}
    plain = _telling(ranking)
    each = plain.groupby(["config", "rule"], sort=False).agg({"severity": "first", "mark": "first"})
    for row in sorted(each.reset_index().to_dict("records"), key=lambda r: place[r["rule"]]):
        style = STYLE.get(row["severity"], "")
        texts.setdefault(row["config"], Text()).append(letter(row["mark"]), style=style)
    return texts


def _letters(ranking: Ranking) -> str:
    """Letters of the rules that every configuration broke and that neither data nor sizes imply."""
    plain = ranking.findings[
        ~ranking.findings["implied"] & ranking.findings["rule"].isin(common_rules(ranking))
    ]
    marks = dict(zip(plain["rule"], plain["mark"], strict=True))
    return "".join(letter(marks[rule]) for rule in rules_in_order(plain) if rule in marks)


def _telling(ranking: Ranking) -> pd.DataFrame:
    """Findings that tell configurations apart."""
    plain = ranking.findings[~ranking.findings["implied"]]
    return plain[~plain["rule"].isin(common_rules(ranking))]


def _legend(ranking: Ranking, top: int | None, roomy: bool) -> Table:
    rows, best = ranking.configurations, ranking.configurations.iloc[0]
    marks = {
        "=": f"as good as the best: interval of the paired difference within ±{ranking.rope:g}",
        "~": "cannot be told apart from the best: the interval of paired differences allows both signs, or there is none",
        "+": "better than the row ranked first on the seeds and folds that both have",
        "#1": "chosen on the seeds it is compared on, so its lead is overstated (winner's curse)",
        "!": "incomplete, fewer finished units than planned: ranked after the others, never compared to",
        "✗": "incomplete too, and a seed diverged",
        "b": "baseline on the same folds",
        "≡": "rank-invariant: R_E cannot change the ranking within a cell line; see "
        + ("NLL, or name two val lines per fold" if ranking.one_line else "pooled and NLL"),
        "P>best": "share of pairs of seeds in which the row beats the best",
        "U only": f"{ranking.by.label} of U_I alone",
        BEYOND: _beyond(ranking),
        "‡": "predict.mode branch_select: the better of U_I and corrected per test cell line, by its test AUPR: it leaks",
        "†": f"macro AUPR on test, reporting only; selection regret against the best on test {ranking.regret:.3f}",
    }
    shown = {
        "=": (rows["tie"] == "equal").any(),
        "~": (rows["tie"] == "unknown").any(),
        "+": (rows["tie"] == "better").any(),
        "#1": len(rows) > 1,
        "!": (~rows["complete"] & ~rows["diverged"]).any(),
        "✗": (~rows["complete"] & rows["diverged"]).any(),
        "b": len(ranking.baselines) > 0,
        "≡": rows["rank_invariant"].any(),
        "P>best": roomy and len(rows) > 1,
        "U only": roomy,
        BEYOND: bool(_beyond(ranking)),
        "‡": rows["leaked_test_aupr"].notna().any(),
        "†": rows["test_aupr"].notna().any(),
    }
    legend = {mark: text for mark, text in marks.items() if shown.get(mark, True)}
    raised = by_rule(_telling(ranking)).to_dict("records")
    named = ", ".join(f"{letter(r['mark'])} {r['rule']}" for r in raised)
    everywhere = "all: what every row has, a line each below" if _letters(ranking) else ""
    if named or everywhere:
        legend["flags"] = "; ".join(filter(None, [named, everywhere]))
    if rows["folds"].max() > 1:
        legend["folds"] = (
            f"for new cell lines #1 has {_span(best['fold_low'], best['fold_high'], ranking.by)}, corrected t over folds "
            f"(Nadeau and Bengio): {MEASURED}"
        )
    known = ", ".join(f"{d.name} {d.aupr:.3f}" for d in DOCUMENTED)
    other = "" if ranking.by.key == "aupr" else f" (no {ranking.by.label} was documented)"
    legend["documented"] = f"macro AUPR {known}{other}: {CAVEAT}"
    if not roomy:
        legend["wider"] = f"{ROOMY} columns have P>best and U only as well"
    if top and top < len(rows):
        legend["--top"] = f"{len(rows) - top} more configurations are not shown"
    elif not top and len(rows) > MANY_ROWS:
        legend["--top"] = f"--top 20 shows the best 20 of these {len(rows)} alone"
    changes = ranking.changes[best["config"]]
    said = ", ".join(f"{path}={value}" for path, value in changes.items()) or "nothing beyond the base"
    legend["#1 is"] = f"{best['config']}: {said}"
    return _definitions(legend)


def _beyond(ranking: Ranking) -> str:
    """A sentence on intervals that reach beyond the possible values; empty without any."""
    rows, by = ranking.configurations, ranking.by
    wide = [r for r in rows.to_dict("records") if not by.possible(r["low"], r["high"])]
    if not wide:
        return ""
    seeds = min(row["seeds"] for row in wide)
    nothing = sum(row["low"] <= by.lowest and row["high"] >= by.highest for row in wide)
    text = (
        f"{len(wide)} of {many(len(rows), 'interval')} reach{'es' if len(wide) == 1 else ''} beyond {by.span}, all that "
        f"{by.label} can be (not clipped): {many(seeds, 'seed')} bound{'s' if seeds == 1 else ''} little there"
    )
    return text + (f", and nothing in {many(nothing, 'row')}" if nothing else "")


def many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _number(value: float, digits: int = 3) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _span(low: float, high: float, by: Criterion) -> str:
    """`0.513 to 0.630`, marked where it reaches beyond what the criterion can be; nothing is clipped."""
    if math.isnan(low):
        return ""
    return f"{low:.3f} to {high:.3f}" + ("" if by.possible(low, high) else BEYOND)
