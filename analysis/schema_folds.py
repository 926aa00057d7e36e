"""Columns of the tables that have a file per fold, in which no unit has rows."""

import pyarrow as pa

BASELINES: list[tuple[str, pa.DataType, str]] = [
    ("baseline", pa.string(), "name of the baseline"),
    ("fold", pa.string(), "identity of the fold, as in the other tables"),
    ("split", pa.string(), "val_seen, val_unseen or test"),
    ("cell_line", pa.string(), "name, macro or pooled"),
    ("n", pa.int64(), "pairs"),
    ("prevalence", pa.float64(), "share of positives"),
    ("aupr", pa.float64(), "average precision"),
    ("auc", pa.float64(), "area under the ROC curve"),
    ("nll", pa.float64(), "negative log-likelihood in nats per pair"),
    ("note", pa.string(), "what the baseline sees, and why a value is missing"),
]

PAIRS: list[tuple[str, pa.DataType, str]] = [
    ("fold", pa.string(), "identity of the fold, as in the other tables"),
    ("split", pa.string(), "val_seen, val_unseen or test"),
    ("pair", pa.int64(), "row of the pair in the dataset, as in predictions"),
    ("cell_line", pa.string(), "cell line of the pair"),
    ("label", pa.int8(), "0 or 1"),
    ("distance", pa.int64(), "bp between the two elements; null where they lie on two chromosomes"),
]
