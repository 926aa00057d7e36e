"""Random trials are the same everywhere, have every setting sooner or later, and accuse nobody."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from tests.intact import at_random
from tests.intact.factors import ENERGIES
from tests.intact.run import Outcome

SHARE = (100, 103)


def test_a_trial_is_the_same_each_time() -> None:
    first, again = (at_random.random_trial(number) for number in (7, 7))
    assert first == again
    assert len({at_random.random_trial(number).config.id for number in range(20)}) == 20


def test_drawn_trials_have_every_kind() -> None:
    drawn = [at_random.random_trial(number) for number in range(300)]
    configs = [trial.config for trial in drawn]
    assert {config.energy.form for config in configs} == set(ENERGIES)
    assert {config.balance.kind for config in configs} == {"fixed", "ramp", "grad_norm", "pcgrad"}
    assert {config.episode.sampler for config in configs} == {"cell_batch", "meta_batch", "random"}
    assert len({trial.told.partition(",")[0] for trial in drawn}) == 10
    assert {config.temperature.mode for config in configs} == {"fixed", "learned", "per_cell", "calibrated"}


@pytest.mark.parametrize("number", SHARE)
def test_nobody_is_accused_at_random(number: int, tmp_path: Path) -> None:
    outcome = at_random.run(number, tmp_path / "cache", tmp_path / "run")
    assert at_random.undeserved(outcome) == [], outcome


def test_what_settings_deserve_is_no_false_accusation() -> None:
    ranking = (
        f"first M31 ranking_pairwise inert: no query set of 100 batches has both labels: {at_random.TRUE}"
    )
    follows = "first - loss.ranking.tau inert: loss.ranking.tau is configured and nothing reads it"
    other = "first M28 pearson inert: no gradient"
    outcome = Outcome("1", "x", "stopped", "", (ranking, follows, other), 1.0)
    assert at_random.undeserved(outcome) == [other]
    assert at_random.undeserved(Outcome("1", "x", "stopped", "", (follows,), 1.0)) == [follows]


def test_none_is_refused() -> None:
    with pytest.raises(UserError, match=r"^N is 0: expected at least 1$"):
        at_random.main(["0"])
    with pytest.raises(UserError, match=r"^--start -1: expected 0 or more$"):
        at_random.main(["1", "--start", "-1"])
