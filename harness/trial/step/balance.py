"""Loss balance (M42): how the routed gradients of several terms become one step's gradient."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from harness.config.blocks.training import BalanceBlock, GradNormBalanceBlock
from harness.trial.step.routing import Boundary, Gradients, Router, WeightedTerm
from models.registry import TRAINING, Registry, discover
from models.streams import generator

State = dict[str, Tensor]
FADING = 0.01
"""Share of its running mean under which a term's gradient norm is not scaled up any further."""
ROUNDING = 1e-6
"""Norm of a gradient on some parameters, over its norm on all of its own, up to which it is what float32 leaves of numbers
that cancel: a ranking of pairs of one line does not move their common R_E."""


class Combined(NamedTuple):
    """gradients: of the step, by parameter; terms: with the weights in force; state: after the step."""

    gradients: Gradients
    terms: list[WeightedTerm]
    state: State


class Balance(ABC):
    """combine(router, terms, boundary, state, index) -> Combined. Every gradient comes from the router, along the
    routes of its term; a balance only weighs or projects what arrived. The curriculum (M43) decides before which
    terms take part: in phase 1 those of the sequence side alone.
    """

    acts: ClassVar[frozenset[str]]
    reads: ClassVar[frozenset[str]]
    """Where it acts and what it reads (`models.registry`)."""
    weighs: ClassVar[bool] = True
    """Whether it may put other weights in force than those of configuration and schedule; it says them in `terms`."""
    projects: ClassVar[bool] = True
    """Whether its gradient may be another one than sum_i w_i g_i with the weights in force."""

    @classmethod
    def arguments(cls, block: BalanceBlock, seed: int) -> dict[str, Any]:
        """Constructor arguments, from its block of the configuration and the seed of its stream; none by default."""
        return {}

    def initial_state(self, terms: Sequence[str]) -> State:
        """State before the first step; empty for a balance that remembers nothing."""
        return {}

    @abstractmethod
    def combine(
        self, router: Router, terms: Sequence[WeightedTerm], boundary: Boundary, state: State, index: int
    ) -> Combined:
        """The gradient of one step of number `index`."""


BALANCES: Registry[Balance] = Registry(
    "balance", Balance, path="balance.kind", neutral="fixed", plain="fixed"
)
SHAPES = "gradients of n terms -> one gradient"


@BALANCES.register(
    "ramp",
    id="M42",
    name="weights that rise",
    equation="w_i(t) = w_i min(1, epochs of phase 2 / ramp)",
    shapes=SHAPES,
    source="source document 003",
)
@BALANCES.register(
    "fixed",
    id="M42",
    name="weights as configured",
    equation="g = sum_i w_i g_i",
    shapes=SHAPES,
    source="source document 003",
    mechanism="fixed_weights",
)
class WeightedSum(Balance):
    """sum_i w_i g_i with the weights that configuration and schedule give (`fixed`, `ramp`).

    Cost: one backward pass per set of groups that terms reach, and one through the sequence side.
    """

    acts = TRAINING
    reads = frozenset({"gradients"})
    weighs = projects = False

    def combine(
        self, router: Router, terms: Sequence[WeightedTerm], boundary: Boundary, state: State, index: int
    ) -> Combined:
        return Combined(router.gradients(terms, boundary), list(terms), state)


@BALANCES.register(
    "grad_norm",
    id="M42",
    name="shares of the gradient held",
    equation="|k_i g_i| = ratio w_i |g_task|",
    shapes=SHAPES,
    source="Chen et al. 2018; source document 003",
)
class GradNorm(Balance):
    """g_task + sum_i k_i g_i with k_i so that |k_i g_i| = rho_i |g_task| on the groups S, E, T, G that term i reaches.

    rho_i = ratio * weight: a weight is the share itself, and a ramp of the weight raises it. rho_i rises linearly over the
    first `warmup` steps in which the term acts. k_i = rho_i |g_task| / max(|g_i|, m_i / 100), m_i = running mean of |g_i|
    over steps where it is not 0 (`momentum`): a gradient under a hundredth of its mean (a hinge that is nearly satisfied)
    fades instead of being scaled up. Where |g_i| or |g_task| is 0 on these groups the configured weight stays. NaN passes
    through.

    Cost: one backward pass per term instead of one per set of groups, and one through the sequence side for each term that
    reaches it. Source: source document 003; after Chen et al. 2018, GradNorm (ratios are set here, not
    learned from training rates).
    """

    acts = TRAINING
    reads = frozenset({"gradients"})
    projects = False

    def __init__(self, ratio: float = 1.0, momentum: float = 0.9, warmup: int = 20) -> None:
        self.ratio, self.momentum, self.warmup = ratio, momentum, warmup

    @classmethod
    def arguments(cls, block: BalanceBlock, seed: int) -> dict[str, Any]:
        assert isinstance(block, GradNormBalanceBlock)
        return {"ratio": block.ratio, "momentum": block.momentum, "warmup": block.warmup}

    def initial_state(self, terms: Sequence[str]) -> State:
        """Running mean of |g_i| and number of steps, per term beside the task."""
        return {
            f"{kind}/{name}": torch.zeros((), dtype=torch.float64)
            for name in terms
            if name != "task"
            for kind in ("mean", "steps")
        }

    def combine(
        self, router: Router, terms: Sequence[WeightedTerm], boundary: Boundary, state: State, index: int
    ) -> Combined:
        separate = {term.name: router.gradients([replace(term, weight=1.0)], boundary) for term in terms}
        state, weighed = dict(state), []
        for term in terms:
            if term.name == "task":
                weighed.append(term)
                continue
            norm, task = router.norms(term, separate)
            held, state = self._held(term, norm, task, state)
            weighed.append(replace(term, weight=held))
        return Combined(_weighted_sum(separate, {term.name: term.weight for term in weighed}), weighed, state)

    def _held(self, term: WeightedTerm, norm: float, task: float, state: State) -> tuple[float, State]:
        """k_i, and the state after it."""
        steps, mean = state[f"steps/{term.name}"] + 1, state[f"mean/{term.name}"]
        if norm != 0.0:
            mean = self.momentum * mean + (1 - self.momentum) * norm if float(mean) > 0 else mean + norm
        state = {**state, f"steps/{term.name}": steps, f"mean/{term.name}": mean}
        if norm == 0.0 or task == 0.0:
            return term.weight, state
        rise = min(1.0, float(steps) / self.warmup) if self.warmup else 1.0
        return rise * self.ratio * term.weight * task / max(norm, FADING * float(mean)), state


