"""Broken mechanisms of the environment, the losses and the training: each has to stop its trial."""

import pytest

from tests.sabotage.choice import ROWS, SINGLE, way
from tests.sabotage.trial import Bench

KEYS = [key for key in SINGLE if ROWS[key].id > "M16"]


@pytest.mark.parametrize("key", KEYS)
def test_a_broken_mechanism_stops_its_trial(bench: Bench, key: str) -> None:
    result = bench.judge(ROWS[key], way(key, SINGLE[key]))
    assert result.word == "caught", result
