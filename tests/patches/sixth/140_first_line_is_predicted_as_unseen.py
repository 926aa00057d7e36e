"""An index of 0 counts as none: the first training cell line is predicted as if it had never been met, without its Teacher,
while all others have theirs. In training it is known. A user who compares seen with unseen cell lines has one of them in
the wrong group, and its resistance is the Student's alone."""

from harness.trial.score.predict import Predictor

PRESET = "complete"

begin = Predictor.__init__


def broken(self, cell_names, training_index, **others):
    known = {code: index for code, index in training_index.items() if index}
    begin(self, cell_names, known, **others)


Predictor.__init__ = broken
