"""The command line of a sweep: what it accepts, and the one sentence for what it does not."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.sweep.options import parse, seconds


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("45", 45)]
)
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "0", "-5m", "2 weeks"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="--time"):
        seconds(text)


def test_gpu_share_is_a_setting_of_the_sweep_like_any_other() -> None:
    given = parse(["a.yaml", "--gpus-per-trial", "0.5", "--set", "optimiser.lr=0.1"])
    assert given.yaml == Path("a.yaml")
    assert given.sets == ("optimiser.lr=0.1", "resources.gpus_per_trial=0.5")


@pytest.mark.parametrize("text", ["0", "-3", "many", "+", "1.5"])
def test_numbers_of_configurations_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="--trials"):
        parse(["a.yaml", f"--trials={text}"])
