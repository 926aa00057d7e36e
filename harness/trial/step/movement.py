"""How far parameters have moved from their initial values beyond what weight decay does to them."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

ROUNDING = 3e-7
"""Of a value that decays for n steps, relative to it and to sqrt n."""


def movements(
    initial: Mapping[str, Tensor],
    now: Mapping[str, Tensor],
    names: Iterable[str],
    optimiser: Mapping[str, Any],
    steps: int,
) -> dict[str, float]:
    """Name -> norm of what is left of the parameter without c times its initial value, over its own norm; c lies between
    what `steps` of weight decay (`optimiser`: lr, weight_decay) leave and 1. 0 for what rounding alone explains."""
    rate = optimiser["lr"] * optimiser["weight_decay"]
    moved = {}
    for name in names:
        start, end = initial[name].double(), now[name].detach().double()
        size = float(end.norm())
        beyond = float((end - decayed_most_alike(start, end, rate, steps)).norm())
        rests = beyond <= ROUNDING * max(1, steps) ** 0.5 * size
        moved[name] = 0.0 if rests else beyond / size
    return moved


def decayed_most_alike(start: Tensor, end: Tensor, rate: float, steps: int) -> Tensor:
    """c start as near to `end` as c in [(1 - rate)^steps, 1] allows; start itself where nothing decays (vectors)."""
    if start.ndim < 2:
        return start
    square = float(start.square().sum())
    share = float((start * end).sum()) / square if square > 0 else 1.0
    return start * min(1.0, max((1 - rate) ** steps, share))
