"""Which hyper-parameters of a search the objective varied with: PED-ANOVA and fANOVA, branch by branch."""

import math
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
EVERYWHERE = "every configuration, by what all of them have"


@dataclass(frozen=True)
class Branch:
    """Configurations that have the same hyper-parameters: `where` says which conditions hold there; `ped_anova` and
    `fanova` by hyper-parameter that varies there, each summing to 1, empty where `why_not` says why nothing is
    estimated."""

    where: str
    configurations: int
    ped_anova: dict[str, float]
    fanova: dict[str, float]
    why_not: str = ""

    @property
    def shares(self) -> list[tuple[str, float, float]]:
        """(hyper-parameter, PED-ANOVA, fANOVA), the largest mean of both first."""
        rows = [(name, ped, self.fanova.get(name, math.nan)) for name, ped in self.ped_anova.items()]
        return sorted(rows, key=lambda row: -(row[1] + row[2]))


@dataclass(frozen=True)
class Importance:
    """Of one objective of a run's search; `pruned` configurations have no final value and are in no branch."""

    objective: str
    branches: list[Branch]
    pruned: int


def importance(run: Run) -> list[Importance]:
    """Share of the objective's variation that goes with each hyper-parameter, of every objective of the newest study.

    A conditional space is split into branches whose configurations have the same hyper-parameters, since both
    estimators leave out what not every configuration has; what all of them have, the choice of the branch among it, is
    judged over all of them first. PED-ANOVA (Watanabe et al. 2023) compares the best tenth
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
    groups = _branches(finished)
    common = sorted(set.intersection(*(set(trial.params) for trial in finished)))
    places = [_where(trials, finished) for trials in groups]
    for at, trials in enumerate(groups):
        if places.count(places[at]) > 1:
            only = sorted(set(trials[0].params) - set(common))
            places[at] += f"; with {', '.join(only) or 'nothing beyond what all have'}"
    result = []
    for at, name in enumerate(names):
        branches = [
            _branch(study, at, trials, where, sorted(trials[0].params))
            for trials, where in zip(groups, places, strict=True)
        ]
        if len(groups) > 1 and common:
            branches.insert(0, _branch(study, at, finished, EVERYWHERE, common))
        result.append(Importance(name, branches, pruned))
    return result


def _study(run: Run) -> "Study":
    files = sorted((run.path / STUDIES).glob("*.log"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise UserError(
            f"{run.path}: no study lies in {STUDIES}/; importances are of a search or a grid, and starting its sweep again "
            "makes the study anew"
        )
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
    study: "Study", at: int, trials: Sequence["FrozenTrial"], where: str, names: Sequence[str]
) -> Branch:
    """Importances of `names`, which all of `trials` have, for the objective `at`."""
    import optuna
    from optuna.importance import (
        FanovaImportanceEvaluator,
        PedAnovaImportanceEvaluator,
        get_param_importances,
    )

    varied = [name for name in names if len({repr(trial.params[name]) for trial in trials}) > 1]
    why_not = ""
    if len(trials) < FEWEST:
        why_not = f"fewer than {FEWEST} finished configurations"
    elif not varied:
        why_not = "no hyper-parameter varies here"
    elif _equal([trial.values[at] for trial in trials]):
        why_not = "all of them have the same value"
    if why_not:
        return Branch(where, len(trials), {}, {}, why_not)
    part = optuna.create_study(direction=study.directions[at])
    for trial in trials:
        params = {name: trial.params[name] for name in varied}
        distributions = {name: trial.distributions[name] for name in varied}
        part.add_trial(
            optuna.trial.create_trial(value=trial.values[at], params=params, distributions=distributions)
        )
    with warnings.catch_warnings():
        # PED-ANOVA is marked experimental by Optuna, which says so at every use.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        ped = get_param_importances(part, evaluator=PedAnovaImportanceEvaluator())
        fanova = get_param_importances(part, evaluator=FanovaImportanceEvaluator(seed=SEED))
    return Branch(where, len(trials), ped, fanova)


def _equal(values: Sequence[float]) -> bool:
    """Whether values differ by no more than rounding: no forest can split them."""
    return max(values) - min(values) <= 1e-7 * max(map(abs, values))


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
