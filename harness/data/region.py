"""Region names such as `GM12878|chr5:131773000-131774150`."""

import numpy as np
import pandas as pd

PATTERN = r"^(?:[^|]*\|)?(?:chr)?(?P<chrom>[^:|\s]+):(?P<start>\d+)-(?P<end>\d+)$"


def parse_regions(names: pd.Series) -> pd.DataFrame:
    """Chromosome, start and end of each region name.

    The part before `|` is optional and ignored; `5:1-2` and `chr5:1-2` are the same chromosome, `chr5`.
    Positions are 0-based with the end excluded, as the names are written.

    Returns
    -------
    DataFrame with `chrom` (str), `start` and `end` (int64), one row per name in the order given; a name that
    does not have this form, or whose end does not lie after its start, gives chrom = "" and start = end = -1.
    An empty series gives an empty frame.
    """
    distinct, which = np.unique(names.to_numpy(dtype=object).astype(str), return_inverse=True)
    parts = pd.Series(distinct, dtype=str).str.extract(PATTERN)
    start = pd.to_numeric(parts["start"], errors="coerce").fillna(-1).astype(np.int64)
    end = pd.to_numeric(parts["end"], errors="coerce").fillna(-1).astype(np.int64)
    valid = (parts["chrom"].notna() & (end > start)).to_numpy()
    table = pd.DataFrame(
        {
            "chrom": np.where(valid, "chr" + parts["chrom"].fillna("").to_numpy(dtype=object), ""),
            "start": np.where(valid, start, -1),
            "end": np.where(valid, end, -1),
        }
    )
    return table.iloc[which].reset_index(drop=True)
