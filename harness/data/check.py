"""Refuse bad input: each problem is one sentence naming file, row and what was expected."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.errors import UserError, nearest
from analysis.spelt import cell_line_word
from harness.data.bases import ALPHABET, FOREIGN, encode_bases
from harness.data.region import LONGEST, normal_regions, parse_regions, region_fault
from harness.data.table import PairTable

SPLIT_NAMES = ("train", "val", "test")
PAIR_COLUMNS = {
    "enhancer": ("enhancer", "enhancer_name"),
    "promoter": ("promoter", "promoter_name"),
    "label": ("label",),
    "cell_line": ("cell_line",),
}
SEQUENCE_COLUMNS = {"region": ("region",), "sequence": ("sequence",)}
FEATURE_COLUMNS = {"cell_line": ("cell_line",), "feature": ("feature",), "value": ("value",)}


def check_pairs(table: PairTable, *, labelled: bool = True) -> PairTable:
    """Pairs with `enhancer, promoter, cell_line, label` (int8) and, where given, `split` and `distance`
    (int64); `written_enhancer` and `written_promoter` are the names before their chromosomes were normalised.

    Raises UserError for a missing column, no rows, an empty value, a label other than 0 or 1, a region name
    without coordinates or with ones that cannot be, an unknown split and a distance that is not a number of bp. Without
    `labelled` every label is -1, whatever stands there.
    """
    need = {name: spellings for name, spellings in PAIR_COLUMNS.items() if labelled or name != "label"}
    table = table.columns(need, optional=("split", "distance"))
    frame = table.frame.copy()
    label = pd.to_numeric(frame["label"], errors="coerce") if labelled else pd.Series(-1, index=frame.index)
    if labelled:
        _refuse(table, ~label.isin([0, 1]), frame["label"], "label '{}' is not 0 or 1")
    frame["label"] = label.astype(np.int8)
    for column in ("enhancer", "promoter", "cell_line"):
        frame[column] = frame[column].astype(str).str.strip()
    for column in ("enhancer", "promoter"):
        nowhere = parse_regions(frame[column])["chrom"] == ""
        if nowhere.any():
            fault = region_fault(frame[column].iloc[int(np.argmax(nowhere))])
            _refuse(table, nowhere, frame[column], f"{column} '{{}}' {fault}")
        frame[f"written_{column}"] = frame[column]
        frame[column] = normal_regions(frame[column])
    if "split" in frame:
        unknown = ~frame["split"].isin(SPLIT_NAMES)
        _refuse(table, unknown, frame["split"], "split '{}' is not train, val or test")
    if "distance" in frame:
        distance = pd.to_numeric(frame["distance"], errors="coerce")
        bad = ~((distance >= 0) & (distance <= LONGEST))
        _refuse(table, bad, frame["distance"], f"distance '{{}}' is not a number of bp from 0 to {LONGEST}")
        frame["distance"] = distance.astype(np.int64)
    return PairTable(frame, table.file, table.unit, table.first)


def check_sequences(table: PairTable, chunk: int = 2048) -> PairTable:
    """Regions, their names normalised as those of the pairs are, with sequences of A C G T N, either case.

    Raises UserError for a missing column, no rows, an empty value and a foreign character (with its position,
    counted from 1).
    """
    table = table.columns(SEQUENCE_COLUMNS)
    frame = table.frame.copy()
    frame["region"] = normal_regions(frame["region"].astype(str).str.strip())
    sequences = frame["sequence"].tolist()
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, str):
            raise UserError(
                f"{table.at(index)}: the sequence is {type(sequence).__name__}, not text; "
                "expected letters A C G T N"
            )
    for first in range(0, len(sequences), chunk):
        part = sequences[first : first + chunk]
        foreign = encode_bases(part) == FOREIGN
        if foreign.any():
            ends = np.cumsum([len(sequence) for sequence in part])
            at = int(np.argmax(foreign))
            row = int(np.searchsorted(ends, at, side="right"))
            column = at - (int(ends[row - 1]) if row else 0)
            raise UserError(
                f"{table.at(first + row)}: sequence of {frame['region'].iloc[first + row]} has "
                f"{part[row][column]!r} at position {column + 1}; expected only {' '.join(ALPHABET)}"
            )
    return PairTable(frame, table.file, table.unit, table.first)


def merge_sequences(tables: Sequence[PairTable]) -> pd.DataFrame:
    """One row per region over several checked tables.

    A region may occur again with the same sequence (either case); with a different one it raises UserError.
    """
    frames = [
        table.frame.assign(source=number, row=np.arange(len(table.frame)))
        for number, table in enumerate(tables)
    ]
    every = pd.concat(frames, ignore_index=True)
    again = every[every.duplicated("region", keep=False)]
    if len(again):
        first = again.drop_duplicates("region").set_index("region")
        reference = first.loc[again["region"], "sequence"].str.upper().to_numpy(dtype=object)
        differs = again["sequence"].str.upper().to_numpy(dtype=object) != reference
        if differs.any():
            late = again.iloc[int(np.argmax(differs))]
            early = first.loc[late["region"]]
            raise UserError(
                f"{tables[late['source']].at(late['row'])}: region {late['region']} has another "
                "sequence than in "
                f"{tables[early['source']].at(early['row'])}; expected one sequence per region"
            )
    return every.drop_duplicates("region")[["region", "sequence"]].reset_index(drop=True)


def check_known(pairs: PairTable, column: str, sequences: PairTable) -> None:
    """Raise UserError when a pair names a region that `sequences` does not hold."""
    names = pairs.frame[column]
    unknown = ~names.isin(sequences.frame["region"])
    if unknown.any():
        index = int(np.argmax(unknown))
        name = str(names.iloc[index])
        start = name.rsplit("-", 1)[0][: len(name) // 2 + 2]
        similar = sequences.frame["region"][sequences.frame["region"].str.startswith(start)].head(500)
        raise UserError(
            f"{pairs.at(index)}: {column} '{name}' is not in {sequences.file}{nearest(name, similar)}; "
            "expected every region of a pair there"
        )


def check_classes(pairs: pd.DataFrame, files: Sequence[PairTable]) -> None:
    """Raise UserError when a cell line has pairs of one class only, over all files."""
    where = " and ".join(str(table.file) for table in files)
    labels = pairs.groupby("cell_line")["label"].agg(["min", "max", "size"])
    single = labels[labels["min"] == labels["max"]]
    if len(single):
        row = single.iloc[0]
        raise UserError(
            f"{where}: all {row['size']} pairs of cell line {single.index[0]} have label {row['min']}; "
            "expected both 0 and 1"
        )


def check_features(table: PairTable, cell_lines: Sequence[str]) -> pd.DataFrame:
    """Cell features `cell_line, feature, value` (float) of at least the given cell lines.

    Names lose the spaces around them, as those in pairs do. Features that some cell line lacks are left out of
    v_c when encoding; rows of other cell lines are not used.

    Raises UserError for a missing column, no rows, an empty or non-finite value, a (cell line, feature) given
    twice, a cell line without any row or in another spelling than the pairs have, and no feature that all cell
    lines have.
    """
    table = table.columns(FEATURE_COLUMNS)
    frame = table.frame.copy()
    value = pd.to_numeric(frame["value"], errors="coerce")
    _refuse(table, ~np.isfinite(value), frame["value"], "value '{}' is not a finite number")
    frame["value"] = value.astype(float)
    for column in ("cell_line", "feature"):
        frame[column] = frame[column].astype(str).str.strip()
    words = {cell_line_word(name): name for name in cell_lines}
    meant = frame["cell_line"].map(lambda name: words.get(cell_line_word(name), name))
    bad, pairs = meant != frame["cell_line"], "'{}' in the features and '{}' in the pairs"
    values = pd.Series([pairs.format(*both) for both in zip(frame["cell_line"], meant, strict=True)])
    _refuse(table, bad, values, "a cell line is called {}; expected one spelling")
    twice = frame.duplicated(["cell_line", "feature"])
    names = frame["cell_line"] + " / " + frame["feature"]
    _refuse(table, twice, names, "'{}' is given a second time; expected one value per cell line and feature")
    described = set(frame["cell_line"])
    for cell_line in cell_lines:
        if cell_line not in described:
            raise UserError(
                f"{table.file} has no row for cell line '{cell_line}'{nearest(cell_line, described)}; "
                "expected the features of every cell line that has pairs"
            )
    used = frame[frame["cell_line"].isin(cell_lines)]
    if not (used.groupby("feature")["cell_line"].nunique() == len(cell_lines)).any():
        raise UserError(
            f"{table.file} has no feature that all of {', '.join(cell_lines)} have; expected at least one"
        )
    return used[["cell_line", "feature", "value"]].reset_index(drop=True)


def _refuse(table: PairTable, bad: pd.Series, values: pd.Series, sentence: str) -> None:
    """Raise for the first bad row; `{}` in the sentence is its value."""
    mask = bad.to_numpy(dtype=bool)
    if mask.any():
        index = int(np.argmax(mask))
        more = f" (and {mask.sum() - 1} more rows)" if mask.sum() > 1 else ""
        raise UserError(f"{table.at(index)}: {sentence.format(values.iloc[index])}{more}")
