"""Labels of support pairs that a step shows: half of either class, and others at every step."""

import math
from collections.abc import Iterator

import numpy as np

from harness.audit.bounds import BY_CHANCE, is_other_share
from harness.audit.breach import Breach

SHARE = 0.5
"""Chance with which the label of a support pair is shown, where `support.labels` shows any."""
KEPT = 4
"""Latest steps whose choice is compared with the next one."""


class ShownLabels:
    """Sums over the steps of a unit."""

    def __init__(self) -> None:
        self.shown, self.pairs = np.zeros(2), np.zeros(2)
        """By label: pairs that were shown, and all."""
        self.latest: list[np.ndarray] = []
        self.repeats = 0.0
        """Log-probability that as many steps in a row show what one of those before them showed."""

    def of_step(self, shown: np.ndarray, label: np.ndarray) -> Iterator[Breach]:
        """`shown` bool [E, S], the data's `label` [E, S] of the support pairs of a step."""
        again = any(np.array_equal(shown, each) for each in self.latest)
        self.repeats = self.repeats + shown.size * math.log(SHARE) + math.log(KEPT) if again else 0.0
        if self.repeats < math.log(BY_CHANCE):
            text = "the labels that are shown are those of the places of an earlier step, again and again"
            yield Breach("labels chosen", "support", text)
        self.latest = [*self.latest, shown][-KEPT:]
        for value in (0, 1):
            self.shown[value] += shown[label == value].sum()
            self.pairs[value] += (label == value).sum()
            count, pairs = self.shown[value], self.pairs[value]
            if is_other_share(count, pairs, SHARE):
                text = f"{count:.0f} of {pairs:.0f} labels {value} of support pairs were shown; half of them are to be"
                yield Breach(f"labels {value} shown", "support", text)
