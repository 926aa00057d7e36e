"""At prediction all cell lines of a split get the support sets of the first one.

The positions of support pairs are kept from one evaluation to the next, under the split's name without the cell line's.
Training is untouched, a split of one cell line is right; in any other, R_E of the second line on is that of the first.
"""
from harness.trial.score.predict import Predictor

PRESET = "minimal"
SET = {}

drawn = Predictor.support_positions


def support_positions(self, split, cell, positions, draws):
    """Positions [D, S] of support pairs among those of the cell line."""
    if not hasattr(self, "_positions"):
        self._positions = {}
    if (split, draws) not in self._positions:
        self._positions[split, draws] = drawn(self, split, cell, positions, draws)
    return self._positions[split, draws]


Predictor.support_positions = support_positions
