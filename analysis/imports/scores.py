"""Scores of pairs that somebody's predictors gave, checked row by row."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.clustering import LOCUS_BP
from analysis.errors import UserError, nearest
from analysis.imports.table_file import TableFile, column_text, read_table, refuse_two_spellings
from analysis.schema import MACRO, POOLED

_COLUMNS: dict[str, tuple[str, ...]] = {
    "predictor": ("predictor", "name", "model", "method"),
    "cell_line": ("cell_line", "cell line", "cell_type", "celltype", "cell", "biosample"),
    "label": ("label", "y"),
    "score": ("score", "prediction", "probability", "logit"),
    "seed": ("seed",),
    "enhancer": ("enhancer",),
    "promoter": ("promoter", "tss"),
    "gene": ("gene",),
    "distance": ("distance",),
    "chromosome": ("chromosome", "chrom", "chr"),
}
"""Column -> how a file may call it; the first four are needed."""
NEEDED = 4
REGION = re.compile(r"([\w.]+):(\d+)-(\d+)")
_LABELS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


@dataclass(frozen=True)
class ReportedScores:
    """Rows `frame`: predictor, seed, cell_line, label (0/1), score, pair (number of the pair, the same for all predictors),
    distance (bp) and cluster (text) where the file has them; what the clusters are, and notes to the person."""

    frame: pd.DataFrame
    clusters: str
    paired: bool
    notes: list[str]


def read_scores(path: Path, *, probabilities: bool = False) -> ReportedScores:
    """The scores in a file.

    Raises UserError, with the row and the column, for a file that cannot be read, lacks a column, or has a label that is
    not 0 or 1, a score or distance that is no number, a region without an end, a pair twice, or one with two labels.
    """
    table, notes = read_table(path), []
    columns = _columns_of(table)
    frame = pd.DataFrame({name: _texts(table, columns, name) for name in ("predictor", "cell_line")})
    frame["label"] = _labels(table, columns["label"])
    frame["score"] = _numbers(table, columns["score"], *((0, 1) if probabilities else ()))
    frame["seed"] = (
        _numbers(table, columns["seed"], 0, 2**31 - 1, whole=True).astype(int) if "seed" in columns else 0
    )
    regions: dict[str, Any] = {
        name: _regions(table, columns[name]) for name in ("enhancer", "promoter") if name in columns
    }
    if "distance" in columns:
        frame["distance"] = _numbers(table, columns["distance"], 0)
    elif all(regions.get(name) is not None for name in ("enhancer", "promoter")):
        frame["distance"] = _gaps(table, regions)
        notes.append(
            "distance: between the midpoints of enhancer and promoter, as the file has no such column"
        )
    clusters = _cluster(table, columns, regions.get("enhancer"), frame)
    paired = _number_pairs(table, columns, frame)
    common = int(frame.loc[in_all_units(frame), "pair"].nunique())
    if paired and common < (every := frame["pair"].nunique()):
        notes.append(
            f"pairs: {common} of {every} are scored by all predictors; numbers are of each one's own pairs, differences of "
            "the common ones"
        )
    if set(frame["label"]) != {0, 1}:
        raise UserError(f"{path}: every label is {frame['label'].iloc[0]}; AUPR needs pairs of both")
    return ReportedScores(frame, clusters, paired, notes)


def in_all_units(frame: pd.DataFrame) -> pd.Series:
    """Which rows are of pairs that every predictor has scored with each of its seeds."""
    units = frame.groupby(["predictor", "seed"], sort=False).ngroup()
    return units.groupby(frame["pair"]).transform("nunique") == units.nunique()


def _columns_of(table: TableFile) -> dict[str, str]:
    by_word = {column.lower(): column for column in table.rows.columns}
    columns = {
        name: next(by_word[word] for word in words if word in by_word)
        for name, words in _COLUMNS.items()
        if any(word in by_word for word in words)
    }
    for name in list(_COLUMNS)[:NEEDED]:
        if name not in columns:
            raise UserError(f"{table.path} has no column '{name}'{nearest(name, table.rows.columns)}")
    return columns


def _texts(table: TableFile, columns: dict[str, str], name: str) -> list[str]:
    texts = column_text(table, columns[name])
    meant = [at for at, text in enumerate(texts) if name == "cell_line" and text.lower() in (MACRO, POOLED)]
    if meant:
        raise UserError(
            f"{table.place(meant[0])}, column '{columns[name]}': '{texts[meant[0]]}' is what metrics over all cell lines "
            "are called, and no name of one"
        )
    if "" in texts:
        raise UserError(f"{table.place(texts.index(''))}: column '{columns[name]}' is empty")
    if name == "cell_line":
        refuse_two_spellings(table, texts, {})
    return texts


def _labels(table: TableFile, column: str) -> list[int]:
    texts = [text.lower() for text in column_text(table, column)]
    for at, text in enumerate(texts):
        if text not in _LABELS:
            raise UserError(f"{table.place(at)}, column '{column}': '{text}' is not 0 or 1")
    return [_LABELS[text] for text in texts]


def _numbers(
    table: TableFile, column: str, lowest: float = -np.inf, highest: float = np.inf, *, whole: bool = False
) -> np.ndarray:
    values = pd.to_numeric(table.rows[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values) | (values < lowest) | (values > highest)
    if whole:
        bad |= np.isfinite(values) & (values != np.floor(values))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        kind = "a whole number" if whole else "a number"
        expected = (
            kind
            if lowest == -np.inf
            else f"{kind} from {lowest:g} " + (f"to {highest:g}" if highest < np.inf else "on")
        )
        raise UserError(
            f"{table.place(at)}, column '{column}': '{table.rows[column].iloc[at]}' is not {expected}"
        )
    return values


def _regions(table: TableFile, column: str) -> pd.DataFrame | None:
    """chrom and middle of every region; None where the column has names in place of regions."""
    texts = column_text(table, column)
    if not any(map(REGION.fullmatch, dict.fromkeys(texts))):
        return None
    known: dict[str, tuple[str, float]] = {}
    for at, text in enumerate(texts):
        if text not in known:
            match = REGION.fullmatch(text)
            if match is None or int(match[3]) < int(match[2]):
                raise UserError(
                    f"{table.place(at)}, column '{column}': '{text}' is no region such as chr1:1000-1500"
                )
            known[text] = (match[1], (int(match[2]) + int(match[3])) / 2)
    return pd.DataFrame([known[text] for text in texts], columns=["chrom", "middle"])


def _gaps(table: TableFile, regions: dict[str, Any]) -> np.ndarray:
    enhancer, promoter = regions["enhancer"], regions["promoter"]
    apart = (enhancer["chrom"] != promoter["chrom"]).to_numpy()
    if apart.any():
        raise UserError(
            f"{table.place(int(np.flatnonzero(apart)[0]))}: enhancer and promoter are on two chromosomes"
        )
    return np.asarray((enhancer["middle"] - promoter["middle"]).abs())


def _cluster(
    table: TableFile, columns: dict[str, str], enhancer: pd.DataFrame | None, frame: pd.DataFrame
) -> str:
    """Give the frame its clusters; what they are, "" for a file that has none."""
    if enhancer is not None:
        bins = (enhancer["middle"] // LOCUS_BP).astype(int).astype(str)
        frame["cluster"] = enhancer["chrom"] + ":" + bins
        return f"{LOCUS_BP // 10**6} Mb bins by enhancer midpoint"
    if "chromosome" in columns:
        frame["cluster"] = _texts(table, columns, "chromosome")
        return "chromosomes (coarse)"
    return ""


def _number_pairs(table: TableFile, columns: dict[str, str], frame: pd.DataFrame) -> bool:
    """Number the pairs; whether the same number is the same pair of every predictor."""
    of_unit = frame.groupby(["predictor", "seed"], sort=False)
    if "enhancer" not in columns or "promoter" not in columns:
        frame["pair"] = of_unit.cumcount()
        # Without names of its elements a pair is known by its row, where all predictors have the same rows in order.
        kept = [column for column in ("cell_line", "label", "distance", "cluster") if column in frame]
        sizes = set(of_unit.size())
        return len(sizes) == 1 and len(frame.drop_duplicates(["pair", *kept])) == max(sizes)
    named = ["enhancer", "promoter", *(["gene"] if "gene" in columns else [])]
    key = pd.DataFrame({name: column_text(table, columns[name]) for name in named}).assign(
        line=frame["cell_line"]
    )
    frame["pair"] = key.groupby(list(key), sort=False).ngroup()
    twice = frame.duplicated(["predictor", "seed", "pair"]).to_numpy()
    if twice.any():
        at = int(np.flatnonzero(twice)[0])
        same = (frame[["predictor", "seed", "pair"]] == frame.loc[at, ["predictor", "seed", "pair"]]).all(
            axis=1
        )
        raise UserError(
            f"{table.place(at)}: this pair of {frame['predictor'].iloc[at]} is in row "
            f"{int(same.to_numpy().argmax()) + 1} already"
        )
    first = frame.groupby("pair")["label"].transform("first")
    if (first != frame["label"]).any():
        at = int(np.flatnonzero((first != frame["label"]).to_numpy())[0])
        raise UserError(
            f"{table.place(at)}: label {frame['label'].iloc[at]}, where another row of this pair has {first.iloc[at]}"
        )
    return True
