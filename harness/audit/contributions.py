"""What each loss term adds to the gradient of a step: term by term from one measured step, and held to the step itself."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from harness.audit.probe import EVERYTHING_ON, ProbeStep
from harness.audit.reference_step import measured_at
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.routing import WeightedTerm
from harness.trial.step.trainer import Trainer

CLOSE = 1e-4
"""Largest difference of a gradient's entry from the sum of its parts, relative to the largest entries of these."""
NOISE = 1e-6
"""The same, relative to the largest entry of any tensor's gradient: a sum may cancel to rounding."""
ROUNDING = 4e-7
"""What float32 leaves of a parameter, relative to 1 + its size."""
PLAIN = 10.0
"""Times that difference that a term's part has to be, somewhere, so that it would be missed in the sum."""


class Contributions:
    """Parts g_k of the gradient of `step`, by key of a loss term and name of the parameter, such that sum_k g_k is that
    gradient; `clone`: a trainer as it was before that step, which it took on `batch` with gradients summed and rates and
    epsilons of 1.

    `without` gives the step that the trainer would have taken without one of them; None where that cannot be told from the
    parts: nowhere if they do not add up to the step or if AdamW made something else of it, and not of a part so small that
    the sum would not miss it. Raises nothing that a step does not.
    """

    def __init__(self, clone: Trainer, batch: EpisodeBatch, step: ProbeStep) -> None:
        self.step = step
        names = {parameter: name for name, parameter in clone.named_parameters().items()}
        self.parts = {
            key: {names[parameter]: gradient for parameter, gradient in gradients.items()}
            for key, gradients in _gradients(clone, batch).items()
        }
        self.allowed = self._allowed()
        self.before = {name: parameter.detach().clone() for parameter, name in names.items()}
        decays = {names[p]: g["weight_decay"] for g in clone.optimiser.param_groups for p in g["params"]}
        decayed = {name: values * (1 - decays.get(name, 0.0)) for name, values in self.before.items()}
        self.whole = self._adds_up() and all(self._moves(name, decayed[name]) for name in step.gradients)

    def without(self, key: str) -> ProbeStep | None:
        """The step without the term of that key."""
        part = self.parts.get(key, {})
        missed = (float(g.abs().max()) > PLAIN * self.allowed[name] for name, g in part.items() if g.numel())
        if not self.whole or not any(missed):
            return None
        gradients, parameters = dict(self.step.gradients), dict(self.step.parameters)
        for name, gradient in part.items():
            if not bool(gradient.any()):
                continue
            others = any(name in each for other, each in self.parts.items() if other != key)
            if not others:
                del gradients[name]
                parameters[name] = self.before[name]
                continue
            gradients[name] = self.step.gradients[name].double() - gradient.double()
            updates = _update(self.step.gradients[name]) - _update(gradients[name])
            parameters[name] = parameters[name].double() + updates
        return replace(self.step, gradients=gradients, parameters=parameters)

    def _moves(self, name: str, decayed: Tensor) -> bool:
        """Whether the step took AdamW's update of its gradient off a parameter."""
        update = _update(self.step.gradients[name])
        gap = _largest(decayed - self.step.parameters[name] - update)
        return gap <= CLOSE * _largest(update) + ROUNDING * (1 + _largest(decayed))

    def _allowed(self) -> dict[str, float]:
        """Name of a parameter -> how far its gradient may be from the sum of the parts."""
        sizes: dict[str, float] = {}
        for part in self.parts.values():
            for name, gradient in part.items():
                sizes[name] = sizes.get(name, 0.0) + _largest(gradient)
        everywhere = max(map(_largest, self.step.gradients.values()), default=0.0)
        return {
            name: CLOSE * size + NOISE * everywhere if size > 0.0 else 0.0 for name, size in sizes.items()
        }

    def _adds_up(self) -> bool:
        """Whether the gradients of the step are the sums of the parts, and none where there is no part."""
        sums: dict[str, Tensor] = {}
        for part in self.parts.values():
            for name, gradient in part.items():
                sums[name] = sums[name] + gradient if name in sums else gradient
        made = self.step.gradients
        return made.keys() == sums.keys() and all(
            _largest(made[name] - total) <= self.allowed[name] for name, total in sums.items()
        )


def _gradients(clone: Trainer, batch: EpisodeBatch) -> Mapping[str, Mapping[nn.Parameter, Tensor]]:
    """Key -> routed gradient of the term with its weight, of one measured step with everything on."""
    measured = measured_at(clone, clone.config.model_dump(), batch, int(EVERYTHING_ON) + 1)
    made = {}
    for term, weight in clone.weighted:
        value = term(measured.step, clone.states[term.key])[0]
        weighted = WeightedTerm(term.key, value, weight, term.reach, tuple(term.parameters()))
        made[term.key] = clone.router.gradients([weighted], measured.boundary)
    return made


def _update(gradient: Tensor) -> Tensor:
    """What the first step of AdamW with a rate and an epsilon of 1 takes off a parameter."""
    return gradient / (gradient.abs() + 1)


def _largest(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0
