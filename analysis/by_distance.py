"""AUPR of a run's own configurations by genomic distance, and against negatives as far away as the positives."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.distance import EDGES, by_distance, distance_rule, matched_aupr
from analysis.files import TableFiles
from analysis.labels import first_settings
from analysis.ranking import Ranking
from analysis.reported import reported_units
from analysis.schema import PROVENANCE, TABLES
from analysis.sized import ROOMY, ByWidth, Name
from analysis.store import Run

SHOWN = 5
"""Configurations that the ranking shows by itself; --distance shows all."""
SPLIT = "val_unseen"
NEARER = "nearer is likelier"
"""Name of the rule that knows the distance alone."""
MATCHED = "matched"
WHOLE = "all"
EXPLAINED = (
    "nearer is likelier: the distance itself as the score, nearest first, nothing fitted; baseline distance of the "
    "ranking: trees fitted to the distances of the training pairs"
)
"""The two ways to score by distance alone, told apart."""


@dataclass(frozen=True)
class DistanceFigures:
    """Macro AUPR on val_unseen, mean over seeds and folds: `rows` by name (label of a configuration, or the rule of
    distance) with the columns all, one per bin in kb, and matched; NaN where no cell line has enough of both classes.
    `pairs` and `positive` (share), per bin, summed over folds; `missing`: why there are none, in words."""

    rows: pd.DataFrame
    pairs: pd.Series
    positive: pd.Series
    missing: str = ""


def distance_figures(ranking: Ranking, most: int | None = None) -> DistanceFigures:
    """Of the first `most` ranked configurations (all when None). Predictions are read one configuration at a time."""
    run = ranking.run
    pairs = run.table("pairs")
    pairs = pairs[(pairs["split"] == SPLIT) & pairs["distance"].notna()]
    if pairs.empty:
        why = "not stored by this run" if not (run.path / "pairs").is_dir() else "no pair has one"
        return DistanceFigures(pd.DataFrame(), pd.Series(dtype=int), pd.Series(dtype=float), why)
    of_fold = {str(fold): part.set_index("pair") for fold, part in pairs.groupby("fold")}
    rows = {NEARER: _mean([_row(part, distance_rule(part["distance"])) for part in of_fold.values()])}
    units = reported_units(run)
    units = units[units[ranking.by.key].notna()]
    for row in ranking.configurations.head(most or len(ranking.configurations)).to_dict("records"):
        names = [
            f"{row['config']}-{fold}-{seed}"
            for fold, seed in units.loc[units["config"] == row["config"], ["fold", "seed"]].itertuples(
                index=False
            )
        ]
        rows[f"{row['rank']} {row['short']} {first_settings(row['label'])}"] = _configuration(
            run, names, of_fold
        )
    columns = [WHOLE, *_bins(), MATCHED]
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns)
    count, positive = _counts(pairs)
    there = [WHOLE, *(name for name in _bins() if count[name]), MATCHED]
    return DistanceFigures(frame[there], count, positive)


def distance_view(ranking: Ranking, *, every: bool = False) -> Iterator[RenderableType]:
    """The table, for `every` configuration or the first ones; of a synthetic benchmark, where distance means nothing, only
    where it was asked for."""
    if not every and not _real(ranking.run):
        return
    told = distance_figures(ranking, None if every else SHOWN)
    if told.missing:
        yield Text(f"by distance: {told.missing}", style="magenta")
        return
    yield Text(
        "\nBy distance: macro AUPR on val_unseen by kb, and against negatives weighted to the distances of the positives "
        "(matched)",
        style="bold",
    )
    yield ByWidth(lambda width: [_table(told, roomy=width >= ROOMY)])
    yield Text(EXPLAINED, style="dim")
    left = len(ranking.configurations) - SHOWN
    if not every and left > 0:
        yield Text(f"--distance shows {left} more", style="dim")


def _table(told: DistanceFigures, *, roomy: bool) -> Table:
    """A row per name; where it is not `roomy`, bins have their two ends below each other."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    table.padding = (0, 1 if roomy else 0, 0, 0)
    table.add_column("", ratio=1)
    for name in told.rows.columns:
        heading = name if roomy else name.replace("-", "-\n")
        table.add_column(heading, justify="right", no_wrap=True)
    bins = [name for name in told.rows.columns if name != MATCHED]
    table.add_row("pairs", *(f"{told.pairs[name]:,}" for name in bins), "", style="dim")
    table.add_row("positive", *(_number(told.positive[name]) for name in bins), "", style="dim")
    for label, row in told.rows.iterrows():
        style = "dim italic" if label == NEARER else ""
        table.add_row(Name(str(label)), *(_number(value) for value in row), style=style)
    return table


def _real(run: Run) -> bool:
    data = run.document(PROVENANCE).get("data")
    origin = str(data.get("origin", "")) if isinstance(data, dict) else ""
    return bool(origin) and not origin.startswith("synthetic")


def _configuration(run: Run, units: Sequence[str], of_fold: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Mean over folds of the mean over seeds."""
    schema = pa.schema(
        [TABLES["predictions"].field(name) for name in ("config", "fold", "seed", "split", "pair", "logit")]
    )
    files = TableFiles(run.path / "predictions", run.problems, run.lost)
    table = files.read(
        schema, lambda rows: rows.filter(pc.equal(rows["split"], SPLIT)), units=frozenset(units)
    )
    each: dict[str, list[dict[str, float]]] = {}
    for (fold, _), rows in table.to_pandas().groupby(["fold", "seed"]):
        known = of_fold.get(str(fold))
        if known is None:
            continue
        rows = rows[rows["pair"].isin(known.index)]
        each.setdefault(str(fold), []).append(_row(known.loc[rows["pair"]], rows["logit"].to_numpy()))
    return _mean([_mean(seeds) for seeds in each.values()])


def _row(pairs: pd.DataFrame, score: np.ndarray) -> dict[str, float]:
    label, line, gap = (pairs[name].to_numpy() for name in ("label", "cell_line", "distance"))
    bins = {each.label: each.aupr for each in by_distance(score, label, line, gap)}
    (whole,) = (each.aupr for each in by_distance(score, label, line, np.zeros(len(gap))))
    return {WHOLE: whole, **bins, MATCHED: matched_aupr(score, label, line, gap)}


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each column over the rows that have it."""
    return {str(name): float(value) for name, value in pd.DataFrame(rows).mean().items()}


def _bins() -> list[str]:
    ends = [*EDGES[1:], None]
    return [
        f"{low / 1000:g}+" if high is None else f"{low / 1000:g}-{high / 1000:g}"
        for low, high in zip(EDGES, ends, strict=True)
    ]


def _counts(pairs: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    names = [
        _bins()[at] for at in np.searchsorted(EDGES, pairs["distance"].to_numpy(float), side="right") - 1
    ]
    grouped = pairs["label"].groupby(names)
    count = grouped.size().reindex(_bins(), fill_value=0)
    positive = grouped.mean().reindex(_bins())
    count[WHOLE], positive[WHOLE] = len(pairs), pairs["label"].mean()
    return count, positive


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"
