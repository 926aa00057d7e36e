"""The posterior mean of a Gaussian process over cell lines, in float64 NumPy, from its definition."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from analysis.ledger.forms import Floats, Unit
from analysis.ledger.unit import KNOWN, UnitLedger

EPS = float(np.finfo(np.float32).eps)
SAME = 1e-5
"""Difference that is rounding in float32, relative to 1 + the sum of the absolute summands of a mean."""
SOLVED = 8.0
"""Rounding errors that a solution in float32 is apart from the true one, times the condition of its matrix."""
SCALARS = ("lengthscale", "variance", "noise")


class KernelMean(NamedTuple):
    """mean [n] at the places asked for, and how far [n] float32 may be from it."""

    mean: Floats
    tolerance: Floats


def posterior(place: Floats, unit: Unit) -> KernelMean:
    """m + k* (K + noise I)^-1 (r - m) at place [n, F], given the row of `ledger`: raw R_E `prior_r` of the C training cell
    lines at their places `prior_places` [C, F].

    k(x, y) = variance exp(-|x - y|^2 / (2 lengthscale^2 D)), D the mean squared distance of two of these cell lines (1 of
    fewer than two), m the mean of r (0 of none).
    """
    r = np.asarray(unit["prior_r"], dtype=np.float64)
    if not len(r):
        return KernelMean(np.zeros(len(place)), np.full(len(place), SAME))
    places = np.asarray(unit["prior_places"], dtype=np.float64).reshape(len(r), -1)
    apart = 1.0
    if len(r) > 1:
        apart = 2 * float(np.square(places - places.mean(0)).sum()) / (len(r) - 1) + 1e-6

    def kernel(one: Floats) -> Floats:
        square = np.square(one[:, None, :] - places[None, :, :]).sum(-1)
        of_lines: Floats = unit["variance"] * np.exp(-square / (2 * unit["lengthscale"] ** 2 * apart))
        return of_lines

    gram = kernel(places) + unit["noise"] * np.eye(len(r))
    solved = np.linalg.solve(gram, kernel(place).T).T
    centred = r - r.mean()
    summands = np.abs(r.mean()) + np.abs(solved * centred).sum(1)
    lost = SOLVED * EPS * np.linalg.cond(gram) * np.linalg.norm(solved, axis=1) * np.linalg.norm(centred)
    return KernelMean(r.mean() + solved @ centred, SAME * (1 + summands) + lost)


def posterior_is_that_of_the_prior(unit: UnitLedger) -> Iterator[str]:
    """The posterior mean that is recorded of an unseen cell line is that of the kernel, given what is recorded of the
    training cell lines; the kernel is the configured one."""
    if unit.embeddings.empty or not unit.acts or not unit.ledger["posterior"]:
        return
    prior = unit.settings.get("environment", {}).get("prior", {})
    for name in SCALARS:
        recorded = unit.ledger[name]
        if recorded is None or (name in prior and abs(recorded - prior[name]) > EPS * prior[name]):
            yield f"{name} of the prior is recorded as {recorded}, and the configuration says {prior.get(name)}"
            return
    rows = np.flatnonzero(~unit.embeddings["split"].isin(KNOWN).to_numpy())
    places = [unit.embeddings["place"].iloc[at] for at in rows]
    lacking = [at for at, place in zip(rows, places, strict=True) if place is None]
    if lacking or unit.ledger["prior_r"] is None:
        where = unit.place(lacking[0]) if lacking else "the ledger"
        yield f"{where} has no place under the prior, and its posterior mean cannot be made again"
        return
    made = posterior(np.array(places, dtype=np.float64).reshape(len(rows), -1), unit.ledger)
    stored = unit.embedded("posterior")[rows]
    wrong = np.abs(stored - made.mean) > made.tolerance
    if wrong.any():
        at = int(np.argmax(wrong))
        yield (
            f"{unit.place(rows[at])}: the posterior mean is {stored[at]:.6g}, and the kernel over "
            f"{len(unit.ledger['prior_r'])} training cell lines gives {made.mean[at]:.6g}"
        )
