"""Importances against planted dependence, branch by branch of a conditional space."""

import warnings
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from analysis.errors import UserError
from analysis.importance import EVERYWHERE, Branch, importance
from analysis.importance_view import importance_view
from analysis.schema import STUDIES
from analysis.store import Run
from tests.recorded.copies import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search whose objective depends on `lr` everywhere, and on the slope of a gated energy where there is one."""
    folder = write_run(tmp_path_factory.mktemp("importance") / "run", seeds=(0,))
    (folder / STUDIES).mkdir()
    storage = JournalStorage(JournalFileBackend(str(folder / STUDIES / "abc.log")))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(
            storage=storage, direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1)
        )
        for at in range(60):
            trial = study.ask()
            form = trial.suggest_categorical("energy.form", ["linear", "gated"])
            lr, idle = trial.suggest_float("lr", 0, 1), trial.suggest_float("idle", 0, 1)
            value = lr + 0.001 * idle
            if form == "gated":
                value = 0.1 * lr + 2 * trial.suggest_float("energy.w", 0, 1)
            if at == 0:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                study.tell(trial, value)
    return folder


def test_planted_dependence_is_found_in_each_branch(run: Path) -> None:
    (result,) = importance(Run(run))
    branches = {branch.where: branch for branch in result.branches}
    assert next(iter(branches)) == EVERYWHERE
    assert set(branches) == {EVERYWHERE, "energy.form = gated", "energy.form = linear"}
    assert set(branches[EVERYWHERE].fanova) == {"energy.form", "lr", "idle"}
    assert max(branches[EVERYWHERE].fanova.items(), key=lambda item: item[1])[0] != "idle"
    linear, gated = branches["energy.form = linear"], branches["energy.form = gated"]
    assert linear.configurations + gated.configurations == 59
    assert result.pruned == 1
    for shares in (linear.ped_anova, linear.fanova):
        assert max(shares, key=shares.__getitem__) == "lr"
        assert set(shares) == {"lr", "idle"}, "what is the same all over a branch has no share in it"
    for shares in (gated.ped_anova, gated.fanova):
        assert max(shares, key=shares.__getitem__) == "energy.w"
        assert sum(shares.values()) == pytest.approx(1)


def test_importance_says_what_it_is_not(run: Path) -> None:
    text = " ".join(str(part) for part in importance_view(Run(run)))
    assert "importance is not effect" in text
    assert "seed 0" in text
    assert "1 pruned configuration left out" in text


def test_equal_results_have_no_importance(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", seeds=(0,))
    (folder / STUDIES).mkdir()
    storage = JournalStorage(JournalFileBackend(str(folder / STUDIES / "abc.log")))
    study = optuna.create_study(storage=storage, direction="maximize")
    for at in range(12):
        study.add_trial(
            optuna.trial.create_trial(
                value=0.5,
                params={"lr": at / 12},
                distributions={"lr": optuna.distributions.FloatDistribution(0, 1)},
            )
        )
    (result,) = importance(Run(folder))
    assert [(branch.why_not, branch.shares) for branch in result.branches] == [
        ("all of them have the same value", [])
    ]
    assert "not estimated: all of them have the same value" in " ".join(
        map(str, importance_view(Run(folder)))
    )


def test_what_both_estimators_name_stands_first() -> None:
    branch = Branch("x", 20, {"a": 0.55, "b": 0.45}, {"a": 0.05, "b": 0.95})
    assert [name for name, *_ in branch.shares] == ["b", "a"]


def test_run_without_a_study_is_told_so(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", seeds=(0,))
    with pytest.raises(UserError, match="no study lies in studies"):
        importance(Run(folder))
