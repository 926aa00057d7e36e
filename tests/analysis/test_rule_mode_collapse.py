"""mode_collapse accuses what knows nothing, and neither what is healthy nor what is too small to tell."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from analysis.metrics import best_f1_threshold, by_cell
from analysis.rules import Finding, UnitRecords, Units, evaluate, not_evaluated
from analysis.rules.chance import chance_readings, hanley_mcneil, power
from tests.analysis.rule_units import raised, unit


def unseen(*lines: tuple[str, np.ndarray, np.ndarray], epochs: int = 2, **more: Any) -> UnitRecords:
    """A unit whose rows of every epoch are measured on (cell line, logits, labels), threshold by best F1."""
    logit, label = np.concatenate([line[1] for line in lines]), np.concatenate([line[2] for line in lines])
    name = np.concatenate([np.full(len(line[1]), line[0]) for line in lines])
    cells = by_cell(logit, label, name, threshold_logit=best_f1_threshold(logit, label), **more)
    frame = pd.DataFrame(cells)
    where = {"selection": "epoch", "split": "val_unseen", "score": "corrected"}
    where |= {"prevalence_mode": "as_found", "protocol": "exact"}
    rows = [frame.assign(epoch=epoch, **where) for epoch in range(1, epochs + 1)]
    base = unit()
    return UnitRecords(base.row, base.epochs, base.terms, pd.concat(rows))


def accused(records: UnitRecords) -> bool:
    return "mode_collapse" in {finding.rule for finding in evaluate(records)}


def sampled(auc: float, pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of a model of this AUC, half of the pairs positive."""
    label = np.repeat([0, 1], pairs // 2)
    return np.random.default_rng(seed).normal(size=pairs) + math.sqrt(2) * norm.ppf(auc) * label, label


def exact(auc: float, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """The same without chance: both classes are the quantiles of their distribution."""
    half = norm.ppf((np.arange(pairs // 2) + 0.5) / (pairs // 2))
    return np.r_[half, half + math.sqrt(2) * norm.ppf(auc)], np.repeat([0, 1], pairs // 2)


def test_healthy_gated_unit_on_38_pairs_is_underpowered() -> None:
    """The verdict that `make sweep` used to end with: AUC 0.588 of 38 pairs, all of them called positive."""
    logit, label = next(
        found
        for seed in range(3000)
        if abs(roc_auc_score((found := sampled(0.6, 38, seed))[1], found[0]) - 0.588) < 0.003
        and best_f1_threshold(*found) == found[0].min()
    )
    records = unseen(("C11", logit, label), locus=np.arange(38))
    missing = not_evaluated(records)["mode_collapse"]
    assert not accused(records)
    assert missing.startswith("underpowered")
    assert "19 positive and 19 negative unseen pairs" in missing
    # The same twice as often is not more known: pairs of one locus are not independent ones.
    copied = [np.tile(part, 10) for part in (logit, label, np.arange(38))]
    again = unseen(("C11", copied[0], copied[1]), locus=copied[2])
    assert "mode_collapse" in not_evaluated(again)
    assert not accused(again)
    alone = unseen(("C11", copied[0], copied[1]), locus=np.arange(380))
    assert "mode_collapse" not in not_evaluated(alone), "as independent pairs they would have been enough"


@pytest.mark.parametrize("pairs", [600, 4000, 20_000])
def test_healthy_auc_of_060_is_no_collapse_however_many_pairs(pairs: int) -> None:
    logit, label = exact(0.6, pairs)
    assert roc_auc_score(label, logit) == pytest.approx(0.6, abs=0.002)
    records = unseen(("K562", logit, label), locus=np.arange(pairs))
    assert not accused(records)
    assert "mode_collapse" not in not_evaluated(records)


def test_output_that_knows_nothing_is_a_collapse() -> None:
    label = np.tile([0, 1], 1000)
    found = raised(unseen(("K562", np.full(2000, -0.3), label), locus=np.arange(2000)), "mode_collapse")
    assert {(f.severity, f.cell_line) for f in found} == {("fault", "K562"), ("fault", "pooled")}
    assert found[0].value < 1e-9
    noise = unseen(("K562", *exact(0.5, 2000)), locus=np.arange(2000))
    (finding,) = raised(noise, "mode_collapse")
    assert (finding.cell_line, finding.limit) == ("pooled", 0.6)
    assert "below 0.6" in finding.evidence
    assert finding.value < 0.6
    assert raised(noise, "mode_collapse", **{"mode_collapse.auc": 0.5}) == []


def test_auc_is_a_mean_over_cell_lines_and_not_of_pooled_ranks() -> None:
    """Two lines at chance whose logits differ by a shift that follows their prevalence: pooled ranks look healthy."""
    rng = np.random.default_rng(2)
    rich, poor = (rng.random(1000) < 0.8).astype(int), (rng.random(1000) < 0.2).astype(int)
    low = rng.normal(size=1000)
    records = unseen(("A", low + 3.0, rich), ("B", low, poor), locus=np.arange(2000), epochs=1)
    (auc,), (upper,), (lines,) = (
        chance_readings(Units.of_one(records)).values[name] for name in ("auc", "upper", "lines")
    )
    assert roc_auc_score(np.r_[rich, poor], np.r_[low + 3.0, low]) > 0.7
    assert auc == pytest.approx((roc_auc_score(rich, low) + roc_auc_score(poor, low)) / 2, abs=1e-12)
    assert lines == 2
    assert upper < 0.6


def test_power_is_that_of_hanley_and_mcneil() -> None:
    # A null AUC has the variance (P + N + 1) / (12 P N) of Mann and Whitney.
    assert hanley_mcneil(0.5, 200, 100) == pytest.approx(math.sqrt(301 / (12 * 200 * 100)))
    se0, se1 = (hanley_mcneil(auc, 130, 130) for auc in (0.5, 0.6))
    assert power(se0, se1) == pytest.approx(0.80, abs=0.005), "about 130 + 130 pairs"
    assert power(*(hanley_mcneil(auc, 19, 19) for auc in (0.5, 0.6))) < 0.2


def test_a_store_without_loci_is_assumed_to_be_clustered() -> None:
    logit, label = exact(0.5, 400)
    found = not_evaluated(unseen(("K562", logit, label)))["mode_collapse"]
    assert "assumed to be 3 as no loci resample both labels" in found
    logit, label = exact(0.5, 4000)
    assert "mode_collapse" not in not_evaluated(unseen(("K562", logit, label)))


def test_a_collapse_of_probabilities_says_how_the_logits_spread() -> None:
    logit, label = exact(0.9, 400)
    (finding,) = raised(unseen(("K562", logit + 40.0, label), locus=np.arange(400)), "mode_collapse")
    assert "of the logits 1." in finding.evidence


def test_closed_gates_collapse_only_without_an_open_unseen_line() -> None:
    """The planted gated truth itself says next to nothing of a cell line whose gate is closed."""
    logit, label = exact(0.8, 1000)

    def of(closes: bool | None, *gates: float) -> list[Finding]:
        parts = [(f"line{k}", gate * logit, label) for k, gate in enumerate(gates)]
        records = unseen(*parts, locus=np.arange(1000 * len(gates)))
        trial = {**records.row, "gate_closes": closes}
        return raised(UnitRecords(trial, records.epochs, records.terms, records.cells), "mode_collapse")

    assert of(True, 0.9, 0.001) == []
    for without in (False, None):
        assert {finding.cell_line for finding in of(without, 0.9, 0.001)} == {"line1"}
    (everywhere,) = of(True, 0.001, 0.002)
    assert everywhere.cell_line == "line1"
    assert "closed on all unseen cell lines" in everywhere.evidence
