"""TPE over a bounded part of its study, so that the thousandth proposal costs what the hundredth does."""

from collections.abc import Container, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

BEST = 12
"""Complete trials, the best of the whole study, that are always weighed: TPE's good density is made of a tenth of those
that it weighs."""
BOUND = 120
"""Trials that ended and are weighed; beside the best ones the last: TPE itself gives older ones less and less weight."""


class BoundedTPE(TPESampler):
    """Optuna's TPE (Bergstra et al. 2011), which weighs every earlier trial for every proposal, over at most BOUND trials
    that ended and all that run. Up to BOUND it is TPE itself, proposal for proposal.
    """

    _part: tuple[int, "_Part"] | None = None

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return super().infer_relative_search_space(self._bounded(study, trial), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(self._bounded(study, trial), trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        bounded = self._bounded(study, trial)
        return super().sample_independent(bounded, trial, param_name, param_distribution)

    def _bounded(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        """What is weighed for a proposal is chosen once."""
        if self._part is None or self._part[0] != trial.number:
            self._part = trial.number, _Part(study)
        return cast(optuna.Study, self._part[1])


class _Part:
    """A study with the `weighed` of its trials, and everything else that it has."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._trials = weighed(study.get_trials(deepcopy=False), study.directions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        """What Optuna's samplers ask a study for."""
        if deepcopy:
            raise ValueError("a part of a study gives its trials themselves")
        return [trial for trial in self._trials if states is None or trial.state in states]


def weighed(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """The trials that a proposal weighs, in their order: of those that ended the BEST complete ones by the first objective
    and the last others, BOUND in all; and those that run."""
    ended = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    if len(ended) <= BOUND:
        return list(trials)
    sign = -1.0 if directions[0] is StudyDirection.MAXIMIZE else 1.0
    complete = [trial for trial in ended if trial.state is TrialState.COMPLETE]
    best = {trial.number for trial in sorted(complete, key=lambda trial: sign * trial.values[0])[:BEST]}
    others = [trial.number for trial in ended if trial.number not in best]
    kept = best.union(others[len(best) - BOUND :])
    return [trial for trial in trials if trial.number in kept or not trial.state.is_finished()]
