"""At prediction no cell line is recognised as one that was trained on, so the Teacher never speaks there.

The table from codes to training indices is kept by text and asked by number. Seen cell lines are scored by the Student
alone, although training fused it with the Teacher.
"""
PRESET = "rp13"
SET = {}
from harness.trial.score.predict import Predictor

_init = Predictor.__init__


def __init__(self, cell_names, training_index, **options):
    _init(self, cell_names, {str(code): index for code, index in training_index.items()}, **options)


Predictor.__init__ = __init__
