"""Broken loss terms in shared trials that no fault stops: each has to be accused."""

import pytest

from tests.sabotage.choice import ROWS, TOGETHER, way
from tests.sabotage.trial import Bench


@pytest.mark.parametrize("terms", TOGETHER, ids=range(len(TOGETHER)))
def test_terms_that_are_broken_together_are_all_accused(bench: Bench, terms: dict[str, str]) -> None:
    accused = bench.judge_together([(ROWS[key], way(key, text)) for key, text in terms.items()])
    assert [key for key in terms if key not in accused] == []
