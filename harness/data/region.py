"""Region names such as `GM12878|chr5:131773000-131774150`."""

import re

import numpy as np
import pandas as pd

from harness.data.spelling import normal_chromosome

PATTERN = r"^(?:(?P<owner>[^|]*)\|)?(?P<chrom>[^:|\s]+):(?P<start>[0-9]+)-(?P<end>[0-9]+)$"
LONGEST = 2**31 - 1
"""Last position that a region may have, bp: the limit of the alignment formats, above any chromosome of theirs."""
DIGITS = len(str(LONGEST))


def parse_regions(names: pd.Series) -> pd.DataFrame:
    """Chromosome, start and end of each region name.

    The part before `|` is optional and ignored; chromosomes are normalised (`5:1-2` and `Chr05:1-2` lie on
    `chr5`). Positions are 0-based with the end excluded, as the names are written.

    Returns
    -------
    DataFrame with `chrom` (str), `start` and `end` (int64), one row per name in the order given; a name that
    does not have this form, whose end does not lie after its start, or beyond `LONGEST`, gives chrom = "" and
    start = end = -1. An empty series gives an empty frame.
    """
    which, distinct = pd.factorize(names.to_numpy(dtype=object))
    parts = pd.Series(distinct, dtype=str).str.extract(PATTERN)
    start, end = _positions(parts["start"]), _positions(parts["end"])
    known = {name: normal_chromosome(name) for name in parts["chrom"].dropna().unique()}
    chrom = parts["chrom"].map(known).fillna("").to_numpy(dtype=object)
    valid = (chrom != "") & (start >= 0) & (end > start)
    table = pd.DataFrame(
        {
            "chrom": np.where(valid, chrom, ""),
            "start": np.where(valid, start, -1),
            "end": np.where(valid, end, -1),
        }
    )
    return table.iloc[which].reset_index(drop=True)


def normal_regions(names: pd.Series) -> pd.Series:
    """The same names with their chromosomes and positions in one spelling; what is no region stays as it is."""
    which, written = pd.factorize(names.to_numpy(dtype=object))
    parsed = parse_regions(pd.Series(written, dtype=object))
    joined = [
        f"{name.rpartition('|')[0].strip()}{'|' if '|' in name else ''}{chrom}:{start}-{end}"
        if chrom
        else name
        for name, chrom, start, end in zip(
            written, parsed["chrom"], parsed["start"], parsed["end"], strict=True
        )
    ]
    return pd.Series(np.asarray(joined, dtype=object)[which], index=names.index, dtype=object)


def region_fault(name: str) -> str:
    """What keeps `name` from being a region, in words."""
    match = re.match(PATTERN, name)
    expected = "expected a name such as GM12878|chr5:131773000-131774150"
    if match is None or not normal_chromosome(match["chrom"]):
        return f"has no coordinates; {expected}"
    start, end = (match[key].lstrip("0") or "0" for key in ("start", "end"))
    if max(len(start), len(end)) > DIGITS or max(int(start), int(end)) > LONGEST:
        return f"has coordinates beyond any chromosome; expected positions of at most {LONGEST} bp"
    return "ends before it begins or is empty; expected the end after the start"


def _positions(text: pd.Series) -> np.ndarray:
    """Positions int64 [N]; -1 where there is none or none that can be."""
    short = text.str.replace(r"^0+(?=\d)", "", regex=True)
    short = short.where(short.str.len() <= DIGITS)
    value = pd.to_numeric(short, errors="coerce").fillna(-1).to_numpy().astype(np.int64)
    return np.where(value <= LONGEST, value, -1)