@BALANCES.register(
    "pcgrad",
    id="M42",
    name="conflicting gradients projected",
    equation="g_i <- g_i - <g_i, g_j> g_j / |g_j|^2 where < 0, and g_j there is not rounding alone",
    shapes=SHAPES,
    source="Yu et al. 2020; source document 003",
)
class PcGrad(Balance):
    """sum_i g'_i, g'_i = w_i g_i without what points against another term's gradient.

    For every other term j in an order drawn from the stream (seed, "pcgrad", step): where <g'_i, w_j g_j> < 0,
    g'_i <- g'_i - <g'_i, g_j> / |g_j|^2 g_j. Inner product, norm and correction are taken on the parameters that
    both terms reach; on the others g_i stays as it is, so that no projection carries a gradient along a route that
    its term does not have. Terms that agree, or share no parameter, are added as they are, and so is what meets a
    gradient that has ROUNDING of its norm or less on what both reach. Weights are the configured ones; the shares
    that are logged are those before projection. NaN passes through.

    Cost: one backward pass per term, and one through the sequence side for each term that reaches it, instead of one
    per set of groups and one for all; inner products of n (n - 1) pairs.
    Source: Yu et al. 2020, Gradient Surgery for Multi-Task Learning, algorithm 1; source document 003.
    """

    acts = TRAINING
    reads = frozenset({"gradients"})
    weighs = False

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @classmethod
    def arguments(cls, block: BalanceBlock, seed: int) -> dict[str, Any]:
        return {"seed": seed}

    def combine(
        self, router: Router, terms: Sequence[WeightedTerm], boundary: Boundary, state: State, index: int
    ) -> Combined:
        separate = {term.name: router.gradients([term], boundary) for term in terms}
        source = generator(self.seed, "pcgrad", index)
        total: dict[str, Gradients] = {}
        for name, projected in separate.items():
            others = [other for key, other in separate.items() if key != name]
            for place in torch.randperm(len(others), generator=source).tolist():
                projected = without_conflict(projected, others[place])
            total[name] = projected
        return Combined(_weighted_sum(total, dict.fromkeys(total, 1.0)), list(terms), state)


def without_conflict(gradients: Gradients, other: Gradients) -> Gradients:
    """`gradients` minus their component against `other` on the parameters of both; themselves where nothing conflicts, or
    where `other` is rounding alone there (ROUNDING): that has a direction, and it means nothing."""
    common = [p for p in gradients if p in other]
    inner = sum((gradients[p] * other[p]).sum() for p in common)
    if not common or float(inner) >= 0.0:
        return gradients
    square = sum(other[p].square().sum() for p in common)
    if float(square) <= ROUNDING**2 * float(sum(part.square().sum() for part in other.values())):
        return gradients
    share = inner / square
    return {**gradients, **{p: gradients[p] - share * other[p] for p in common}}


def _weighted_sum(separate: Mapping[str, Gradients], weights: Mapping[str, float]) -> Gradients:
    """sum_i w_i g_i over the parameters that any term reaches."""
    total: dict[nn.Parameter, Tensor] = {}
    for name, gradients in separate.items():
        if weights[name] == 0.0:
            continue
        for parameter, gradient in gradients.items():
            part = weights[name] * gradient
            total[parameter] = total[parameter] + part if parameter in total else part
    return total


def build_balance(block: BalanceBlock, seed: int) -> Balance:
    """The balance that a block of the configuration chooses; what it draws comes from the stream of `seed`."""
    if (
        block.kind not in BALANCES
    ):  # not as the package is imported: who reads the schedule alone waits for no torch
        discover("harness.trial.step")
    balance: Any = BALANCES.row(block.kind).cls
    return BALANCES.build(block.kind, **balance.arguments(block, seed))
