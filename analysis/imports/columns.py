"""Columns of a file of results: what they are called, where the store has them, and what their values can be."""

from dataclasses import dataclass
from math import inf

NAME, SEED, LINE, EPOCH = "name", "seed", "cell_line", "epoch"
"""Columns that say what a row is of."""
KEY_NAMES: dict[str, tuple[str, ...]] = {
    NAME: ("name", "record_point", "model", "method", "predictor", "configuration", "config", "run"),
    SEED: ("seed",),
    LINE: ("cell_line", "cell line", "cell_type", "celltype", "cell", "biosample"),
    EPOCH: ("epoch",),
}
"""Key -> how a file may call it; of several the first counts."""


@dataclass(frozen=True)
class Metric:
    """A number that a file may report: `table` (cells, epochs or units) and column of the store, ends of its values."""

    table: str
    column: str
    lowest: float = 0.0
    highest: float = 1.0
    whole: bool = False

    def possible(self, value: float) -> bool:
        return self.lowest <= value <= self.highest and (not self.whole or value == int(value))

    @property
    def expected(self) -> str:
        """`a number from 0 to 1`."""
        kind = "a whole number" if self.whole else "a number"
        if self.lowest == -inf:
            return kind
        return f"{kind} from {self.lowest:g}" + ("" if self.highest == inf else f" to {self.highest:g}")


def _metrics() -> dict[str, Metric]:
    shares = (
        "prevalence",
        "aupr",
        "auc",
        "f1",
        "precision",
        "recall",
        "threshold",
        "f1_oracle",
        "threshold_oracle",
    )
    known = {
        name: Metric("cells", name) for name in (*shares, "brier", "ece", "probability_sd", "aupr_support_sd")
    }
    known |= {
        name: Metric("cells", name, 0, inf) for name in ("aupr_lift", "nll", "nll_calibrated", "logit_sd")
    }
    known |= {
        name: Metric("cells", name, -inf, inf) for name in ("threshold_logit", "threshold_oracle_logit")
    }
    known |= {name: Metric("cells", name, 0, 9e15, whole=True) for name in ("n", "positives")}
    known["train_aupr"] = Metric("epochs", "train_aupr")
    known |= {name: Metric("epochs", name, -inf, inf) for name in ("loss", "temperature", "lr")}
    known |= {name: Metric("units", name, 1, 9e15, whole=True) for name in ("parameters", "train_pairs")}
    return known


METRICS = _metrics()
"""Name of every metric -> where the store has it."""
ALIASES = {
    "average_precision": "aupr", "ap": "aupr", "auprc": "aupr", "pr_auc": "aupr", "auroc": "auc", "roc_auc": "auc",
    "total_loss": "loss", "train_loss": "loss", "pairs": "n", "n_pairs": "n", "log_loss": "nll",
    "train_auprc": "train_aupr",
}  # fmt: skip
"""Other names of metrics."""


def key_of(column: str, taken: set[str]) -> str | None:
    """The key that a column is, None for one that is none or is of a key that an earlier column has."""
    for key, names in KEY_NAMES.items():
        if column.strip().lower() in names and key not in taken:
            return key
    return None


def metric_of(column: str) -> str | None:
    """The metric that a column has, None for one that has none of the store's."""
    word = column.strip().lower().replace(" ", "_")
    word = ALIASES.get(word, word)
    return word if word in METRICS else None


def names_of_metrics() -> list[str]:
    return [*METRICS, *ALIASES]


def misspelt(column: str) -> bool:
    """Whether a column is a metric's name but for the order of its letters."""
    word = column.strip().lower()
    return metric_of(word) is None and any(sorted(word) == sorted(name) for name in names_of_metrics())
