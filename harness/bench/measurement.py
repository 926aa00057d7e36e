"""One figure of the bench: two ways of one piece of work, their times and how far their results are apart."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Time(NamedTuple):
    """Seconds of one piece of work: on the clock, and of processor time of this process (all threads).

    Other load on the machine stretches the first far more than the second.
    """

    wall: float
    cpu: float

    def times(self, factor: float) -> "Time":
        """The same for `factor` times the work."""
        return Time(self.wall * factor, self.cpu * factor)


@dataclass(frozen=True)
class Measurement:
    """`plain` and `fast`: times of the same work (medians of the rounds); `required`: ratio to reach, or None.

    `rounds`: measured rounds of the plain and of the fast way; `differences`: largest relative differences
    between the results of both ways, by what is compared; `limits`: the largest allowed ones, by the same names
    (those without a limit are for information); `notes`: what was measured, in words and numbers.
    """

    name: str
    plain: Time
    fast: Time
    required: float | None
    rounds: tuple[int, int] = (1, 1)
    differences: dict[str, float] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    budget: bool = False
    unmeasured: str = ""
    """Why there are no times (both are NaN), in words; empty for what was measured."""

    @classmethod
    def without(cls, name: str, required: float | None, why: str) -> "Measurement":
        """Of what cannot be measured on this machine."""
        none = Time(float("nan"), float("nan"))
        return cls(name, none, none, required, (0, 0), unmeasured=why)

    @property
    def ratio(self) -> float:
        """Plain over fast time on the clock."""
        return self.plain.wall / self.fast.wall

    @property
    def cpu_ratio(self) -> float | None:
        """Plain over fast processor time: what counts on a busy machine, and means nothing for work on a GPU.

        None where the work was too short for the clock of processor time.
        """
        return self.plain.cpu / self.fast.cpu if self.fast.cpu else None

    def broken(self) -> list[str]:
        """One sentence for every difference beyond its limit (NaN is beyond), and for a budget that is overrun."""
        over = []
        if self.budget and self.required is not None and not self.ratio >= self.required:
            budget = self.plain.wall / self.required
            over = [f"{self.name}: {self.fast.wall:.3g} s are over the budget of {budget:.3g} s on the clock"]
        return over + [
            f"{self.name}: {key} is {self.differences[key]:.2g}, limit {limit:.2g}"
            for key, limit in self.limits.items()
            if not self.differences[key] <= limit
        ]

    def record(self) -> dict[str, Any]:
        """Everything as plain data for JSON."""
        ratios = {"ratio": self.ratio, "cpu_ratio": self.cpu_ratio}
        if self.unmeasured:
            no_times = dict.fromkeys(Time._fields)
            return {**asdict(self), "plain": no_times, "fast": no_times, **dict.fromkeys(ratios)}
        return {**asdict(self), "plain": self.plain._asdict(), "fast": self.fast._asdict(), **ratios}


def alternate(
    plain: Callable[[], object],
    fast: Callable[[], object],
    *,
    plain_rounds: int,
    fast_rounds: int,
    device: torch.device,
) -> tuple[Time, Time]:
    """Median times of two pieces of work, run in turns so that other load on the machine meets both.

    `fast` runs once unmeasured before, and `plain` too when it has more than one round. Raises ValueError for
    fewer than one round.
    """
    if min(plain_rounds, fast_rounds) < 1:
        raise ValueError(f"at least one round of each is needed, not {plain_rounds} and {fast_rounds}")
    times: dict[str, list[Time]] = {"plain": [], "fast": []}
    fast()
    if plain_rounds > 1:
        plain()
    for number in range(max(plain_rounds, fast_rounds)):
        if number < plain_rounds:
            times["plain"].append(timed(plain, device))
        if number < fast_rounds:
            times["fast"].append(timed(fast, device))
    return middle(times["plain"]), middle(times["fast"])


def timed(work: Callable[[], object], device: torch.device) -> Time:
    """Of one call, including what it left queued on a GPU."""
    _finish(device)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    _finish(device)
    return Time(time.perf_counter() - wall, time.process_time() - cpu)


def middle(times: Sequence[Time]) -> Time:
    """Medians, each kind of time for itself."""
    return Time(median(one.wall for one in times), median(one.cpu for one in times))


def relative_norm(measured: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """max over tensors of |measured - expected| / |expected|, Euclidean norms (0/0 = 0; NaN stays NaN)."""
    return _worst(
        (torch.linalg.vector_norm((a - b).double()), torch.linalg.vector_norm(b.double()))
        for a, b in zip(measured, expected, strict=True)
    )


def relative_elements(measured: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """max over tensors of max |measured - expected| / max |expected| (0/0 = 0; NaN stays NaN)."""
    return _worst(
        ((a - b).double().abs().amax(), b.double().abs().amax())
        for a, b in zip(measured, expected, strict=True)
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
