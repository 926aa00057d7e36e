"""The support set that predicts an unseen cell line is its first pairs in the file and not a draw, so that the user's
R_E of a new line follows the order in which the file was sorted."""

from harness.trial.score.predict import Predictor

PRESET = "rp04"

drawn = Predictor.support_positions


def broken(self, split, cell, positions, draws):
    chosen = drawn(self, split, cell, positions, draws)
    if cell not in self.training_index and len(positions) >= self.support_size:
        chosen[0] = positions[: self.support_size]
    return chosen


Predictor.support_positions = broken
