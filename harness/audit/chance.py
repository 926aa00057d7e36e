"""What chance adds to a training step: from step to step another draw, at the configured share, and none in prediction."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harness.audit.finding import MechanismFinding
from harness.audit.looked_at import is_last, middle_step
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from models.streams import Dropout, GaussianNoise, drawing

ENTRIES = 2048
"""Entries of a module's output that are looked at."""
LOOKED_AT = 2
"""Steps at the beginning of every epoch that are listened to, beside a middle one and the last."""
KEPT = 4
"""Draws of a module that later ones are compared with: those of the first steps."""
BY_CHANCE = 1e-9
"""Probability below which something did not happen by chance."""
DEVIATIONS = 6.5
"""Standard deviations beyond which a share is another one: a probability below BY_CHANCE."""
SAME = 1e-3


class NoiseDraw(NamedTuple):
    """Of the first entries of a module's output: numbers that were drawn (0/1 kept by dropout, or normal), and where they
    can be read off."""

    drawn: Tensor
    readable: Tensor

    def is_one_with(self, other: "NoiseDraw", alike: float) -> bool:
        """Whether both are one draw, where two of them agree in an entry with probability `alike`."""
        size = min(len(self.drawn), len(other.drawn))
        both = self.readable[:size] & other.readable[:size]
        count = int(both.sum())
        if count == 0 or alike**count > BY_CHANCE:
            return False
        gap = (self.drawn[:size] - other.drawn[:size]).abs()[both]
        return bool((gap <= SAME).all())


