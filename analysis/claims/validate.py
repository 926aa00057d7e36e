"""Are the answers right? Each prediction judged in simulated stores in which it is true, and in which it is false."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.claims.claim import Answer, Claim
from analysis.claims.correction import correction
from analysis.claims.environment import environment
from analysis.claims.features import features
from analysis.claims.gate import gate
from analysis.claims.inputs import ClaimInputs
from analysis.claims.mutual_information import mutual_information
from analysis.claims.potential import potential
from analysis.claims.worlds import WORLDS

REPLICATES, SEEDS = 20, 5
"""Simulated stores each way, and seeds of each of them."""
JUDGES: dict[str, Callable[[ClaimInputs], Claim]] = {
    "gate": gate,
    "mutual information": mutual_information,
    "features": features,
    "correction": correction,
    "potential": potential,
    "environment": environment,
}


@dataclass(frozen=True)
class Validity:
    """Answers about one part of a prediction in simulated stores where it is `true`, or false."""

    claim: str
    part: str
    true: bool
    stores: int
    right: int
    wrong: int

    @property
    def undecided(self) -> int:
        return self.stores - self.right - self.wrong

    @property
    def most_wrong(self) -> float:
        """Upper end of the 95 % Clopper-Pearson interval of the share of wrong answers."""
        return float(stats.binomtest(self.wrong, self.stores).proportion_ci(0.95, "exact").high)


def validities(
    replicates: int = REPLICATES, seeds: int = SEEDS, keys: Sequence[str] = tuple(WORLDS)
) -> Iterator[Validity]:
    """Of every part of the predictions `keys`, in `replicates` simulated stores of so many seeds each way."""
    for key in keys:
        for true in (True, False):
            answers: dict[str, list[Answer]] = {}
            for replicate in range(replicates):
                random = np.random.default_rng([replicate, int(true), *key.encode()])
                for part in JUDGES[key](WORLDS[key](true, seeds, random)).parts:
                    answers.setdefault(part.name, []).append(part.answer)
            right: Answer = "supported" if true else "refuted"
            wrong: Answer = "refuted" if true else "supported"
            for name, each in answers.items():
                yield Validity(key, name, true, len(each), each.count(right), each.count(wrong))
