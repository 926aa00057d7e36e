"""What chance adds to a training step: the numbers of its streams, at the configured share, and none in prediction."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harness.audit.finding import MechanismFinding
from harness.audit.looked_at import is_last, middle_step
from harness.audit.promised_draws import hidden, kept, normal
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from models.streams import Dropout, GaussianNoise, drawing

LOOKED_AT = 2
"""Steps at the beginning of every epoch that are listened to, beside a middle one and the last."""
NEAR = 2e-2
"""What rounding to bfloat16 may make of a number, relative to 1 + its size."""


class Call(NamedTuple):
    """What a module was given, of which chance makes something, and what it gave."""

    inputs: tuple[Tensor, ...]
    output: Tensor


class Chance:
    """Listens to every Dropout and GaussianNoise of a trainer's model, and to the names that its environment is given.

    `before` and `after` a training step, and `scored` after a scoring, give what is wrong, the first of it only, with
    verdict `broken`. No value is changed, and copies of the modules are not listened to.
    """

    def __init__(self, subject: Subject) -> None:
        config, self.trainer = subject.config, subject.trainer
        self.rate, self.hides = config.model.dropout, config.episode.pseudo_unseen
        self.warm_epochs, self.steps = config.curriculum.phase1_epochs, subject.sampler.steps
        self.calls: dict[str, list[Call]] = {}
        self.disturbed: set[str] = set()
        self.listens = self.training = self.broken = False
        self.epoch = self.step = self.index = 0
        self.batch: EpisodeBatch | None = None
        self.arrived: Tensor | None = None
        """Names of the step's support sets as the environment got them."""
        modules = drawing(self.trainer.model)
        self.modules = {name: m for name, m in modules.items() if isinstance(m, Dropout | GaussianNoise)}
        for name, module in self.modules.items():
            self._listen(name, module)
        model = self.trainer.model

        def environment(called: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            if called is model.environment and self.training and self.arrived is None:
                self.arrived = (arguments[0] if arguments else named["support"]).cell

        model.environment.register_forward_pre_hook(environment, with_kwargs=True)

    def _listen(self, name: str, module: nn.Module) -> None:
        def hook(called: nn.Module, arguments: tuple[Any, ...], output: Tensor) -> None:
            if called is not module:
                return
            inputs = tuple(part.detach() for part in arguments if isinstance(part, Tensor))
            if self.listens:
                self.calls.setdefault(name, []).append(Call(inputs, output.detach()))
            elif not self.training and output is not inputs[0] and not torch.equal(output, inputs[0]):
                self.disturbed.add(name)

        module.register_forward_hook(hook)

    def before(self, batch: EpisodeBatch, epoch: int) -> None:
        """A step of an epoch (1-based) is about to be taken."""
        self.step = self.step + 1 if epoch == self.epoch else 1
        self.epoch, self.batch, self.training, self.arrived = epoch, batch, True, None
        self.index = self.trainer.index
        at, steps = self.step - 1, self.steps
        looks = at == middle_step(self.trainer.seed, epoch, steps) or is_last(epoch, at, steps)
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

    def state(self) -> dict[str, Any]:
        return {"broken": self.broken}

    def resume(self, state: Mapping[str, Any]) -> None:
        self.broken = state["broken"]

    def _first(self, faults: Iterator[str], where: str) -> list[MechanismFinding]:
        text = None if self.broken else next(faults, None)
        if text is None:
            return []
        self.broken = True
        return [MechanismFinding("-", "chance", "broken", where + text, "contract")]

    def _of_names(self) -> Iterator[str]:
        """Which names the step hid."""
        batch, arrived = self.batch, self.arrived
        if batch is None or arrived is None or self.epoch <= self.warm_epochs or self.hides == 0:
            return
        if arrived.shape != batch.cell.shape or (batch.cell < 0).any():
            return  # a mixture, whose names are those of its query pairs
        hides = (arrived < 0).cpu()
        wanted = hidden(self.trainer.seed, self.index, len(hides), self.hides)
        if not torch.equal(hides, wanted):
            told = f"{int(hides.sum())} of {len(hides)} episodes hid their name"
            yield (
                f"{told}; with episode.pseudo_unseen {self.hides:g} the step's stream hides "
                f"{int(wanted.sum())}, {int((hides & wanted).sum())} of these"
            )

    def _of_modules(self) -> Iterator[str]:
        for name, calls in self.calls.items():
            yield from self._of_calls(name, self.modules[name], calls)

    def _of_calls(self, name: str, module: nn.Module, calls: Sequence[Call]) -> Iterator[str]:
        """Support pairs pass as in prediction, and query pairs by what the module's stream gives for this step."""
        *plain, call = calls
        if any(not torch.equal(each.inputs[0], each.output) for each in plain):
            yield f"{name} adds chance to the support pairs of a step"
        place = self.trainer.seed, name or "root", self.index
        if isinstance(module, Dropout):
            yield from self._of_dropout(name, call, kept(*place, call.output, self.rate))
        else:
            mu, sigma = (part.float() for part in call.inputs[:2])
            wanted = mu + sigma * normal(*place, call.output).to(call.output.dtype).float()
            if not torch.allclose(call.output.float(), wanted, rtol=NEAR, atol=NEAR):
                yield f"{name} adds other numbers than the standard normal ones of its stream for this step"

    def _of_dropout(self, name: str, call: Call, wanted: Tensor) -> Iterator[str]:
        (x, *_), y = call.inputs, call.output
        there = x != 0
        left = (y != 0)[there]
        if not torch.equal(left, wanted[there]):
            share = 1 - float(left.double().mean())
            yield (
                f"{name} drops {share:.3g} of its inputs, and not those that its stream drops at this step with "
                f"model.dropout {self.rate:g}"
            )
        passed = there & wanted
        keep = 1.0 - self.rate
        if not torch.allclose(y[passed].float() * keep, x[passed].float(), rtol=NEAR):
            yield f"{name} does not scale what it keeps by 1 / {keep:g}"
