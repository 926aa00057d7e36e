"""Prediction potential: U_I alone is as good as rp04, and z_I holds what decides a pair and nothing of its cell line."""

import numpy as np
import pandas as pd

from analysis.claims.claim import Claim, ClaimPart, LineValue, above, below, change_of, unevaluated
from analysis.claims.inputs import ClaimInputs, by_unit, over_seeds
from analysis.claims.mutual_information import NEAR
from analysis.claims.probes import of_label, of_line
from analysis.documented import CAVEAT, DOCUMENTED
from analysis.schema import MACRO, POOLED

KEY = "potential"
STATEMENT = "U_I alone reaches rp04, and z_I keeps what decides a pair and loses what names its cell line"
BASELINE = next(each for each in DOCUMENTED if each.name == "rp04")
KEPT = 0.01
"""Nats of the label per pair that count as kept: about those of an AUC of 0.57."""


def potential(inputs: ClaimInputs) -> Claim:
    """Macro AUPR of U_I at 1:1 in val_unseen against the documented one; probes of z_I of held-out pairs for the label (a
    cell line by the others' pairs) and for the cell line (in five parts)."""
    return Claim(KEY, STATEMENT, (_baseline(inputs.cells), *_probes(inputs.vectors)))


def _baseline(cells: pd.DataFrame) -> ClaimPart:
    rows = cells[
        (cells["prevalence_mode"] == "1:1") & (cells["score"] == "u_only") & (cells["split"] == "val_unseen")
    ]
    macro = rows[(rows["cell_line"] == MACRO) & rows["aupr"].notna()]
    if macro.empty:
        return unevaluated("at least rp04", "AUPR of U_I at 1:1 in val_unseen in the table cells")
    interval = over_seeds(macro, "aupr")
    answer = above(interval, BASELINE.aupr)
    lines = rows[~rows["cell_line"].isin([MACRO, POOLED])].groupby("cell_line", observed=True)["aupr"].mean()
    return ClaimPart(
        "at least rp04",
        answer,
        "macro AUPR of U_I at 1:1",
        interval,
        BASELINE.aupr,
        (f"{BASELINE.aupr} is {BASELINE.source}; {CAVEAT}",),
        tuple(
            LineValue(
                str(name), "AUPR of U_I at 1:1", float(aupr), "above" if aupr >= BASELINE.aupr else "below"
            )
            for name, aupr in lines.items()
        ),
        change_of(interval, BASELINE.aupr, answer),
    )


def _probes(vectors: pd.DataFrame) -> tuple[ClaimPart, ClaimPart]:
    names = ("keeps the label", "loses the cell line")
    if vectors.empty:
        first, second = (unevaluated(name, "the table pair_vectors") for name in names)
        return first, second
    rows = []
    for fold, seed, unit in by_unit(vectors):
        z, lines = np.stack(list(unit["z_i"])).astype(np.float64), unit["cell_line"].astype(str).to_numpy()
        of = {"label": of_label(z, unit["label"].to_numpy(), lines), "line": of_line(z, lines)}
        rows.append({"fold": fold, "seed": seed, **of, "most": float(np.log(len(set(lines))))})
    table = pd.DataFrame(rows)
    label, line = over_seeds(table, "label"), over_seeds(table, "line")
    most = f"at most {table['most'].max():.2f} nats are there to be told"
    kept, lost = above(label, KEPT), below(line, NEAR)
    linear = "logistic regression on the stored directions of z_I, a lower bound"
    parts = (
        ClaimPart(
            names[0],
            kept,
            "nats of y by a probe",
            label,
            KEPT,
            (linear,),
            change=change_of(label, KEPT, kept),
        ),
        ClaimPart(
            names[1],
            lost,
            "nats of c by a probe",
            line,
            NEAR,
            (linear, most),
            change=change_of(line, NEAR, lost),
        ),
    )
    missing = (
        "pair_vectors of two cell lines with both labels",
        "pair_vectors of two cell lines of 5 pairs or more",
    )
    first, second = (
        unevaluated(part.name, lacking) if part.interval.n == 0 else part
        for part, lacking in zip(parts, missing, strict=True)
    )
    return first, second
