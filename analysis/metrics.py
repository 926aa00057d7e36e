"""Metrics of a ranking of pairs, from logits and labels, at any prevalence.

Everything is computed from logits l [N] (real, unbounded) and labels y [N] in {0, 1}; probabilities are sigma(l).
Another prevalence p is reached by weights, p / (P/N) for positives and (1-p) / (1-P/N) for negatives, as if rows were
replicated; logits are not shifted. A pair is predicted positive where l >= threshold_logit, since sigma(l) is 1 for every
l above 37; `threshold` is sigma(threshold_logit), for reading only.

Undefined values are NaN, never 0: all but `n` and `positives` without pairs or with a logit that is not finite; ranking
and threshold metrics with one class, and then all where a prevalence is asked for.
"""

# One sort serves the curve, AUPR, AUC and F1: scikit-learn's separate calls take fifteen times as long, and this runs for
# every cell line, score and prevalence of every epoch. The tests compare the values with scikit-learn's.

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from analysis.clustering import design_effect
from analysis.ordered import Floats, Ordered, OrderedCells
from analysis.schema import MACRO, POOLED

METRICS = (
    "prevalence", "aupr", "aupr_lift", "auc", "f1", "precision", "recall", "threshold", "threshold_logit",
    "f1_oracle", "threshold_oracle", "threshold_oracle_logit", "nll", "nll_calibrated", "brier", "ece", "logit_sd",
    "probability_sd", "saturated",
)  # fmt: skip
ECE_BINS = 15
SATURATED = 6.0
"""Abs(logit) beyond which a pair counts as saturated: a probability beyond 0.9975."""


def best_f1_threshold(logit: ArrayLike, label: ArrayLike, prevalence: float | None = None) -> float:
    """argmax_t F1(y, l >= t), a logit, at the given prevalence.

    Ties in the logits are one candidate; of several thresholds with equal F1 the highest is returned. NaN
    without pairs, with one class only or with a logit that is NaN or infinite.
    """
    pairs = Ordered(logit, label)
    if not pairs.two_classes or not pairs.finite:
        return float("nan")
    return pairs.curve(pairs.weights(prevalence)).best_f1()[1]


