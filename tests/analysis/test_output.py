"""Text for people."""

import pytest

from analysis.output import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 seeds"), (1, "1 seed"), (2, "2 seeds"), (11, "11 seeds")]
)
def test_one_is_singular_and_every_other_number_plural(number: int, text: str) -> None:
    assert counted(number, "seed") == text
