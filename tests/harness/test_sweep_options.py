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


@pytest.mark.parametrize("text", ["-1", "65", "nan", "half"])
def test_shares_of_a_gpu_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match=f"--gpus-per-trial {text}: expected a number from 0 to 64"):
        parse(["a.yaml", f"--gpus-per-trial={text}"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            ["--set", "optimiser.lr=1", "--set", "optimiser.lr=2"],
            "--set optimiser.lr=2: --set optimiser.lr=1 sets the same",
        ),
        (["--set", "trial.epochs=3", "--set", "optimiser.epochs=2"], "--set trial.epochs=3 sets the same"),
        (
            ["--gpus-per-trial=1", "--set", "resources.gpus_per_trial=0"],
            "--gpus-per-trial 1: --set resources.gpus_per_trial gives it, too",
        ),
        (
            ["--trials=4", "--set", "trials=3"],
            "--trials 4: --set trials=3 gives the number of configurations",
        ),
    ],
)
def test_one_setting_is_given_once(given: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse(["a.yaml", *given])


@pytest.mark.parametrize("text", ["0", "-3", "many", "+", "1.5"])
def test_numbers_of_configurations_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="--trials"):
        parse(["a.yaml", f"--trials={text}"])
