"""Prediction correction: R_E improves the ranking of U_I alone across cell lines."""

import pandas as pd

from analysis.claims.claim import Answer, Claim, ClaimPart, LineValue, change_of, span, unevaluated
from analysis.claims.inputs import UNIT, ClaimInputs, over_seeds
from analysis.criteria import CRITERIA
from analysis.equivalence import verdict
from analysis.paired import t_test_p
from analysis.ranking import ROPE
from analysis.schema import MACRO, POOLED

KEY = "correction"
STATEMENT = "pooled AUPR after the correction by R_E is above that of U_I alone"
ANSWERS: dict[str, Answer] = {"better": "supported", "worse": "refuted", "no effect": "refuted"}


def correction(inputs: ClaimInputs) -> Claim:
    """Pooled AUPR of the corrected score less that of U_I, same weights and pairs, val_unseen, t over seeds. Refuted:
    worse, or within the region of practical equivalence on as many seeds as that takes."""
    missing = inputs.environment_missing()
    columns = ["pooled_aupr", "u_pooled_aupr"]
    if not missing and not inputs.units[columns].notna().all(axis=1).any():
        missing = "pooled AUPR of both scores in the table cells"
    if missing:
        return Claim(KEY, STATEMENT, (unevaluated("gain", missing),))
    if inputs.units["rank_invariant"].eq(True).all() and not _several_lines(inputs.cells):
        one = "a second unseen cell line (of one alone R_E cannot change the order of the pairs)"
        return Claim(KEY, STATEMENT, (unevaluated("gain", one),))
    units = inputs.units.assign(
        gain=inputs.units["pooled_aupr"] - inputs.units["u_pooled_aupr"],
        likelihood=inputs.units["u_nll"] - inputs.units["nll"],
        macro=inputs.units["aupr"] - inputs.units["u_aupr"],
    )
    interval, macro = over_seeds(units, "gain"), over_seeds(units, "macro")
    likelihood = over_seeds(units, "likelihood")
    p = t_test_p(units.groupby("seed")["gain"].mean().to_numpy())
    answer = ANSWERS.get(verdict(interval, p, CRITERIA["pooled_aupr"], ROPE, runs=1), "undecided")
    per_line = (
        "which R_E cannot change here" if units["rank_invariant"].eq(True).all() else "R_E can change it"
    )
    evidence = (
        f"negative log-likelihood falls by {likelihood.mean:+.4f} nats{span(likelihood, 4)}",
        f"macro AUPR within cell lines {macro.mean:+.4f} ({per_line})",
        f"pooled AUPR of U_I alone {units['u_pooled_aupr'].mean():.4f}, corrected {units['pooled_aupr'].mean():.4f}",
    )
    change = change_of(interval, 0.0, answer)
    if answer == "undecided" and interval.n > 1 and max(abs(interval.low), abs(interval.high)) < ROPE:
        change = f"enough seeds to call a gain within {ROPE} none, or to tell it from 0"
    part = ClaimPart(
        "gain", answer, "pooled AUPR, corrected - U_I", interval, 0.0, evidence, _lines(inputs.cells), change
    )
    return Claim(KEY, STATEMENT, (part,))


def _several_lines(cells: pd.DataFrame) -> bool:
    """Whether the pairs of any fold's val_unseen are of more than one cell line."""
    rows = cells[(cells["split"] == "val_unseen") & ~cells["cell_line"].isin([MACRO, POOLED])]
    return any(len(set(lines)) > 1 for _, lines in rows.groupby("fold", observed=True)["cell_line"])


def _lines(cells: pd.DataFrame) -> tuple[LineValue, ...]:
    """By how much the correction lowers the negative log-likelihood of each unseen cell line, mean over units."""
    rows = cells[(cells["prevalence_mode"] == "as_found") & (cells["split"] == "val_unseen")]
    rows = rows[~rows["cell_line"].isin([MACRO, POOLED])]
    wide = rows.pivot_table(index=[*UNIT, "cell_line"], columns="score", values="nll", observed=True)
    if not {"u_only", "corrected"} <= set(wide.columns):
        return ()
    gains = (wide["u_only"] - wide["corrected"]).groupby("cell_line").mean()
    return tuple(
        LineValue(str(name), "nats gained", float(gain), "better" if gain > 0 else "worse")
        for name, gain in gains.items()
    )
