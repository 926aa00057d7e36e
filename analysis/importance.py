"""Which hyper-parameters of a search the objective varied with: PED-ANOVA and fANOVA, branch by branch."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.errors import UserError
from analysis.schema import STUDIES
from analysis.store import Run

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

FEWEST = 10
"""Finished configurations of a branch below which nothing is estimated."""
SEED = 0
"""Of fANOVA's random forest."""


@dataclass(frozen=True)
class Branch:
    """Configurations that have the same hyper-parameters: `where` says which conditions hold there; `ped_anova` and
    `fanova` by hyper-parameter, each summing to 1, empty below `FEWEST` configurations."""

    where: str
    configurations: int
    ped_anova: dict[str, float]
    fanova: dict[str, float]


@dataclass(frozen=True)
class Importance:
    """Of one objective of a run's search; `pruned` configurations have no final value and are in no branch."""

    objective: str
    branches: list[Branch]
    pruned: int


def importance(run: Run) -> list[Importance]:
    """Share of the objective's variation that goes with each hyper-parameter, of every objective of the newest study.

    A conditional space is split into branches whose configurations have the same hyper-parameters, since both
    estimators leave out what not every configuration has. PED-ANOVA (Watanabe et al. 2023) compares the best tenth
    with all; fANOVA (Hutter et al. 2014) decomposes the variance of a random forest (64 trees, seed 0). Neither has
    a sign or an interval: importance is not effect.

    Raises UserError for a run without a study of a search, and where it cannot be read.
    """
    study = _study(run)
    from optuna.trial import TrialState

    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    pruned = len(study.get_trials(deepcopy=False, states=(TrialState.PRUNED,)))
    varied = {name for trial in finished for name in trial.params}
    if not varied:
        raise UserError(f"{run.path}: no finished configuration of a search with a hyper-parameter yet")
    names = study.metric_names or [f"objective {at + 1}" for at in range(len(study.directions))]
    if len(study.directions) == 1:
        names = [run.plan().get("objective") or names[0]]
    return [
        Importance(name, [_branch(study, at, trials, finished) for trials in _branches(finished)], pruned)
        for at, name in enumerate(names)
    ]


def _study(run: Run) -> "Study":
    files = sorted((run.path / STUDIES).glob("*.log"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise UserError(f"{run.path}: it has no study; importances are of a run with design: search or grid")
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return _opened(files[-1], JournalStorage(JournalFileBackend(str(files[-1]))))


def _opened(file: Path, storage: object) -> "Study":
    import optuna

    try:
        (name,) = optuna.get_all_study_names(storage=storage)  # type: ignore[arg-type]
        return optuna.load_study(study_name=name, storage=storage)  # type: ignore[arg-type]
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{file} cannot be read as a study: {type(error).__name__}: {error}") from error


def _branches(trials: Sequence["FrozenTrial"]) -> list[list["FrozenTrial"]]:
    """Trials by the set of their hyper-parameters, the largest branch first."""
    groups: dict[frozenset[str], list[FrozenTrial]] = {}
    for trial in trials:
        groups.setdefault(frozenset(trial.params), []).append(trial)
    return sorted(groups.values(), key=len, reverse=True)


def _branch(
    study: "Study", at: int, trials: Sequence["FrozenTrial"], every: Sequence["FrozenTrial"]
) -> Branch:
    import optuna
    from optuna.importance import (
        FanovaImportanceEvaluator,
        PedAnovaImportanceEvaluator,
        get_param_importances,
    )

    ped: dict[str, float] = {}
    fanova: dict[str, float] = {}
    if len(trials) >= FEWEST:
        part = optuna.create_study(direction=study.directions[at])
        for trial in trials:
            part.add_trial(
                optuna.trial.create_trial(
                    value=trial.values[at], params=trial.params, distributions=trial.distributions
                )
            )
        with warnings.catch_warnings():
            # PED-ANOVA is marked experimental by Optuna, which says so at every use.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            ped = get_param_importances(part, evaluator=PedAnovaImportanceEvaluator())
            fanova = get_param_importances(part, evaluator=FanovaImportanceEvaluator(seed=SEED))
    return Branch(_where(trials, every), len(trials), ped, fanova)


def _where(trials: Sequence["FrozenTrial"], every: Sequence["FrozenTrial"]) -> str:
    """What tells a branch from the others: choices whose values here are not all there are, and the hyper-parameters that
    only it has."""
    names = sorted({name for trial in every for name in trial.params})
    common = set.intersection(*(set(trial.params) for trial in every))
    said = []
    for name in (each for each in names if each in common):
        here, there = ({repr(trial.params[name]) for trial in some} for some in (trials, every))
        if here != there and len(there) <= len(every) // 2:
            values = sorted({str(trial.params[name]) for trial in trials})
            said.append(f"{name} = {' or '.join(values)}")
    only = sorted(set(trials[0].params) - common)
    return "; ".join(said) or (f"with {', '.join(only)}" if only else "every configuration")
