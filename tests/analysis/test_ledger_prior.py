"""The posterior of a prior is made again from its kernel, and what is recorded of it may not be another one."""

from typing import Any

import numpy as np
import pytest

from analysis.ledger.prior import posterior, posterior_is_that_of_the_prior
from analysis.ledger.unit import KNOWN, UnitLedger
from tests.analysis.written_ledger import KERNEL, LINES, posterior_of, written


def said(unit: UnitLedger) -> list[str]:
    return list(posterior_is_that_of_the_prior(unit))


def test_a_posterior_is_that_of_its_definition() -> None:
    place = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    made = posterior(place.astype(np.float64), {**KERNEL, **LINES})
    np.testing.assert_allclose(made.mean, [posterior_of(each) for each in place], rtol=1e-12)
    assert (made.tolerance < 1e-4).all()


@pytest.mark.parametrize("met", [0, 1])
def test_of_no_cell_line_it_is_0_and_far_from_one_the_mean(met: int) -> None:
    lines = {name: values[:met] for name, values in LINES.items()}
    made = posterior(np.full((2, 2), 40.0), {**KERNEL, **lines})
    np.testing.assert_allclose(made.mean, LINES["prior_r"][0] if met else 0.0)


def test_a_true_record_passes() -> None:
    assert said(written()) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"lengthscale": 1.6}, "lengthscale of the prior is recorded as 1.6, and the configuration says 0.8"),
        ({"noise": None}, "noise of the prior is recorded as None"),
        ({"prior_r": [0.1, 0.7, -0.3]}, "the kernel over 3 training cell lines gives"),
        ({name: values[:2] for name, values in LINES.items()}, "the kernel over 2 training cell lines gives"),
        ({"prior_r": None}, "the ledger has no place under the prior"),
    ],
)
def test_another_kernel_or_line_is_seen(change: dict[str, Any], text: str) -> None:
    (sentence,) = said(written(**change))
    assert text in sentence


def test_another_posterior_that_r_raw_agrees_with_is_seen() -> None:
    unit = written()
    unseen = ~unit.embeddings["split"].isin(KNOWN)
    for name in ("posterior", "r_raw"):
        unit.embeddings.loc[unseen, name] += 1e-3
    (sentence,) = said(unit)
    assert sentence.startswith("split val_unseen, cell line C, draw 0: the posterior mean is")
    unit.embeddings["place"] = None
    (sentence,) = said(unit)
    assert "has no place under the prior" in sentence
