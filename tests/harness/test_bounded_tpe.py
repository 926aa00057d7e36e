"""TPE over a part of its study: the same proposals as TPE while all is weighed, and those of that part alone later."""

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from harness.sweep.search import bounded
from harness.sweep.search.bounded import BoundedTPE, Ended, weighed

SPACE = {
    "lr": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
    "form": optuna.distributions.CategoricalDistribution(["linear", "gated"]),
}
optuna.logging.set_verbosity(optuna.logging.ERROR)


def study_of(values: list[float | None]) -> optuna.Study:
    """A study to maximise: a value per trial that is complete, None for a pruned one."""
    study = optuna.create_study(direction="maximize")
    for number, value in enumerate(values):
        params = {"lr": 10 ** -(1 + number % 30 / 10), "form": ("linear", "gated")[number % 2]}
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        study.add_trial(create_trial(state=state, value=value, params=params, distributions=SPACE))
    return study


def proposals(study: optuna.Study, sampler: optuna.samplers.BaseSampler) -> list[dict[str, object]]:
    study.sampler = sampler
    return [study.ask(SPACE).params for _ in range(3)]


def values_of(count: int) -> list[float | None]:
    return [None if number % 7 == 3 else (number * 37 % 101) / 101 for number in range(count)]


def test_while_all_is_weighed_it_is_tpe() -> None:
    values = values_of(60)
    full = optuna.samplers.TPESampler(seed=3, constant_liar=True)
    assert proposals(study_of(values), BoundedTPE(seed=3, constant_liar=True)) == proposals(
        study_of(values), full
    )


def test_later_it_is_tpe_of_the_weighed_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "BOUND", 20)
    monkeypatch.setattr(bounded, "BEST", 4)
    whole = study_of(values_of(60))
    part = optuna.create_study(direction="maximize")
    part.add_trials(weighed(whole.get_trials(), whole.directions))
    assert len(part.trials) == 20
    full = optuna.samplers.TPESampler(seed=3, constant_liar=True)
    other = proposals(study_of(values_of(60)), optuna.samplers.TPESampler(seed=3, constant_liar=True))
    proposed = proposals(whole, BoundedTPE(seed=3, constant_liar=True))
    assert proposed == proposals(part, full)
    assert proposed != other, "the bound changes nothing here, so that this test shows nothing"


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=200))
def test_the_best_and_the_last_are_weighed(values: list[float | None]) -> None:
    trials = [
        create_trial(state=TrialState.PRUNED if value is None else TrialState.COMPLETE, value=value)
        for value in values
    ]
    for number, trial in enumerate(trials):
        trial.number = number
    running = create_trial(state=TrialState.RUNNING)
    running.number = len(trials)
    kept = weighed([*trials, running], [StudyDirection.MAXIMIZE])
    assert kept[-1] is running
    assert len(kept) == 1 + min(len(values), bounded.BOUND)
    assert [trial.number for trial in kept] == sorted(trial.number for trial in kept)
    best = sorted((value for value in values if value is not None), reverse=True)[: bounded.BEST]
    assert set(best) <= {trial.value for trial in kept[:-1]}
    numbers = {trial.number for trial in kept}
    assert set(range(max(0, len(values) - bounded.BOUND + bounded.BEST), len(values))) <= numbers


@given(st.permutations(range(40)), st.integers(1, 40))
def test_looking_at_each_end_once_gives_the_same(order: list[int], started: int) -> None:
    """Trials end in any order while others begin; what is kept of earlier looks changes nothing."""
    ended = Ended([StudyDirection.MINIMIZE])
    trials = [create_trial(state=TrialState.RUNNING) for _ in range(started)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(bounded, "BOUND", 12)
        patched.setattr(bounded, "BEST", 3)
        for number in order:
            trials += [create_trial(state=TrialState.RUNNING) for _ in range(number + 1 - len(trials))]
            state = (TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAIL)[number % 3]
            value = float(number * 7 % 5) if state is TrialState.COMPLETE else None
            trials[number] = create_trial(state=state, value=value)
            assert ended.weighed(trials) == weighed(trials, [StudyDirection.MINIMIZE])
