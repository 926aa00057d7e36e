"""Pairs that occur again: repeats are dropped and counted, contradictory labels refused or dropped on request."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import UserError

ROWS = 4
"""Rows of a contradictory pair that its sentence names."""


@dataclass(frozen=True)
class Settled:
    """Every pair once, with one label.

    `pairs`: the first row of each pair; `split` is empty (None) where its rows stood in different splits.
    `contradictory`: number of pairs that were dropped for contradictory labels, by the enhancer's chromosome.
    `notes`: what was dropped, in sentences.
    """

    pairs: pd.DataFrame
    contradictory: dict[str, int]
    notes: list[str]


def settle(
    pairs: pd.DataFrame,
    identity: pd.DataFrame,
    at: Callable[[int], str],
    within: Callable[[int], str],
    *,
    drop_contradictions: bool,
) -> Settled:
    """Keep each pair once. `pairs` holds `enhancer`, `promoter`, `cell_line`, `label` and perhaps `split`, index 0..N-1;
    rows of `identity` [N] are equal for the same pair in the same cell line, and hold its enhancer's `chrom`. `at` says
    where row i stands, for errors; `within` where below the dataset's folder, for notes that outlive its place.

    Raises
    ------
    UserError
        for a pair with both labels in one cell line unless `drop_contradictions`, and for a cell line all of whose
        pairs are contradictory.
    """
    group = identity.groupby(list(identity.columns), sort=False, dropna=False).ngroup()
    by_pair = pairs["label"].groupby(group)
    mixed = (by_pair.transform("min") != by_pair.transform("max")).to_numpy(bool)
    first = ~group.duplicated().to_numpy(bool)
    if mixed.any() and not drop_contradictions:
        raise UserError(_contradiction(pairs, group, mixed, first, at))
    notes = []
    again = ~first & ~mixed
    if again.any():
        index = int(np.argmax(again))
        earlier = int(np.argmax((group == group[index]).to_numpy()))
        of = "enhancer, promoter, cell line and label of an earlier one"
        if (pairs["label"] < 0).all():
            of = "enhancer, promoter and cell line of an earlier one, whatever labels the two have"
        notes.append(
            f"repeated pairs dropped: {again.sum()} rows with {of} (the first is {within(index)}, as {within(earlier)})"
        )
    kept = pairs[first & ~mixed].copy()
    if mixed.any():
        lost = sorted(set(pairs["cell_line"]) - set(kept["cell_line"]))
        if lost:
            raise UserError(
                f"{at(int(np.argmax((pairs['cell_line'] == lost[0]).to_numpy())))}: all pairs of cell line {lost[0]} "
                "have contradictory labels and would be dropped; expected at least one pair with one label"
            )
        notes.append(
            f"contradictory pairs dropped: {(mixed & first).sum()} pairs ({mixed.sum()} rows) with both labels in one "
            "cell line"
        )
    if "split" in pairs:
        splits = pairs["split"].groupby(group).nunique()
        torn = (splits > 1).reindex(group[kept.index]).to_numpy()
        if torn.any():
            kept["split"] = kept["split"].astype(object).mask(torn, None)
            notes.append(f"repeated pairs that stood in several splits of the source: {torn.sum()}")
    left_out = identity["chrom"][mixed & first].value_counts()
    return Settled(
        kept.reset_index(drop=True), {str(name): int(count) for name, count in left_out.items()}, notes
    )


def same_dna_notes(
    cell: np.ndarray, enhancer: np.ndarray, promoter: np.ndarray, label: np.ndarray
) -> list[str]:
    """One sentence on the pairs (all int [N], each pair once) whose enhancer and promoter have the DNA, by number, of
    those of another pair of their cell line, with how many of them have the opposite label; none where there is none.
    """
    group = pd.DataFrame({"cell": cell, "enhancer": enhancer, "promoter": promoter, "label": label}).groupby(
        ["cell", "enhancer", "promoter"]
    )["label"]
    again = (group.transform("size") > 1).to_numpy()
    opposite = (group.transform("min") != group.transform("max")).to_numpy()
    if not again.any():
        return []
    return [
        f"pairs with the DNA of another pair of their cell line under other region names: {again.sum()} of {len(label)}, "
        f"{opposite.sum()} of them with the opposite label; all are kept, as different places may have equal DNA"
    ]


def _contradiction(
    pairs: pd.DataFrame, group: pd.Series, mixed: np.ndarray, first: np.ndarray, at: Callable[[int], str]
) -> str:
    rows = np.flatnonzero((group == group[int(np.argmax(mixed))]).to_numpy())
    other = rows[pairs["label"].to_numpy()[rows] != pairs["label"][rows[0]]][0]
    named = sorted({*rows[: ROWS - 1], rows[0], other})
    places = " and ".join(f"{at(int(row))} (label {pairs['label'][row]})" for row in named)
    row, more = pairs.loc[rows[0]], int((mixed & first).sum()) - 1
    return (
        f"{places}: enhancer {row['enhancer']} and promoter {row['promoter']} have both labels in cell line "
        f"{row['cell_line']}{f' (and {more} more pairs have)' if more else ''}; expected one label per pair and cell "
        "line; data.contradictions: drop in the YAML, or --contradictions drop, leaves such pairs out"
    )