def negative_log_likelihood(
    logit: ArrayLike, label: ArrayLike, *, temperature: float = 1.0, prevalence: float | None = None
) -> float:
    """Mean of softplus(-l/T) over positives and softplus(l/T) over negatives, in nats per pair.

    `temperature` is one fitted elsewhere (on validation); NaN where undefined. Raises ValueError for T <= 0.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    return _likelihood(Ordered(logit, label), temperature, prevalence)


def _likelihood(pairs: Ordered, temperature: float, prevalence: float | None) -> float:
    one_class = prevalence is not None and not pairs.two_classes
    if pairs.size == 0 or one_class or not pairs.finite:
        return float("nan")
    return float(np.average(pairs.losses(temperature), weights=pairs.weights(prevalence)))


def fit_temperature(logit: ArrayLike, label: ArrayLike) -> float:
    """T in [0.01, 100] that minimises the negative log-likelihood of sigma(l / T). NaN where undefined."""
    pairs = Ordered(logit, label)
    if not pairs.two_classes or not pairs.finite:
        return float("nan")
    margin = np.where(pairs.positive, pairs.scores, -pairs.scores)
    from scipy.optimize import minimize_scalar

    fitted = minimize_scalar(
        lambda log_t: float(np.logaddexp(0.0, -margin * np.exp(-log_t)).mean()),
        bounds=(np.log(0.01), np.log(100.0)),
        method="bounded",
    )
    return float(np.exp(fitted.x))


def _calibration_error(probability: Floats, positive: NDArray[np.bool_], weights: Floats) -> float:
    bins = np.minimum((probability * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    excess = np.bincount(bins, weights=weights * (positive - probability), minlength=ECE_BINS)
    return float(np.abs(excess).sum() / weights.sum())


def binary_metrics(
    logit: ArrayLike,
    label: ArrayLike,
    *,
    threshold_logit: float | None = None,
    prevalence: float | None = None,
    temperature: float | None = None,
) -> dict[str, float]:
    """All metrics of one set of pairs, `n`, `positives` and `METRICS`; the keys are columns of the table `cells`.

    threshold_logit: chosen elsewhere (on validation) for f1, precision and recall, which are NaN without it.
    prevalence: share of positives to reweight to; None leaves the pairs as they are.
    temperature: fitted elsewhere (on validation) for nll_calibrated, which is NaN without it.

    AUPR is average precision; lift is AUPR over prevalence; precision without a predicted positive is 0; standard
    deviations are of the (weighted) population.
    """
    return _metrics(
        Ordered(logit, label), threshold_logit=threshold_logit, prevalence=prevalence, temperature=temperature
    )


def _metrics(
    pairs: Ordered, *, threshold_logit: float | None, prevalence: float | None, temperature: float | None
) -> dict[str, float]:
    scores, positive = pairs.scores, pairs.positive
    values: dict[str, float] = {"n": pairs.size, "positives": pairs.positives}
    values |= dict.fromkeys(METRICS, float("nan"))
    if threshold_logit is not None:
        values |= {"threshold_logit": float(threshold_logit), "threshold": float(expit(threshold_logit))}
    if pairs.size == 0 or not pairs.finite or (prevalence is not None and not pairs.two_classes):
        return values
    weights, probability = pairs.weights(prevalence), pairs.probability
    share = float(np.average(positive, weights=weights))
    values["prevalence"] = share
    values["nll"] = _likelihood(pairs, 1.0, prevalence)
    if temperature is not None and np.isfinite(temperature):
        if not temperature > 0.0:
            raise ValueError(f"temperature must be positive, not {temperature}")
        values["nll_calibrated"] = _likelihood(pairs, temperature, prevalence)
    values["brier"] = float(np.average((probability - positive) ** 2, weights=weights))
    values["ece"] = _calibration_error(probability, positive, weights)
    values["logit_sd"] = _spread(scores, weights)
    values["probability_sd"] = _spread(probability, weights)
    values["saturated"] = float(np.average(np.abs(scores) > SATURATED, weights=weights))
    if not pairs.two_classes:
        return values
    curve = pairs.curve(weights)
    values["aupr"] = curve.aupr()
    values["aupr_lift"] = values["aupr"] / share
    values["auc"] = curve.auc()
    values["f1_oracle"], oracle = curve.best_f1()
    values |= {"threshold_oracle_logit": oracle, "threshold_oracle": float(expit(oracle))}
    if threshold_logit is not None and not np.isnan(threshold_logit):
        values |= _at_threshold(scores >= threshold_logit, positive, weights)
    return values


def _spread(values: Floats, weights: Floats) -> float:
    return float(np.sqrt(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)))


def _at_threshold(
    predicted: NDArray[np.bool_], positive: NDArray[np.bool_], weights: Floats
) -> dict[str, float]:
    hits, called = weights[predicted & positive].sum(), weights[predicted].sum()
    actual = weights[positive].sum()
    return {
        "precision": float(hits / called) if called > 0 else 0.0,
        "recall": float(hits / actual),
        "f1": float(2.0 * hits / (called + actual)),
    }


def by_cell(
    logit: ArrayLike,
    label: ArrayLike,
    cell: ArrayLike,
    *,
    threshold_logit: float | None = None,
    prevalence: float | None = None,
    temperature: float | None = None,
    locus: ArrayLike | None = None,
    ordered: OrderedCells | None = None,
) -> list[dict[str, Any]]:
    """Rows of `binary_metrics` per `cell_line` (by name), then of `macro` (mean over them) and `pooled` (all pairs).

    `cell` [N] holds cell line names. A metric that is undefined in a cell line is left out of the macro mean;
    macro's `n` and `positives` are totals. No pairs: the macro and pooled rows alone, all NaN. With `locus` [N], the
    2 Mb bin of every pair, `auc_design_effect` says how far neighbours widen the AUC's variance: of a cell line's own
    AUC, and in the pooled row of the mean over cell lines weighted by their pairs. `ordered`: of the same three vectors,
    where they are asked for at several prevalences.
    """
    pairs = OrderedCells(logit, label, cell) if ordered is None else ordered
    asked = {"threshold_logit": threshold_logit, "prevalence": prevalence, "temperature": temperature}
    rows: list[dict[str, Any]] = [
        {"cell_line": name, **_metrics(line, **asked)} for name, line in pairs.lines.items()
    ]
    pooled = _metrics(pairs.pooled, **asked)
    macro: dict[str, Any] = {"n": pooled["n"], "positives": pooled["positives"]}
    for key in METRICS:
        defined = [row[key] for row in rows if np.isfinite(row[key])]
        macro[key] = float(np.mean(defined)) if defined else float("nan")
    if locus is not None:
        scores, labels, cells, loci = (np.asarray(each) for each in (logit, label, cell, locus))
        for row in rows:
            here = pairs.rows[row["cell_line"]]
            row["auc_design_effect"] = design_effect(scores[here], labels[here], cells[here], loci[here])
        macro["auc_design_effect"] = float("nan")
        pooled["auc_design_effect"] = design_effect(scores, labels, cells, loci)
    return [*rows, {"cell_line": MACRO, **macro}, {"cell_line": POOLED, **pooled}]


def aupr_by_cell(
    logit: ArrayLike, label: ArrayLike, cell: ArrayLike, *, prevalence: float | None = None
) -> list[float]:
    """`aupr` of the rows of `by_cell`, in their order, without the other metrics."""
    return OrderedCells(logit, label, cell).auprs(prevalence)
