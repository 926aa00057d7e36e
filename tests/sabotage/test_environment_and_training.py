"""Broken mechanisms of the environment, the losses and the training: each has to stop its trial, or to be accused."""

import pytest

from tests.sabotage.choice import MISSED, ROWS, SINGLE, TOGETHER, way
from tests.sabotage.trial import Bench

KEYS = [key for key in SINGLE if ROWS[key].id > "M16"]


@pytest.mark.parametrize("key", KEYS)
def test_a_broken_mechanism_stops_its_trial(bench: Bench, key: str) -> None:
    result = bench.judge(ROWS[key], way(key, SINGLE[key]))
    assert result.word == ("MISSED" if key in MISSED else "caught"), result


@pytest.mark.parametrize("terms", TOGETHER, ids=range(len(TOGETHER)))
def test_terms_that_are_broken_together_are_all_accused(bench: Bench, terms: dict[str, str]) -> None:
    accused = bench.judge_together([(ROWS[key], way(key, text)) for key, text in terms.items()])
    assert {key for key in terms if key not in accused} == MISSED & terms.keys()
