"""The validation cell lines are among the training cell lines, so that val_unseen is not unseen.

`seen` leaves out the test cell lines alone. Validation pairs themselves stay held out by chromosome, and test is right, but
epochs are selected and the threshold is set on cell lines whose other pairs were trained on.
"""
import numpy as np

import harness.data.folds as folds
import harness.trial.unit_run as unit_run
from harness.data.folds import Splits, overlapping, sharing

PRESET = "minimal"
SET = {}


def split(dataset, fold):
    folds._check(dataset, fold, f"fold {fold.name}")
    held = np.isin(dataset.chromosomes, fold.chromosomes)
    enhancer_held, promoter_held = held[dataset.chrom], held[dataset.promoter_chrom]
    evaluated, trained = enhancer_held & promoter_held, ~enhancer_held & ~promoter_held
    is_test = np.isin(dataset.cell_lines, fold.test)[dataset.cell]
    is_val = np.isin(dataset.cell_lines, fold.val)[dataset.cell]
    seen = ~is_test
    overlap = overlapping(dataset, seen & trained, evaluated)
    left = seen & trained & ~overlap
    same = sharing(dataset.enhancer_content, dataset.promoter_content, left, evaluated)
    left &= ~same
    window = sharing(dataset.enhancer_window, dataset.promoter_window, left, evaluated)
    parts = {
        "train": left & ~window,
        "val_seen": seen & ~is_val & evaluated,
        "val_unseen": is_val & evaluated,
        "test": is_test & evaluated,
    }
    removed = int((overlap | same | window).sum())
    for name, mask in parts.items():
        folds._check_part(dataset, fold, name, mask, removed if name == "train" else 0)
    dropped = {
        "unseen cell line on training chromosomes": int((~seen & trained).sum()),
        "elements on a held-out and on a training chromosome": int((enhancer_held ^ promoter_held).sum()),
        "overlaps a region of an evaluation split": int(overlap.sum()),
        "has a sequence of an evaluation split under another name": int(same.sum()),
        "has a window of an evaluation split, cut from another sequence": int(window.sum()),
    }
    return Splits(**{name: np.flatnonzero(mask) for name, mask in parts.items()}, dropped=dropped)


folds.split = split
unit_run.split = split
