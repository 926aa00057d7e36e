"""The support draws of a prediction: different pairs, no kind of pair preferred, and the same ones at every scoring."""

from collections.abc import Iterator, Sequence

import numpy as np

from harness.audit.bounds import is_deviation
from harness.audit.breach import Breach
from harness.audit.promised import Places, PromisedSplit
from harness.trial.score.predict import SplitScores


class SupportDraws:
    """Of every scoring of a split, by the U_I of the support pairs that arrived; what the first draws of a split's cell
    lines were is kept for the scorings to come."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.kept: dict[str, np.ndarray] = {}
        """Split -> rows [K, S] of the first draws, -1 where several pairs have the same U_I."""

    def breaches(self, split: SplitScores, promised: PromisedSplit, places: Places) -> Iterator[Breach]:
        """Of support sets whose values all are pairs of their cell lines."""
        name, size = split.split, places.first.shape[2]
        line = promised.number >> 32
        count = np.bincount(line)
        repeated = places.repeated.any(1) & (count >= size)
        if repeated.any():
            at = self.lines[promised.codes[int(np.argmax(repeated))]]
            text = f"a support set of cell line {at} of split {name} holds a pair twice, and there are others"
            yield Breach("support twice", "prediction", text)
        for what, trait in (("label 1", promised.label.astype(float)), ("a late place", _place(promised))):
            mean, variance = _moments(trait[promised.order], line, count)
            gap = float((places.mean(trait) - mean[:, None, None]).sum())
            if is_deviation(gap, float(variance.sum()) * places.first[0].size):
                way = "prefer" if gap > 0 else "avoid"
                text = f"support sets of split {name} {way} pairs with {what}; they are drawn at random"
                yield Breach("support at random", "prediction", text)
        before, now = self.kept.get(name), places.alone()
        if (
            before is not None
            and before.shape == now.shape
            and ((before != now) & (before >= 0) & (now >= 0)).any()
        ):
            text = f"the support sets of split {name} are other pairs than at an earlier scoring"
            yield Breach("support again", "prediction", text)
        self.kept[name] = now


def _place(promised: PromisedSplit) -> np.ndarray:
    """Place [N] in [0, 1] of each pair among those of its cell line in the split."""
    line = promised.number >> 32
    count = np.bincount(line)
    within = np.arange(len(line)) - (np.cumsum(count) - count)[line]
    place = np.empty(len(line))
    place[promised.order] = within / np.maximum(count - 1, 1)[line]
    return place


def _moments(trait: np.ndarray, line: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance [K] of a trait over the pairs of each cell line."""
    mean = np.bincount(line, trait) / count
    return mean, np.maximum(np.bincount(line, trait**2) / count - mean**2, 0.0)
