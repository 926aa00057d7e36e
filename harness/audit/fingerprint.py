"""What a configuration makes of a probe's state, to be held against another one that differs in a key."""

import itertools
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, Literal

import torch

from harness.audit.behind_sequence import given_sides
from harness.audit.idle import STRETCHES, stretched
from harness.audit.probe import Probe
from harness.audit.probe_batches import trimmed
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.step.trainer import Trainer
from models.episode import Step
from models.sequence.potential import SequenceOutput

OF_SEQUENCE, OF_TERMS, OF_GRADIENTS = "model.", ("loss.", "decouple."), ("optimiser.", "balance.")
"""Blocks that act on the sequence side, on the values of terms, and on what becomes of gradients."""
UNSEEN = ("environment.unseen", "environment.prior.")
"""Keys that are read for cell lines that no step has: asked for by predicting as if no cell line had been trained on."""
FORWARD = ("u", "z_i", "z_e", "r", "r_raw", "r_student", "r_heard", "logit", "temperature")
"""What a step holds of the model."""
ON_DEMAND = ("log_prior",)
"""What a step makes of it where that is asked for."""
Depth = Literal["little", "behind", "whole"]
"""How much of a trainer is built: all but the sequence side, in whose place is a little one that gives nothing; that side
too where a loss term reads its parameters, and what it gives stands in its place; or all of it, which runs."""
STATES = ((1.0, 0.0), *STRETCHES)
"""(scale, shift) of the states that loss terms are asked at."""


def is_weight(path: str) -> bool:
    """Whether the key at a dotted path is a weight, which at 0 leaves out what it weighs."""
    return path.endswith((".weight", "penalty", "pseudo_unseen", "labels")) or path.startswith(
        ("decouple.", "loss.sparsity.")
    )


