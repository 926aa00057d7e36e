"""What a balance makes of the gradients of several terms, by its definition (M42)."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch

from harness.audit.reference_step import Gradients
from models.streams import generator, stream_seed

FADING = 0.01
"""Share of its running mean under which a term's gradient is not scaled up any further."""
LEAST = 1e-6
"""Norm of a gradient on some parameters, over its norm on all, up to which pcgrad takes it for rounding."""
NOISE = 1e-5
"""Norm of a gradient, over that of the task, under which it may be rounding alone."""
CLOSE = 1e-2
"""Largest difference of a held weight, or of a running mean, relative to it."""
Apart = Mapping[str, Gradients]
"""Key of a loss term -> its gradient with weight 1."""


def projected(apart: Apart, weights: Mapping[str, float], seed: int, index: int) -> Gradients:
    """pcgrad: sum_i of w_i g_i, from which in an order drawn per term every w_j g_j that it conflicts with is taken out,
    on the parameters of both, unless g_j has LEAST of its norm or less there. weights: in the order of the terms."""
    source = generator(stream_seed(seed, "balance"), "pcgrad", index)
    weighted = {key: {n: weights[key] * g for n, g in apart[key].items()} for key in weights}
    total: Gradients = {}
    for key, start in weighted.items():
        now = dict(start)
        others = [weighted[other] for other in weighted if other != key]
        for place in torch.randperm(len(others), generator=source).tolist():
            shared = sorted(now.keys() & others[place].keys())
            product = sum(float((now[n] * others[place][n]).sum()) for n in shared)
            square = sum(float((others[place][n] ** 2).sum()) for n in shared)
            if product < 0 and square > LEAST**2 * sum(float((g**2).sum()) for g in others[place].values()):
                share = product / square
                now |= {n: now[n] - share * others[place][n] for n in shared}
        for name, part in now.items():
            total[name] = total[name] + part if name in total else part
    return total


def unheld(
    apart: Apart,
    reached: Mapping[str, Collection[str]],
    wished: Mapping[str, float],
    real: Mapping[str, float],
    state: tuple[Mapping[str, Any], Mapping[str, Any]],
    balance: Mapping[str, Any],
) -> list[tuple[str, str]]:
    """grad_norm: terms whose weight in force k is not rise ratio w |g_task| / max(|g|, m / 100), or whose running mean m of
    |g| is another one, with the fault in words.

    Norms are over the names of parameters in `reached`, by term; wished: weights of configuration and schedule, real: those
    in force; state: of the balance before and after the step. A gradient that may be rounding alone is passed over.
    """
    before, after = state
    faults = []
    for key in wished:
        if key == "task":
            continue
        norm, task = (_norm(apart[name], reached[key]) for name in (key, "task"))
        if norm <= NOISE * task or task == 0.0:
            continue
        old, steps = float(before[f"mean/{key}"]), float(before[f"steps/{key}"]) + 1
        mean = balance["momentum"] * old + (1 - balance["momentum"]) * norm if old > 0 else norm
        if _apart(float(after[f"mean/{key}"]), mean):
            text = f"it remembers a gradient norm of {key} of {float(after[f'mean/{key}']):.4g}, where it is {mean:.4g}"
            faults.append(("balance", text))
        rise = min(1.0, steps / balance["warmup"]) if balance["warmup"] else 1.0
        held = rise * balance["ratio"] * wished[key] * task / max(norm, FADING * mean)
        if _apart(real.get(key, 0.0), held):
            now = real.get(key, 0.0)
            faults.append(
                (key, f"its weight in force is {now:.4g}, and {held:.4g} holds its share of the gradient")
            )
    return faults


def _norm(gradients: Gradients, names: Collection[str]) -> float:
    return math.sqrt(sum(float(gradients[name].square().sum()) for name in names if name in gradients))


def _apart(real: float, wished: float) -> bool:
    return not abs(real - wished) <= CLOSE * abs(wished)
