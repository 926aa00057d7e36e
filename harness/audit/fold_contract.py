"""The splits of a unit are those that its fold makes of the data."""

from collections.abc import Iterator

import numpy as np

from harness.audit.breach import Breach
from harness.trial.inspection import Subject
from harness.trial.score.evaluate import VALIDATION


class FoldContract:
    """What is trained on and what is scored, by the fold's cell lines and chromosomes."""

    def __init__(self, subject: Subject) -> None:
        self.fold, self.dataset = subject.fold, subject.trainer.dataset
        self.training, self.pairs = np.sort(subject.training), subject.pairs

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