class Chance:
    """Listens to every Dropout and GaussianNoise of a trainer's model, and to the names that its environment is given.

    `before` and `after` a training step, `scored` after a scoring and `ended` give what is wrong, the first of it only,
    with verdict `broken`. No value is changed, and copies of the modules are not listened to.
    """

    def __init__(self, subject: Subject) -> None:
        config, model = subject.config, subject.trainer.model
        self.rate, self.hides = config.model.dropout, config.episode.pseudo_unseen
        self.warm_epochs = config.curriculum.phase1_epochs
        self.seed, self.steps = subject.trainer.seed, subject.sampler.steps
        self.calls: dict[str, list[tuple[Tensor, ...]]] = {}
        self.earlier: dict[str, list[NoiseDraw]] = {}
        self.disturbed: set[str] = set()
        self.listens = self.training = self.broken = False
        self.epoch = self.step = 0
        self.batch: EpisodeBatch | None = None
        self.arrived: Tensor | None = None
        """Names of the step's support sets as the environment got them."""
        self.hidden = self.named = 0
        """Episodes of a training cell line so far that hid their name, and all of them."""
        self.pattern, self.repeats = "", 0.0
        """Which of the last step's episodes hid theirs, and the log-probability that as many steps hid the same ones."""
        modules = drawing(model)
        self.modules = {name: m for name, m in modules.items() if isinstance(m, Dropout | GaussianNoise)}
        for name, module in self.modules.items():
            self._listen(name, module)

        def environment(called: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            if called is model.environment and self.training and self.arrived is None:
                self.arrived = (arguments[0] if arguments else named["support"]).cell

        model.environment.register_forward_pre_hook(environment, with_kwargs=True)

    def _listen(self, name: str, module: nn.Module) -> None:
        def hook(called: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            if called is not module:
                return
            inputs = [part for part in arguments if isinstance(part, Tensor)]
            if self.listens:
                parts = tuple(part.detach().reshape(-1)[:ENTRIES] for part in (*inputs, output))
                self.calls.setdefault(name, []).append(parts)
            elif not self.training and output is not inputs[0] and not torch.equal(output, inputs[0]):
                self.disturbed.add(name)

        module.register_forward_hook(hook)

    def before(self, batch: EpisodeBatch, epoch: int) -> None:
        """A step of an epoch (1-based) is about to be taken."""
        self.step = self.step + 1 if epoch == self.epoch else 1
        self.epoch, self.batch, self.training, self.arrived = epoch, batch, True, None
        at, steps = self.step - 1, self.steps
        looks = at == middle_step(self.seed, epoch, steps) or is_last(epoch, at, steps)
        self.listens = at < LOOKED_AT or looks
        self.calls.clear()

    def after(self) -> list[MechanismFinding]:
        """The step was taken."""
        listened, self.listens, self.training = self.listens, False, False
        self.disturbed.clear()
        faults = itertools.chain(self._of_modules() if listened else (), self._of_names())
        findings = self._first(faults, f"at step {self.step} of epoch {self.epoch}, ")
        self.calls.clear()
        return findings

    def scored(self) -> list[MechanismFinding]:
        """Splits were scored."""
        faults = (
            f"{name} adds chance to a prediction, and has to pass its input on" for name in self.disturbed
        )
        findings = self._first(iter(sorted(faults)), f"at a scoring after epoch {self.epoch}, ")
        self.disturbed.clear()
        return findings

    def ended(self) -> list[MechanismFinding]:
        """The unit has ended."""
        expected = self.hides * self.named
        allowed = DEVIATIONS * math.sqrt(expected * (1 - self.hides)) + DEVIATIONS
        text = f"{self.hidden} of {self.named} episodes hid their name, and episode.pseudo_unseen is {self.hides:g}"
        return self._first(iter([text] if abs(self.hidden - expected) > allowed else []), "")

    def state(self) -> dict[str, Any]:
        return {"hidden": self.hidden, "named": self.named, "broken": self.broken}

    def resume(self, state: Mapping[str, Any]) -> None:
        self.hidden, self.named, self.broken = state["hidden"], state["named"], state["broken"]

    def _first(self, faults: Iterator[str], where: str) -> list[MechanismFinding]:
        text = None if self.broken else next(faults, None)
        if text is None:
            return []
        self.broken = True
        return [MechanismFinding("-", "chance", "broken", where + text, "contract")]

    def _of_names(self) -> Iterator[str]:
        """Which names the step hid: another choice than the steps before, again and again."""
        batch, arrived = self.batch, self.arrived
        if batch is None or arrived is None or self.epoch <= self.warm_epochs or self.hides == 0:
            return
        if arrived.shape != batch.cell.shape or (batch.cell < 0).any():
            return  # a mixture, whose names are those of its query pairs
        hidden = (arrived < 0).tolist()
        count, size = sum(hidden), len(hidden)
        self.hidden, self.named = self.hidden + count, self.named + size
        pattern = str(hidden)
        chance = (
            count * math.log(self.hides) + (size - count) * math.log1p(-self.hides) if self.hides < 1 else 0.0
        )
        self.repeats = self.repeats + chance if pattern == self.pattern else 0.0
        self.pattern = pattern
        if self.repeats < math.log(BY_CHANCE):
            yield "the names that are hidden are those of the same episodes step after step"

    def _of_modules(self) -> Iterator[str]:
        latest: dict[str, NoiseDraw] = {}
        for name, calls in self.calls.items():
            yield from self._of_calls(name, self.modules[name], calls, latest)

    def _of_calls(
        self, name: str, module: nn.Module, calls: Sequence[tuple[Tensor, ...]], latest: dict[str, NoiseDraw]
    ) -> Iterator[str]:
        """Support pairs pass as in prediction, and query pairs by a draw that is neither an earlier one nor another
        module's."""
        if isinstance(module, Dropout):
            if self.rate == 0.0:
                return
            draw, alike = _kept(*calls[-1]), self.rate**2 + (1 - self.rate) ** 2
            yield from self._of_share(name, draw, calls[-1])
        else:
            # Two normal numbers are within SAME of each other with probability below this.
            draw, alike = _normal(*calls[-1]), SAME
            yield from _of_normal(name, draw)
        for plain in calls[:-1]:
            if not torch.equal(plain[0], plain[-1]):
                yield f"{name} adds chance to the support pairs of a step"
        if any(draw.is_one_with(other, alike) for other in self.earlier.get(name, ())):
            yield f"{name} draws the same numbers as in an earlier step"
        for other, drawn in latest.items():
            if type(self.modules[other]) is type(module) and draw.is_one_with(drawn, alike):
                yield f"{name} draws the same numbers as {other}"
        latest[name] = draw
        if len(self.earlier.setdefault(name, [])) < KEPT:
            self.earlier[name].append(draw)

    def _of_share(self, name: str, draw: NoiseDraw, call: tuple[Tensor, ...]) -> Iterator[str]:
        count, keep = int(draw.readable.sum()), 1.0 - self.rate
        share = float(draw.drawn[draw.readable].double().mean()) if count else keep
        if abs(share - keep) > DEVIATIONS * math.sqrt(keep * self.rate / max(count, 1)) + 1.0 / max(count, 1):
            yield f"{name} drops {1 - share:.3g} of its inputs, and model.dropout is {self.rate:g}"
        passed = draw.readable & (draw.drawn > 0)
        if not torch.allclose(call[-1][passed].float() * keep, call[0][passed].float(), rtol=2e-2):
            yield f"{name} does not scale what it keeps by 1 / {keep:g}"


def _kept(x: Tensor, y: Tensor) -> NoiseDraw:
    return NoiseDraw((y != 0).float(), x != 0)


def _normal(mu: Tensor, sigma: Tensor, y: Tensor) -> NoiseDraw:
    return NoiseDraw((y - mu) / sigma.clamp(min=1e-12), sigma > 1e-6)


def _of_normal(name: str, draw: NoiseDraw) -> Iterator[str]:
    values = draw.drawn[draw.readable].double()
    count = max(len(values), 1)
    mean, square = float(values.sum()) / count, float(values.square().sum()) / count
    if len(values) and (
        abs(mean) > DEVIATIONS / math.sqrt(count) or abs(square - 1) > DEVIATIONS * math.sqrt(2 / count) + 0.2
    ):
        yield f"{name} draws numbers of mean {mean:.3g} and mean square {square:.3g}, not standard normal ones"
