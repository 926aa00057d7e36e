"""Predictions as a file: TSV, or BEDPE for genome browsers and bedtools; whole or not at all."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from analysis.errors import UserError, nearest
from analysis.nearest_path import nearest_path
from analysis.output import printable
from harness.data.region import parse_regions
from harness.predict.ensemble import COLUMNS
from harness.store.writer import replace_atomically

POSITIONS = ("chrom1", "start1", "end1", "chrom2", "start2", "end2")


def tsv(rows: pd.DataFrame) -> str:
    """A line of names, then a line per pair."""
    columns = ["enhancer", "promoter", "cell_line", *COLUMNS]
    return rows[columns].to_csv(sep="\t", index=False, float_format="%.9g", lineterminator="\n")


def bedpe(rows: pd.DataFrame) -> str:
    """A line of names that begins with #, then per pair the enhancer, the promoter, the cell line as name and the
    probability as score, no strands, and what else there is."""
    sides = [parse_regions(rows[side]) for side in ("enhancer", "promoter")]
    table = pd.concat([side[["chrom", "start", "end"]] for side in sides], axis=1)
    table.columns = pd.Index(["#chrom1", *POSITIONS[1:]])
    table = table.assign(
        name=rows["cell_line"].to_numpy(),
        score=rows["probability"].to_numpy(),
        strand1=".",
        strand2=".",
        **{column: rows[column].to_numpy() for column in COLUMNS if column != "probability"},
    )
    return table.to_csv(sep="\t", index=False, float_format="%.9g", na_rep=".", lineterminator="\n")


FORMATS: dict[str, Callable[[pd.DataFrame], str]] = {".tsv": tsv, ".bedpe": bedpe}
"""End of the name of --out -> how predictions are written there."""


def check_output(file: Path) -> None:
    """Refuse, before anything is computed, a name that says no format and a folder that is not there."""
    kind = file.suffix.lower()
    if kind not in FORMATS:
        raise UserError(
            f"--out {file}: expected a name that ends in {' or '.join(FORMATS)}{nearest(kind, FORMATS)}"
        )
    if file.is_dir():
        raise UserError(f"--out {file} is a folder; expected the name of a file")
    if not file.parent.is_dir():
        raise UserError(
            f"--out {file}: there is no folder {file.parent}{nearest_path(file.parent, Path.is_dir)}"
        )


def write_predictions(file: Path, rows: pd.DataFrame, warnings: Sequence[str]) -> None:
    """Write `rows` in the format of the file's name, below a line that begins with # for each of `warnings`, in one
    step."""
    head = "".join(f"# warning: {printable(sentence)}\n" for sentence in warnings)
    replace_atomically(file, (head + FORMATS[file.suffix.lower()](rows)).encode())
