"""The card of an exported model: what it is, what it reached, what was wrong with it, and how to predict with it."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.audit_view import verdicts_of
from analysis.criteria import CRITERIA
from analysis.flags import by_rule
from analysis.folds import MEASURED
from analysis.output import counted
from analysis.ranking import Ranking, rank
from analysis.store import Run
from harness.trained.trained_unit import TrainedUnit

LICENCE = (
    "Nobody has stated a licence of these weights. The program that made them is under the MIT licence; what the licence "
    "of the training data says of models that were made with them applies."
)


def card(run: Run, units: Sequence[TrainedUnit], warnings: Sequence[str]) -> str:
    """The card as Markdown, what speaks against the model first; every figure comes from the functions that rank."""
    config = units[0].config.id
    rankings = {key: rank(run, key) for key in CRITERIA}
    ranking = rankings["aupr"]
    row = _ranked(ranking, config)
    lines = [
        f"# {row['label']} ({config})",
        "",
        f"A configuration of the run `{run.name}`: {counted(len(units), 'unit')} (fold x seed) that score together.",
        "",
        *(line for sentence in warnings for line in (f"> **warning**: {sentence}", "")),
        "## Predicting",
        "",
        "```",
        "python -m harness.predict --model DIR --pairs FILE --fasta GENOME.fa --cell-line NAME --out scores.tsv",
        "```",
        "",
        "DIR is the folder of this file. Probabilities are calibrated on the unseen validation pairs of each unit; "
        f"their share of positives is {_shares(units)}, and `--prevalence` moves it. The support set of a cell line is "
        f"{units[0].config.support.size} pairs drawn from its own in the file.",
        "",
        "## Data",
        "",
        *_data(run, units),
        "",
        "## What it reached",
        "",
        *_metrics(rankings, config),
        "",
        "## Warnings",
        "",
        *_warnings(ranking.findings[ranking.findings["config"] == config]),
        "",
        "## Audit",
        "",
        *_audit(run, config),
        "",
        "## Licence",
        "",
        LICENCE,
        "",
        "## Configuration",
        "",
        "What differs from the base: "
        + (", ".join(f"`{path}={value}`" for path, value in ranking.changes[config].items()) or "nothing")
        + ". All of it is in `model.yaml`.",
    ]
    return "\n".join(lines) + "\n"


def _ranked(ranking: Ranking, config: str) -> dict[str, Any]:
    """The row of a configuration in a ranking."""
    rows = ranking.configurations
    return {str(key): value for key, value in rows[rows["config"] == config].iloc[0].items()}


def _data(run: Run, units: Sequence[TrainedUnit]) -> Iterator[str]:
    stored = run.table("units")
    mine = stored[stored["config"] == units[0].config.id]
    origin = run.document("provenance.json").get("data", {}).get("origin")
    yield f"- data: {f'`{origin}`, ' if origin else ''}content hash `{str(mine['data'].iloc[0])[:16]}`"
    by_fold: dict[str, list[TrainedUnit]] = {}
    for unit in units:
        by_fold.setdefault(json.dumps(unit.fold), []).append(unit)
    for fold, part in by_fold.items():
        held, seeds = json.loads(fold), ", ".join(str(unit.seed) for unit in part)
        yield (
            f"- fold {held['name']}: trained on {', '.join(part[0].cell_lines)}; selected on {', '.join(held['val'])}; "
            f"tested on {', '.join(held['test'])}; held-out chromosomes {', '.join(held['chromosomes'])}; seeds {seeds}"
        )
    pairs = mine["train_pairs"].dropna()
    positive = f"{mine['train_prevalence'].mean():.1%} positive"
    least, most = int(pairs.min()), int(pairs.max())
    yield f"- training pairs of a unit: {least if least == most else f'{least} to {most}'}, {positive}"


def _metrics(rankings: Mapping[str, Ranking], config: str) -> Iterator[str]:
    yield "| on unseen cell lines and chromosomes | validation | 95 % interval over seeds | U_I alone | test |"
    yield "|---|---|---|---|---|"
    for key, criterion in CRITERIA.items():
        row = _ranked(rankings[key], config)
        beyond = (
            ""
            if criterion.possible(row["low"], row["high"])
            else f", beyond {criterion.span}: the seeds bound little"
        )
        test = _number(row["test_aupr"]) if key == "aupr" else ""
        yield (
            f"| {criterion.label} | {_number(row['value'])} | {_span(row['low'], row['high'])}{beyond} | "
            f"{_number(row[f'u_{key}'])} | {test} |"
        )
    row = _ranked(rankings["aupr"], config)
    yield ""
    yield (
        f"Mean over {counted(int(row['seeds']), 'seed')} of the mean over {counted(int(row['folds']), 'fold')}, all units "
        "of the configuration; epochs were selected on validation, and the configuration may have been: its figure there "
        "is then too good. Test was never selected on. "
        + (
            f"For new cell lines: {_span(row['fold_low'], row['fold_high'])} (corrected t over folds; {MEASURED})."
            if not math.isnan(row["fold_low"])
            else "New cell lines: not answered by one fold."
        )
    )


def _warnings(findings: pd.DataFrame) -> Iterator[str]:
    if findings.empty:
        yield "No rule was broken."
    for row in by_rule(findings).to_dict("records") if len(findings) else ():
        yield (
            f"- **{row['rule']}** ({row['severity']}, {counted(row['units'], 'unit')}): worst {row['value']:.3g}, limit "
            f"{row['limit']:.3g}{'; implied by data or sizes' if row['implied'] else ''}; try: {row['advice']}"
        )


def _audit(run: Run, config: str) -> Iterator[str]:
    audit = run.table("audit")
    rows = verdicts_of(audit[audit["config"] == config])
    if rows.empty:
        yield "It was not audited."
        return
    counts = rows["verdict"].value_counts()
    yield ", ".join(f"{number} {verdict}" for verdict, number in counts.items()) + "."
    for row in rows[~rows["verdict"].isin(["active", "rank-invariant"])].to_dict("records"):
        yield f"- {row['verdict']} {row['mechanism']}: {row['reason']}"


def _shares(units: Sequence[TrainedUnit]) -> str:
    shares = [unit.calibration.prevalence for unit in units]
    low, high = f"{min(shares):.3g}", f"{max(shares):.3g}"
    return low if low == high else f"{low} to {high}"


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _span(low: float, high: float) -> str:
    return "none" if math.isnan(low) else f"{low:.3f} to {high:.3f}"
