"""The splits of a unit are those that its fold makes of the data."""

import math
from collections.abc import Iterator

import numpy as np

from harness.audit.bounds import BY_CHANCE, log_choices
from harness.audit.breach import Breach
from harness.audit.samples import uneven_line
from harness.trial.inspection import Subject
from harness.trial.score.evaluate import VALIDATION


class FoldContract:
    """What is trained on and what is scored, by the fold's cell lines and chromosomes.

    Every pair of a training cell line that lies on other chromosomes is trained on, unless one of its elements overlaps an
    element of an evaluated pair or has the DNA of one, as a whole or in its window.
    """

    def __init__(self, subject: Subject) -> None:
        self.fold, self.dataset = subject.fold, subject.trainer.dataset
        self.training, self.pairs = np.sort(subject.training), subject.pairs
        self.subset = min(subject.config.evaluation.train_subset, len(self.training))

    def breaches(self) -> Iterator[Breach]:
        data, fold = self.dataset, self.fold
        held = np.isin(data.chromosomes, fold.chromosomes)
        sides = held[data.chrom].astype(int) + held[data.promoter_chrom]
        test, val = (np.isin(data.cell_lines, names)[data.cell] for names in (fold.test, fold.val))
        evaluated = {
            "val_seen": ~test & ~val & (sides == 2),
            VALIDATION: val & (sides == 2),
            "test": test & (sides == 2),
        }
        for name, mask in evaluated.items():
            if not np.array_equal(np.sort(self.pairs[name]), np.flatnonzero(mask)):
                yield Breach(f"split {name}", "prediction", f"split {name} has other pairs than the fold's")
        foreign = test | val | (sides > 0)
        for name, pairs in (("trains on", self.training), ("scores as train", self.pairs["train"])):
            if foreign[pairs].any():
                pair = int(pairs[foreign[pairs]][0])
                text = f"the unit {name} pair {pair}, which the fold holds out"
                yield Breach(f"fold {name}", "sampler", text)
        repeats = self.repeats(sides == 2)
        if repeats[self.training].any():
            pair = int(self.training[repeats[self.training]][0])
            text = f"the unit trains on pair {pair}, which overlaps an evaluated one or has its DNA"
            yield Breach("leak", "sampler", text)
        lost = np.setdiff1d(np.flatnonzero(~foreign & ~repeats), self.training)
        if len(lost):
            text = f"{len(lost)} training pairs of the fold are not trained on, pair {lost[0]} among them"
            yield Breach("lost pairs", "sampler", text)
        scored = self.pairs["train"]
        if len(np.unique(scored)) != self.subset or len(np.setdiff1d(scored, self.training)):
            text = f"{len(np.unique(scored))} training pairs are scored; {self.subset} of them are configured"
            yield Breach("train subset", "prediction", text)
        elif self._is_stretch(scored):
            text = "the training pairs that are scored are not drawn at random of the training pairs"
            yield Breach("train subset", "prediction", text)
        else:
            line = uneven_line(data.cell[self.training], data.cell[scored], BY_CHANCE)
            if line is not None:
                text = f"split train has too many or too few pairs of {data.cell_lines[line]} for a random sample"
                yield Breach("train subset", "prediction", text)

    def _is_stretch(self, scored: np.ndarray) -> bool:
        """Whether the scored training pairs lie in a stretch of the training pairs in which so many lie by no chance."""
        place, size, count = np.searchsorted(self.training, scored), len(self.training), len(scored)
        span = int(place.max() - place.min()) + 1
        return log_choices(span, count) - log_choices(size, count) + 2 * math.log(size) < math.log(BY_CHANCE)

    def repeats(self, evaluated: np.ndarray) -> np.ndarray:
        """Bool [N]: one of the pair's elements overlaps an element of an evaluated pair, or has the same DNA."""
        data = self.dataset
        repeats = np.zeros(len(data), dtype=bool)
        for numbers in (
            (data.enhancer_content, data.promoter_content),
            (data.enhancer_window, data.promoter_window),
        ):
            known = np.unique(np.concatenate([np.asarray(side)[evaluated] for side in numbers]))
            for side in numbers:
                repeats |= np.isin(side, known)
        sides = (
            (data.chrom, data.enhancer_start, data.enhancer_end),
            (data.promoter_chrom, data.promoter_start, data.promoter_end),
        )
        for code in range(len(data.chromosomes)):
            here = [(start[m], end[m]) for chrom, start, end in sides for m in [evaluated & (chrom == code)]]
            starts, ends = (np.sort(np.concatenate(parts)) for parts in zip(*here, strict=True))
            for chrom, start, end in sides:
                mine = np.flatnonzero(chrom == code)
                # As many begin before its end as end at or before its start, unless one of them overlaps it.
                before, over = np.searchsorted(starts, end[mine]), np.searchsorted(ends, start[mine], "right")
                repeats[mine[before > over]] = True
        return repeats
