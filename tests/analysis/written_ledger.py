"""A unit's ledger that agrees with itself, made by hand from the definitions."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.ledger.forms import FORMS
from analysis.ledger.unit import KNOWN, UnitLedger

SPLITS = {"train": ("A", "B"), "val_seen": ("A", "B"), "val_unseen": ("C",), "test": ("D",)}
PAIRS, DRAWS = 12, 2
MEAN, SPREAD, ALPHA = 0.4, 0.3, 0.25
KERNEL = {"lengthscale": 0.8, "variance": 0.5, "noise": 0.2}
LINES: dict[str, Any] = {
    "prior_r": [0.1, 0.7, -0.4],
    "prior_places": [[0.0, 1.0], [0.5, -0.25], [-1.5, 0.75]],
}
SETTINGS: dict[str, Any] = {
    "energy": {"form": "gated", "w": 1.0},
    "temperature": {"mode": "learned", "penalty": 0.0},
    "environment": {
        "source": "support",
        "scope": "cell",
        "teacher": {"kind": "gradient"},
        "fusion": {"alpha": ALPHA},
        "prior": {"extrapolate": "posterior", **KERNEL},
    },
}


def posterior_of(place: np.ndarray) -> float:
    """The posterior mean at a place [2], cell line by cell line (Rasmussen and Williams 2006, eq. 2.25)."""
    r, places = LINES["prior_r"], [np.array(each) for each in LINES["prior_places"]]
    count = len(r)
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
    apart = sum(float(((places[i] - places[j]) ** 2).sum()) for i, j in pairs) / len(pairs) + 1e-6

    def kernel(one: np.ndarray, other: np.ndarray) -> float:
        square = float(((one - other) ** 2).sum())
        return float(KERNEL["variance"] * np.exp(-square / (2 * KERNEL["lengthscale"] ** 2 * apart)))

    gram = [
        [kernel(a, b) + KERNEL["noise"] * (i == j) for j, b in enumerate(places)]
        for i, a in enumerate(places)
    ]
    inverse, mean = np.linalg.inv(np.array(gram)), sum(r) / count
    around = inverse @ (np.array(r) - mean)
    return mean + sum(kernel(place.astype(float), each) * around[at] for at, each in enumerate(places))


def embedded() -> pd.DataFrame:
    """Rows of `embeddings` of a gated energy with a Teacher on known cell lines and a prior on unseen ones."""
    random = np.random.default_rng(3)
    spread = float(np.hypot(SPREAD, 0.1))
    rows = []
    for split, lines in SPLITS.items():
        for line in lines:
            for draw in range(DRAWS):
                student, teacher = random.normal(size=2)
                known = split in KNOWN
                place = random.normal(size=2).astype(np.float32)
                if not known:
                    student = (posterior_of(place) - MEAN) / spread
                raw = MEAN + spread * (ALPHA * teacher + (1 - ALPHA) * student if known else student)
                cell = (raw - MEAN) / spread
                rows.append(
                    {
                        "split": split,
                        "cell_line": line,
                        "draw": draw,
                        "r_cell": cell,
                        "r_raw": raw,
                        "r_student": student,
                        "r_teacher": teacher if known else None,
                        "posterior": None if known else raw,
                        "gate": 1 / (1 + np.exp(-1.5 * cell)),
                        "place": None if known else place,
                    }
                )
    return pd.DataFrame(rows)


def written(**ledger: Any) -> UnitLedger:
    """The unit, with other values in its row of `ledger`; its embeddings are exact in float32 so that r equals r_cell."""
    embeddings = embedded()
    numbers = ["r_cell", "r_raw", "r_student", "r_teacher", "posterior"]
    embeddings[numbers] = embeddings[numbers].astype(np.float32).astype(np.float64)
    row = {
        "phase": 2, "form": "gated", "environment": True, "scope": "cell", "temperature_mode": "learned",
        "temperature": 0.75, "lam": None, "w": 1.5, "a": None, "b": None, "tau": None, "alpha": ALPHA,
        "posterior": True, "reference_mean": MEAN, "reference_sd": SPREAD, "predictions": 6 * PAIRS, "files": None,
        "epoch": 3, "rounding": None, **KERNEL, **LINES,
    }  # fmt: skip
    random = np.random.default_rng(4)
    of_line = embeddings[embeddings["draw"] == 0].set_index(["split", "cell_line"])["r_cell"]
    rows, pair = [], 0
    for split, lines in SPLITS.items():
        for line in lines:
            for drawn in random.normal(0, 2, PAIRS).astype(np.float32):
                rows.append(
                    (split, 0, pair, line, pair % 2, drawn, np.float32(of_line[split, line]), 0.75, None)
                )
                pair += 1
    names = ["split", "draw", "pair", "cell_line", "label", "u", "r", "t", "branch"]
    predictions = pd.DataFrame(rows, columns=names)
    u, r, t = (predictions[name].to_numpy(dtype=np.float64) for name in ("u", "r", "t"))
    predictions["logit"] = FORMS["gated"](u, r, t, row).logit.astype(np.float32)
    return UnitLedger({**row, **ledger}, predictions, embeddings, [], SETTINGS)
