"""One optimiser step by its definitions, without the trainer's router, balance, schedule and optimiser."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.measure import Measured
from harness.trial.step.trainer import Trainer
from models.environment.memory import at_epoch
from models.losses import LOSSES
from models.losses.term import LossTerm, value_at

BETAS, EPS = (0.9, 0.999), 1e-8
"""Of AdamW, which no configuration changes."""
EVERY_GROUP = frozenset("SETGA")
Gradients = dict[str, Tensor]
"""By qualified name of the parameter, float64."""


class Moments(NamedTuple):
    """A parameter and what the optimiser remembers of it: running mean and mean square of its gradient, and how many."""

    value: Tensor
    mean: Tensor
    square: Tensor
    steps: int


def weights_at(settings: Mapping[str, Any], progress: float) -> dict[str, float]:
    """Key of a loss term -> its weight in force after `progress` epochs, of the terms in force.

    weight x f; in phase 1 f = 1 for terms that train there, others rest; later f = min(1, epochs of phase 2 / ramp) for
    terms that ramp and did not train in phase 1, else 1.
    """
    curriculum, balance = settings["curriculum"], settings["balance"]
    ramp = balance["epochs"] if balance["kind"] == "ramp" else curriculum["ramp_epochs"]
    first = curriculum["phase1_epochs"]
    weights = {}
    for cls in LOSSES.terms().values():
        if any(value_at(settings, path) != value for path, value in cls.chosen.items()):
            continue
        weight = 1.0 if cls.weight in cls.chosen else value_at(settings, cls.weight) or 0.0
        if progress < first:
            factor = 1.0 if cls.in_phase1 else 0.0
        elif cls.ramps and ramp > 0 and not (first > 0 and cls.in_phase1):
            factor = min(1.0, (progress - first) / ramp)
        else:
            factor = 1.0
        if weight * factor > 0:
            weights[cls.key] = weight * factor
    return weights


def measured_at(trainer: Trainer, settings: Mapping[str, Any], batch: EpisodeBatch, epoch: int) -> Measured:
    """The next step of a clone at the state before it, with the phase of `epoch` (1-based); the clone stays as it is."""
    warm = epoch <= settings["curriculum"]["phase1_epochs"]
    environment, memory = trainer.model.environment, trainer.memory
    if environment.acts and not warm:
        memory = at_epoch(memory, environment.branches, epoch)
    return trainer.measuring(batch, trainer.draws, trainer.index, trainer.reference, memory, warm=warm)


def reference_gradients(
    trainer: Trainer, settings: Mapping[str, Any], measured: Measured, weights: Mapping[str, float]
) -> Gradients:
    """sum_i w_i d term_i / d theta on the groups that the class of term i declares to reach.

    `trainer` is a clone at the state before the step `measured` and stays as it is. A parameter that no term depends on is
    absent.
    """
    outputs, leaves = measured.boundary.outputs, measured.boundary.leaves
    arriving: list[Tensor | None] = [None] * len(leaves)
    total: Gradients = {}
    for key, weight in weights.items():
        term = next(term for term, _ in trainer.weighted if term.key == key)
        value, _ = term(measured.step, trainer.states[key])
        if not value.requires_grad:
            continue
        reach = EVERY_GROUP if settings["routing"] == "shared" else type(term).reach_in(settings)
        named = _reached(trainer, term, reach)
        cut = list(leaves) if "S" in reach else []
        parts = torch.autograd.grad(value, [*cut, *named.values()], retain_graph=True, allow_unused=True)
        for k in range(len(cut)):
            arriving[k] = _plus(arriving[k], parts[k], weight)
        for name, part in zip(named, parts[len(cut) :], strict=True):
            _add(total, name, part, weight)
    reached = [k for k, part in enumerate(arriving) if part is not None and outputs[k].requires_grad]
    if reached:
        sequence = trainer.model.groups()["S"]
        through = torch.autograd.grad(
            [outputs[k] for k in reached],
            list(sequence.values()),
            grad_outputs=[arriving[k].to(outputs[k].dtype) for k in reached],  # type: ignore[union-attr]
            retain_graph=True,
            allow_unused=True,
        )
        for name, part in zip(sequence, through, strict=True):
            _add(total, name, part, 1.0)
    return total


def clipped(gradients: Gradients, clip: float) -> Gradients:
    """Gradients whose norm together is at most `clip`."""
    norm = sum(float(part.square().sum()) for part in gradients.values()) ** 0.5
    scale = min(1.0, clip / norm) if norm > 0 else 1.0
    return {name: scale * part for name, part in gradients.items()}


def reached_by(trainer: Trainer, settings: Mapping[str, Any], key: str) -> list[str]:
    """Names of the parameters of S, E, T and G that the class of a term declares to reach."""
    cls = next(type(term) for term, _ in trainer.weighted if term.key == key)
    reach = EVERY_GROUP if settings["routing"] == "shared" else cls.reach_in(settings)
    groups = trainer.model.groups()
    return [name for group in sorted(reach.intersection(groups)) for name in groups[group]]


def moments(trainer: Trainer) -> dict[str, Moments]:
    """Every parameter as it is, by qualified name, with what the optimiser remembers of it; copies."""
    kept = {}
    for name, parameter in trainer.named_parameters().items():
        state = trainer.optimiser.state.get(parameter, {})
        value = parameter.detach()
        kept[name] = Moments(
            value.clone(),
            state["exp_avg"].clone() if "exp_avg" in state else torch.zeros_like(value),
            state["exp_avg_sq"].clone() if "exp_avg_sq" in state else torch.zeros_like(value),
            int(state["step"]) if "step" in state else 0,
        )
    return kept


def decayed(value: Tensor, optimiser: Mapping[str, Any]) -> Tensor:
    """theta (1 - lr decay) in float64 for matrices, which alone decay; theta of the others."""
    rate = optimiser["lr"] * optimiser["weight_decay"] if value.ndim >= 2 else 0.0
    return value.double() * (1 - rate)


def remembered(before: Moments, gradient: Tensor) -> Moments:
    """`before` with the moments after a gradient: m <- b1 m + (1 - b1) g, v <- b2 v + (1 - b2) g^2."""
    one, two = BETAS
    mean = one * before.mean.double() + (1 - one) * gradient
    square = two * before.square.double() + (1 - two) * gradient.square()
    return Moments(before.value, mean, square, before.steps + 1)


def moved(before: Moments, now: Moments, optimiser: Mapping[str, Any]) -> Tensor:
    """AdamW's next value from the moments `now`: decayed theta - lr m' / (sqrt v' + eps), m' and v' without their bias."""
    mean, square = (
        part.double() / (1 - beta ** (before.steps + 1))
        for part, beta in zip((now.mean, now.square), BETAS, strict=True)
    )
    return decayed(before.value, optimiser) - optimiser["lr"] * mean / (square.sqrt() + EPS)


def _reached(trainer: Trainer, term: LossTerm, reach: frozenset[str]) -> dict[str, nn.Parameter]:
    """Parameters of the groups by qualified name; of the other terms' own ones none."""
    named = {
        name: parameter
        for group, members in trainer.model.groups().items()
        if group in reach
        for name, parameter in members.items()
    }
    if "A" in reach:
        named |= {f"terms.{term.key}.{name}": parameter for name, parameter in term.named_parameters()}
    return named


def _plus(total: Tensor | None, part: Tensor | None, weight: float) -> Tensor | None:
    if part is None:
        return total
    return weight * part.double() if total is None else total + weight * part.double()


def _add(total: Gradients, name: str, part: Tensor | None, weight: float) -> None:
    added = _plus(total.get(name), part, weight)
    if added is not None:
        total[name] = added
