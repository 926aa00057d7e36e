"""TPE over a bounded part of its study, so that the thousandth proposal costs what the hundredth does."""

from bisect import insort
from collections.abc import Container, Sequence
from itertools import islice
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
    _ended: "Ended | None" = None

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
            trials = study.get_trials(deepcopy=False)
            if self._ended is None or self._ended.looked > len(trials):
                self._ended = Ended(study.directions)
            self._part = trial.number, _Part(study, self._ended.weighed(trials))
        return cast(optuna.Study, self._part[1])


class _Part:
    """A study with some of its trials, and everything else that it has."""

    def __init__(self, study: optuna.Study, trials: list[FrozenTrial]) -> None:
        self._study, self._trials = study, trials

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


class Ended:
    """What `weighed` needs of the trials of one study: each is looked at until it has ended, and then no more, so that a
    proposal costs the same however many there are. `looked`: trials that were there at the last look."""

    def __init__(self, directions: Sequence[StudyDirection]) -> None:
        self.looked = 0
        self._sign = -1.0 if directions[0] is StudyDirection.MAXIMIZE else 1.0
        self._unfinished: list[int] = []
        self._numbers: list[int] = []
        """Of those that count, in order."""
        self._best: list[tuple[float, int]] = []
        """The BEST complete ones: signed value and number."""

    def weighed(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """See the function; `trials` are all of the study, in their order."""
        new = [*self._unfinished, *range(self.looked, len(trials))]
        self.looked, self._unfinished = len(trials), []
        for number in new:
            self._look(trials[number], number)
        if len(self._numbers) <= BOUND:
            return list(trials)
        best = {number for _, number in self._best}
        others = (number for number in reversed(self._numbers) if number not in best)
        last = islice(others, BOUND - len(best))
        return [trials[number] for number in sorted([*best, *last, *self._unfinished])]

    def _look(self, trial: FrozenTrial, number: int) -> None:
        if not trial.state.is_finished():
            self._unfinished.append(number)
        elif trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            insort(self._numbers, number)
            if trial.state is TrialState.COMPLETE:
                insort(self._best, (self._sign * trial.values[0], number))
                del self._best[BEST:]


def weighed(trials: Sequence[FrozenTrial], directions: Sequence[StudyDirection]) -> list[FrozenTrial]:
    """The trials that a proposal weighs, in their order: of those that ended the BEST complete ones by the first objective
    and the last others, BOUND in all; and those that run."""
    return Ended(directions).weighed(trials)
