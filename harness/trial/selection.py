"""Which epoch's weights are evaluated and predicted with: the best on validation, of the last phase that was trained."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

Selection = Literal["last", "best_on_validation"]
"""The weights after the last epoch, or those of the selected one; column `selection` of `cells`."""
SMALLER_IS_BETTER = ("nll", "brier", "ece")
"""Ends of the objectives that fall as a model improves."""


def improves(trial: Mapping[str, Any], value: float, epoch: int, phase: Callable[[int], int]) -> bool:
    """Whether `value` of the objective makes `epoch` the selected one of a row of `units`.

    Epochs of phase 1, where l = U_I, give way to any of phase 2. A value that is not finite never improves on a finite
    one, and any finite value does on one that is not.
    """
    best, selected = trial["objective_value"], trial["selected_epoch"]
    if selected is None or phase(selected) < phase(epoch):
        return True
    if not math.isfinite(value) or not math.isfinite(best):
        return math.isfinite(value)
    return bool(value < best if trial["objective"].endswith(SMALLER_IS_BETTER) else value > best)