class Fingerprint:
    """What a configuration makes of the probe's state: its initial values, and one step of a few pairs, of a trainer that
    is built to that depth."""

    def __init__(self, probe: Probe, config: ConfigurationBlock, depth: Depth) -> None:
        self.probe, self.config, self.depth = probe, config, depth
        self.error = ""
        try:
            self.trainer = self._built()
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            self.error = f"{type(error).__name__}: {error}"
            return
        weights = self.trainer.weights()
        self.initial = {
            f"{part}.{name}": value for part in ("model", "terms") for name, value in weights[part].items()
        }
        self.initial |= {
            f"{key}/{name}": value
            for key, state in weights["states"].items()
            for name, value in state.items()
        }
        self.batch = trimmed(probe.batch, probe.dataset.label, 3, 4) if depth == "whole" else probe.batch
        self._measured: Step | None = None
        self._clone: Trainer | None = None
        self._query: SequenceOutput | None = None
        self._values: dict[tuple[str, tuple[float, float]], list[torch.Tensor]] = {}
        self._step: dict[str, Any] | None = None
        self._updated: dict[str, torch.Tensor] | None = None
        self._logits: torch.Tensor | None = None

    def kept(self) -> "Fingerprint":
        """This one, that still has its initial values when its trainer has been given other ones."""
        if not self.error:
            self.initial = {name: value.clone() for name, value in self.initial.items()}
        return self

    def clone(self) -> Trainer:
        """A trainer of the configuration with the probe's state."""
        if self.depth == "little":
            clone = self._built()
            self.probe.load(clone)
            return clone
        return self.probe.clone(self.config) if self.depth == "whole" else self.probe.behind(self.config)

    def runs(self) -> bool:
        """Whether a step can be taken."""
        try:
            self.step()
        except (AttributeError, ValueError, TypeError, LookupError, RuntimeError):
            return False
        return True

    def _built(self) -> Trainer:
        """A trainer of the configuration at its own initialisation."""
        if self.depth == "whole":
            return self.probe.build(self.config)
        return self.probe.built_behind(self.config, little=self.depth == "little")

    def built_otherwise(self, other: "Fingerprint") -> bool:
        """Whether the other cannot be built, or has other initial values."""
        if other.error:
            return True
        shapes = {name: value.shape for name, value in self.initial.items()}
        if shapes != {name: value.shape for name, value in other.initial.items()}:
            return True
        return unlike(self.initial, other.initial)

    def questions(self, path: str) -> list[Callable[["Fingerprint"], bool]]:
        """Ways in which another one, that differs in the key at `path`, may step or would step at another state."""
        terms_differ = partial(self._terms_differ, path.split("."))
        if path.startswith(OF_TERMS) and not is_weight(path):
            return [terms_differ, self._steps_differ]
        asked: list[Callable[[Fingerprint], bool]] = [self._steps_differ, terms_differ]
        if path.startswith("optimiser."):
            asked.insert(0, self._updates_differ)
        if not path.startswith((*OF_TERMS, *OF_GRADIENTS)):
            asked.insert(1 if path.endswith("penalty") else 0, self._forwards_differ)
        if path.startswith(OF_SEQUENCE) and self.depth == "whole":
            asked.insert(0, self._queries_differ)
        return [*asked, self.differs_unseen] if path.startswith(UNSEEN) else asked

    def differs_unseen(self, other: "Fingerprint") -> bool:
        """Whether the two predict cell lines that were not trained on in different ways, as the training lines are now or
        with R_E far apart, as it may come to be; NaN equals NaN."""
        clones = self.clone(), other.clone()
        one, two = (self.probe.logits(clone, unseen=True) for clone in clones)
        if not _same(one, two):
            return True
        for clone in clones:
            r = clone.reference.r
            clone.reference = clone.reference._replace(r=r + torch.linspace(-1, 1, len(r)).to(r))
        one, two = (self.probe.logits(clone, unseen=True) for clone in clones)
        return not _same(one, two)

    def step(self) -> dict[str, Any]:
        """Gradients, next parameters and next states of one step from the probe's state."""
        if self._step is None:
            probe, clone = self.probe, self.trainer
            probe.load(clone)
            step = probe.step(clone, batch=self.batch)
            self._step = {
                "gradients": step.gradients,
                "parameters": step.parameters,
                "states": step.states,
                "values": {
                    name: torch.tensor(v) for name, v in (step.log.values if step.log else {}).items()
                },
            }
        return self._step

    def updated(self) -> dict[str, torch.Tensor]:
        """Next parameters of one step on the loss of the task alone, from the probe's state: what the optimiser makes of a
        gradient."""
        if self._updated is None:
            clone, weighted = self.trainer, self.trainer.weighted
            self.probe.load(clone)
            clone.weighted = [row for row in weighted if row[0].key == "task"]
            try:
                self._updated = self.probe.step(clone, batch=self.batch).parameters
            finally:
                clone.weighted = weighted
                clone.optimiser.state.clear()
                stand_in = given_sides(clone)
                if stand_in is not None:  # it has moved as well, and the probe's state says nothing of it
                    stand_in.load(self.probe.sides)
        return self._updated

    def logits(self) -> torch.Tensor:
        """Logits of a few pairs as they are predicted."""
        if self._logits is None:
            self.probe.load(self.trainer)
            self._logits = self.probe.logits(self.trainer)
        return self._logits

    @torch.no_grad()
    def _forwards_differ(self, other: "Fingerprint") -> bool:
        """Whether a step differs before its gradients."""
        self.probe.load(other.trainer)
        one, two = self.measured(), other.trainer.measure(self.batch, warm=False).step
        pairs = [(vars(one)[name], vars(two)[name]) for name in FORWARD]
        # After these, since it may take long to make.
        made = ((getattr(one, name), getattr(two, name)) for name in ON_DEMAND if name in one.makers)
        return any(a.shape != b.shape or not _same(a, b) for a, b in itertools.chain(pairs, made))

    def _steps_differ(self, other: "Fingerprint") -> bool:
        """Whether a step or the logits that are predicted differ."""
        one, two = self.step(), other.step()
        return any(unlike(one[name], two[name]) for name in one) or not torch.equal(
            self.logits(), other.logits()
        )

    def _updates_differ(self, other: "Fingerprint") -> bool:
        """Whether the two make other parameters of one gradient."""
        return unlike(self.updated(), other.updated())

    def _terms_differ(self, path: list[str], other: "Fingerprint") -> bool:
        """Whether the loss terms of the two make other values or states of one and the same step, as it is and at stretched
        states, where hinges that are satisfied now are not; terms that the path of the key names are asked first."""
        self.probe.load(other.trainer)
        keys, others = self.terms(), other.terms()
        return keys != others or any(
            self._term_differs(key, other) for key in sorted(keys, key=lambda key: key not in path)
        )

    def terms_apart(self, other: "Fingerprint", keys: Collection[str]) -> set[str]:
        """Those of the loss terms with these keys, built in both, that make other values or states of one and the same
        step, stretched or not, or whose states have other shapes."""
        self.probe.load(other.trainer)
        shapes = [
            {name: value.shape for name, value in each.initial.items() if "/" in name}
            for each in (self, other)
        ]
        resized = {name.split("/")[0] for name, _ in shapes[0].items() ^ shapes[1].items()}
        both = {*self.terms()} & {*other.terms()} & {*keys}
        return {key for key in both if key in resized or self._term_differs(key, other)}

    def terms(self) -> list[str]:
        """Keys of the loss terms, in their order."""
        return [term.key for term, _ in self.trainer.weighted]

    def _term_differs(self, key: str, other: "Fingerprint") -> bool:
        """The same of one term, with the other's trainer at the probe's state."""
        return any(
            not torch.equal(a, b)
            for stretch in STATES
            for a, b in zip(
                self.values(key, stretch),
                values_of(other.trainer, key, self.measured(), stretch),
                strict=True,
            )
        )

    @torch.no_grad()
    def _queries_differ(self, other: "Fingerprint") -> bool:
        """Whether the sequence side gives something else for the query pairs of a step."""
        self.probe.load(other.trainer)
        one, two = self.query(), other.probe.query_of(other.trainer, self.batch)
        return any(a.shape != b.shape or not _same(a, b) for a, b in zip(one, two, strict=True))

    @torch.no_grad()
    def query(self) -> SequenceOutput:
        """What the sequence side gives for the query pairs of a step from the probe's state."""
        if self._query is None:
            self._query = self.probe.query_of(self.asked(), self.batch)
        return self._query

    def asked(self) -> Trainer:
        """The one clone that is asked and never steps."""
        self._clone = self._clone or self.clone()
        return self._clone

    def measured(self) -> Step:
        """A step of a few pairs before its gradients, at the probe's state."""
        if self._measured is None:
            self._measured = self.asked().measure(self.batch, warm=False).step
        return self._measured

    def values(self, key: str, stretch: tuple[float, float]) -> list[torch.Tensor]:
        """What the loss term of that key makes of that step."""
        if (key, stretch) not in self._values:
            self._values[key, stretch] = values_of(self.asked(), key, self.measured(), stretch)
        return self._values[key, stretch]


def values_of(trainer: Trainer, key: str, step: Step, stretch: tuple[float, float]) -> list[torch.Tensor]:
    """What the trainer's loss term of that key makes of a stretched step, in its state as it is and awake: its value, and
    its next state."""
    moved = stretched(step, *stretch)[0]
    state, made = trainer.states[key], []
    for term in (term for term, _ in trainer.weighted if term.key == key):
        for asked in (state, term.awake(state)):
            value, after = term(moved, asked)
            made += [value.detach(), *(after[name].detach() for name in sorted(after))]
    return made


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors of one shape are the same numbers; NaN equals NaN."""
    return torch.allclose(one, other, rtol=0.0, atol=0.0, equal_nan=True)


def unlike(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    """Whether the two differ in any bit of any tensor."""
    return one.keys() != other.keys() or any(
        not torch.equal(value, other[name]) for name, value in one.items()
    )
