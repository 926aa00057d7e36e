"""One figure of the bench: two ways of one piece of work, their times and how far their results are apart."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Measurement:
    """`plain_s` and `fast_s`: seconds for the same work (best of the rounds); `required`: ratio to reach, or
    None.

    `differences`: largest relative differences between the results of both ways, by what is compared;
    `limits`: the largest allowed ones, by the same names (those without a limit are for information);
    `notes`: what was measured, in words and numbers.
    """

    name: str
    plain_s: float
    fast_s: float
    required: float | None
    differences: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Plain over fast time."""
        return self.plain_s / self.fast_s

    def broken(self) -> list[str]:
        """One sentence for every difference beyond its limit (NaN is beyond)."""
        return [
            f"{self.name}: {key} differs by {self.differences[key]:.1e}, limit {limit:.0e}"
            for key, limit in self.limits.items()
            if not self.differences[key] <= limit
        ]

    def record(self) -> dict[str, Any]:
        """Everything as plain data for JSON."""
        return {**asdict(self), "ratio": self.ratio}


def alternate(
    plain: Callable[[], object],
    fast: Callable[[], object],
    *,
    plain_rounds: int,
    fast_rounds: int,
    device: torch.device,
) -> tuple[float, float]:
    """Best seconds of each of two pieces of work, run in turns so that other load on the machine meets both.

    `fast` runs once unmeasured before. Raises ValueError for fewer than one round.
    """
    if min(plain_rounds, fast_rounds) < 1:
        raise ValueError(f"at least one round of each is needed, not {plain_rounds} and {fast_rounds}")
    times: dict[str, list[float]] = {"plain": [], "fast": []}
    fast()
    for number in range(max(plain_rounds, fast_rounds)):
        if number < plain_rounds:
            times["plain"].append(seconds(plain, device))
        if number < fast_rounds:
            times["fast"].append(seconds(fast, device))
    return min(times["plain"]), min(times["fast"])


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall-clock seconds of one call, including what it left queued on a GPU."""
    _finish(device)
    before = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - before


def relative_norm(found: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """max over tensors of |found - expected| / |expected|, Euclidean norms (0/0 = 0; NaN stays NaN)."""
    return _worst(
        (torch.linalg.vector_norm((a - b).double()), torch.linalg.vector_norm(b.double()))
        for a, b in zip(found, expected, strict=True)
    )


def relative_elements(found: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """max over tensors of max |found - expected| / max |expected| (0/0 = 0; NaN stays NaN)."""
    return _worst(
        ((a - b).double().abs().amax(), b.double().abs().amax()) for a, b in zip(found, expected, strict=True)
    )


def _worst(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    ratios = [0.0]
    for difference, scale in pairs:
        ratio = float(difference / scale) if float(scale) > 0 else float(difference)
        if ratio != ratio:
            return ratio
        ratios.append(ratio)
    return max(ratios)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
