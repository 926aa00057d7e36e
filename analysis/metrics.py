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

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from analysis.clustering import design_effect
from analysis.schema import MACRO, POOLED

Floats = NDArray[np.float64]

METRICS = (
    "prevalence", "aupr", "aupr_lift", "auc", "f1", "precision", "recall", "threshold", "threshold_logit",
    "f1_oracle", "threshold_oracle", "threshold_oracle_logit", "nll", "nll_calibrated", "brier", "ece", "logit_sd",
    "probability_sd", "saturated",
)  # fmt: skip
ECE_BINS = 15
SATURATED = 6.0
"""Abs(logit) beyond which a pair counts as saturated: a probability beyond 0.9975."""


def _checked(logit: ArrayLike, label: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    scores = np.asarray(logit, dtype=np.float64)
    labels = np.asarray(label)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(
            f"logit and label must be vectors of one length, not {scores.shape} and {labels.shape}"
        )
    positive = labels == 1
    if not np.all(positive | (labels == 0)):
        raise ValueError("labels must be 0 or 1")
    return scores, positive


def _weights(positive: NDArray[np.bool_], prevalence: float | None) -> Floats:
    if prevalence is None:
        return np.ones(positive.shape[0])
    if not 0.0 < prevalence < 1.0:
        raise ValueError(f"prevalence must lie between 0 and 1, not {prevalence}")
    share = positive.mean()
    return np.where(positive, prevalence / share, (1.0 - prevalence) / (1.0 - share))


@dataclass(frozen=True)
class _Curve:
    """Weight of true and false positives when all pairs scored at least `score[k]` are called."""

    score: Floats
    true: Floats
    false: Floats

    @classmethod
    def of(cls, logit: Floats, positive: NDArray[np.bool_], weights: Floats) -> "_Curve":
        order = np.argsort(-logit, kind="stable")
        score, weight, is_positive = logit[order], weights[order], positive[order]
        last_of_tie = np.append(np.flatnonzero(np.diff(score)), score.size - 1)
        true = np.cumsum(weight * is_positive)[last_of_tie]
        false = np.cumsum(weight * ~is_positive)[last_of_tie]
        return cls(score[last_of_tie], true, false)

    def aupr(self) -> float:
        """Average precision: sum of precision times the step in recall."""
        steps = np.diff(self.true, prepend=0.0)
        return float(np.sum(steps * self.true / (self.true + self.false)) / self.true[-1])

    def auc(self) -> float:
        """Area under true against false positive rate by trapezoids (ties count one half)."""
        height = self.true + np.append(0.0, self.true[:-1])
        area = np.sum(np.diff(self.false, prepend=0.0) * height) / 2.0
        return float(area / (self.true[-1] * self.false[-1]))

    def best_f1(self) -> tuple[float, float]:
        """Best F1 and its threshold as a logit, the highest of equally good ones.

        The threshold lies midway between the two neighbouring distinct scores, so that rounding does not flip
        predictions; it is the upper one where no number lies between them, and the lowest score itself where calling
        every pair positive is best.
        """
        f1 = 2.0 * self.true / (self.true + self.false + self.true[-1])
        best = int(np.argmax(f1 >= f1.max() - 1e-12))
        cut = float(self.score[best])
        if best == self.score.size - 1:
            return float(f1[best]), cut
        below = float(self.score[best + 1])
        middle = 0.5 * cut + 0.5 * below
        return float(f1[best]), middle if below < middle <= cut else cut


def best_f1_threshold(logit: ArrayLike, label: ArrayLike, prevalence: float | None = None) -> float:
    """argmax_t F1(y, l >= t), a logit, at the given prevalence.

    Ties in the logits are one candidate; of several thresholds with equal F1 the highest is returned. NaN
    without pairs, with one class only or with a logit that is NaN or infinite.
    """
    scores, positive = _checked(logit, label)
    if not 0 < positive.sum() < positive.size or not np.isfinite(scores).all():
        return float("nan")
    return _Curve.of(scores, positive, _weights(positive, prevalence)).best_f1()[1]


def negative_log_likelihood(
    logit: ArrayLike, label: ArrayLike, *, temperature: float = 1.0, prevalence: float | None = None
) -> float:
    """Mean of softplus(-l/T) over positives and softplus(l/T) over negatives, in nats per pair.

    `temperature` is one fitted elsewhere (on validation); NaN where undefined. Raises ValueError for T <= 0.
    """
    if not temperature > 0.0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    scores, positive = _checked(logit, label)
    one_class = prevalence is not None and not 0 < positive.sum() < positive.size
    if scores.size == 0 or one_class or not np.isfinite(scores).all():
        return float("nan")
    margin = np.where(positive, scores, -scores) / temperature
    return float(np.average(np.logaddexp(0.0, -margin), weights=_weights(positive, prevalence)))


def fit_temperature(logit: ArrayLike, label: ArrayLike) -> float:
    """T in [0.01, 100] that minimises the negative log-likelihood of sigma(l / T). NaN where undefined."""
    scores, positive = _checked(logit, label)
    if not 0 < positive.sum() < positive.size or not np.isfinite(scores).all():
        return float("nan")
    margin = np.where(positive, scores, -scores)
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
    scores, positive = _checked(logit, label)
    values: dict[str, float] = {"n": scores.size, "positives": int(positive.sum())}
    values |= dict.fromkeys(METRICS, float("nan"))
    if threshold_logit is not None:
        values |= {"threshold_logit": float(threshold_logit), "threshold": float(expit(threshold_logit))}
    two_classes = bool(0 < positive.sum() < positive.size)
    if scores.size == 0 or not np.isfinite(scores).all() or (prevalence is not None and not two_classes):
        return values
    weights = _weights(positive, prevalence)
    probability = expit(scores)
    share = float(np.average(positive, weights=weights))
    values["prevalence"] = share
    values["nll"] = negative_log_likelihood(scores, label, prevalence=prevalence)
    if temperature is not None and np.isfinite(temperature):
        values["nll_calibrated"] = negative_log_likelihood(
            scores, label, temperature=temperature, prevalence=prevalence
        )
    values["brier"] = float(np.average((probability - positive) ** 2, weights=weights))
    values["ece"] = _calibration_error(probability, positive, weights)
    values["logit_sd"] = _spread(scores, weights)
    values["probability_sd"] = _spread(probability, weights)
    values["saturated"] = float(np.average(np.abs(scores) > SATURATED, weights=weights))
    if not two_classes:
        return values
    curve = _Curve.of(scores, positive, weights)
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
) -> list[dict[str, Any]]:
    """Rows of `binary_metrics` per `cell_line` (by name), then of `macro` (mean over them) and `pooled` (all pairs).

    `cell` [N] holds cell line names. A metric that is undefined in a cell line is left out of the macro mean;
    macro's `n` and `positives` are totals. No pairs: the macro and pooled rows alone, all NaN. With `locus` [N], the
    2 Mb bin of every pair, `auc_design_effect` says how far neighbours widen the AUC's variance: of a cell line's own
    AUC, and in the pooled row of the mean over cell lines weighted by their pairs.
    """
    scores, labels, cells = np.asarray(logit), np.asarray(label), np.asarray(cell)
    if cells.shape != scores.shape:
        raise ValueError(f"cell must have the shape of logit {scores.shape}, not {cells.shape}")

    def metrics(rows: Any) -> dict[str, float]:
        return binary_metrics(
            scores[rows],
            labels[rows],
            threshold_logit=threshold_logit,
            prevalence=prevalence,
            temperature=temperature,
        )

    rows: list[dict[str, Any]] = [
        {"cell_line": str(name), **metrics(cells == name)} for name in np.unique(cells)
    ]
    pooled = metrics(slice(None))
    macro: dict[str, Any] = {"n": pooled["n"], "positives": pooled["positives"]}
    for key in METRICS:
        defined = [row[key] for row in rows if np.isfinite(row[key])]
        macro[key] = float(np.mean(defined)) if defined else float("nan")
    if locus is not None:
        loci = np.asarray(locus)
        for row in rows:
            here = cells == row["cell_line"]
            row["auc_design_effect"] = design_effect(scores[here], labels[here], cells[here], loci[here])
        macro["auc_design_effect"] = float("nan")
        pooled["auc_design_effect"] = design_effect(scores, labels, cells, loci)
    return [*rows, {"cell_line": MACRO, **macro}, {"cell_line": POOLED, **pooled}]


def aupr_by_cell(
    logit: ArrayLike, label: ArrayLike, cell: ArrayLike, *, prevalence: float | None = None
) -> list[float]:
    """`aupr` of the rows of `by_cell`, in their order, without the other metrics."""
    (scores, positive), cells = _checked(logit, label), np.asarray(cell)

    def aupr(rows: Any) -> float:
        kept, true = scores[rows], positive[rows]
        if not 0 < true.sum() < true.size or not np.isfinite(kept).all():
            return float("nan")
        return _Curve.of(kept, true, _weights(true, prevalence)).aupr()

    each = [aupr(cells == name) for name in np.unique(cells)]
    defined = [value for value in each if np.isfinite(value)]
    return [*each, float(np.mean(defined)) if defined else float("nan"), aupr(slice(None))]
