"""Is every key of an enabled block read? Each is given another value, and something has to be different then."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

import torch

from harness.audit.behind_sequence import same_sequence
from harness.audit.frozen_side import frozen_key
from harness.audit.idle import STRETCHES, stretched
from harness.audit.probe import Probe
from harness.audit.probe_batches import trimmed
from harness.audit.settings import changed, value_at
from harness.config.blocks.acting import unread
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.paths import Leaf, discriminators, leaves, options
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.step.trainer import Trainer
from models.episode import Step
from models.losses.term import LossTerm
from models.sequence.potential import SequenceOutput

BLOCKS = ("model", "energy", "temperature", "environment", "loss", "decouple", "balance", "episode.pseudo_unseen",
          "support.labels", "optimiser.lr", "optimiser.weight_decay", "optimiser.clip")  # fmt: skip
"""What a trainer is built from; other blocks say which pairs it is given and how its scores are reported."""
ELSEWHERE = ("model.size", "model.enhancer_bp", "model.promoter_bp", "environment.prior.extrapolate")
"""Keys that are read where the data are opened, where sizes are filled in, or that a mechanism of their own judges."""
OF_SEQUENCE, OF_TERMS, OF_GRADIENTS = "model.", ("loss.", "decouple."), ("optimiser.", "balance.")
"""Blocks that act on the sequence side, on the values of terms, and on what becomes of gradients."""
UNSEEN = ("environment.unseen", "environment.prior.")
"""Keys that are read for cell lines that no step has: asked for by predicting as if no cell line had been trained on."""
LATER = ("balance.epochs", "balance.momentum", "balance.warmup")
"""Keys that act over more steps than one; the schedule of weights is judged by its own mechanism."""


def unread_keys(probe: Probe, only: str = "", judged: Collection[str] = ()) -> dict[str, str]:
    """Dotted paths (that start with `only`, and were not `judged` by other twins) that nothing reads, each with the values
    that were tried. Clones behind the sequence side are asked first; before a key of another block than the sequence side's
    is accused, whole ones are.
    """
    asked: dict[tuple[str, bool], _Fingerprint] = {}
    idle = {}
    for path, leaf in enabled(probe.config):
        if not path.startswith(only) or path in judged:
            continue
        config = probe.config if path.startswith("balance.") else probe.summed
        values = others(leaf, value_at(probe.config, path))
        for whole in (False, True):
            kind = config.balance.kind, whole
            base = asked.get(kind) or asked.setdefault(kind, _Fingerprint(probe, config, whole=whole))
            tried = _untold(base, path, values)
            if tried is None:
                break
        if tried and not waits(probe, path, tried):
            idle[path] = ", ".join(map(str, tried))
    return idle


def _untold(base: "_Fingerprint", path: str, values: list[Any]) -> dict[Any, Trainer] | None:
    """The trainers with the values, where none can be told from the base; None where one can, or cannot be asked. What is
    nearest to the key is asked first, of all values."""
    configs = {value: changed(base.config, {path: value}) for value in values}
    if not base.whole and not all(same_sequence(config, base.config) for config in configs.values()):
        return {}
    twins: dict[Any, _Fingerprint] = {}
    for question in base.questions(path):
        for value, config in configs.items():
            if value not in twins:
                twins[value] = _Fingerprint(base.probe, config, whole=base.whole)
                if base.built_otherwise(twins[value]):
                    return None
            try:
                if question(twins[value]):
                    return None
            except (ValueError, TypeError, LookupError, RuntimeError):
                return None  # a twin that cannot run with the other value has read it
    return {value: twin.trainer for value, twin in twins.items()}


def waits(probe: Probe, path: str, twins: dict[Any, Trainer]) -> bool:
    """Whether the key of a loss term acts only in states that a few steps do not reach: the term says that it waits
    (`LossTerm.awake`, a competition that is still warming up), it carries the value in its attribute of the key's name,
    here and in every twin that was built with another `value`, and it cannot be called without that attribute.
    """
    key = path.rsplit(".", 1)[-1]
    clone = probe.behind()
    carried = {value_at(probe.config, path): clone, **twins}
    if not all(_carries(trainer, path, value) for value, trainer in carried.items()):
        return False
    step = clone.measure(probe.batch, warm=False).step
    term = next(term for term, _ in clone.weighted if path.split(".")[1] == term.key)
    del vars(term)[key]
    try:
        term(step, clone.states[term.key])
    except AttributeError as error:
        if f"'{key}'" not in str(error):
            raise
        return True
    return False


def _carries(trainer: Trainer, path: str, value: Any) -> bool:
    """Whether the loss term of `path` is built, is one that waits, and has `value` as its attribute of the key's name."""
    block, _, key = path.rpartition(".")
    waiting = [
        term
        for term, _ in trainer.weighted
        if block.endswith(f".{term.key}") and type(term).awake is not LossTerm.awake
    ]
    return any(key in vars(term) and vars(term)[key] == value for term in waiting)


def enabled(config: ConfigurationBlock) -> Iterator[tuple[str, Leaf]]:
    """Paths of enabled blocks: there in this variant, not waiting for another key, and no weight that is 0."""
    chosen = {f"{block}.{key}" for block, (key, _) in discriminators().items()}
    for path, leaf in leaves().items():
        if not path.startswith(BLOCKS) or path in ELSEWHERE or path in LATER or path in chosen:
            continue
        if frozen_key(config, path):
            continue
        try:
            value = value_at(config, path)
        except AttributeError:
            continue
        off = value is None or (isinstance(value, int | float) and value == 0 and _is_weight(path))
        if not off and not isinstance(value, list) and not unread(config, [path]):
            yield path, leaf


def _is_weight(path: str) -> bool:
    return path.endswith((".weight", "penalty", "pseudo_unseen", "labels")) or path.startswith(
        ("decouple.", "loss.sparsity.")
    )


def others(leaf: Leaf, value: Any) -> list[Any]:
    """Up to three valid values that are not `value`, the nearer ones first."""
    if isinstance(value, bool):
        return [not value]
    names = options(leaf)
    if names:
        return [name for name in names if name != value]
    tries: list[Any] = [value * 2, max(1, value // 2), 1, value + 1] if isinstance(value, int) else []
    tries += [value * 1.5 + 0.1, 0.001, 0.0, value / 2] if isinstance(value, float) else []
    valid = []
    for other in tries:
        try:
            leaf.check(other)
        except ConfigError:
            continue
        if other != value and other not in valid:
            valid.append(other)
    return valid[:3]


FORWARD = ("u", "z_i", "z_e", "r", "r_raw", "r_student", "r_heard", "logit", "temperature")
"""What a step holds of the model."""
ON_DEMAND = ("log_prior",)
"""What a step makes of it where that is asked for."""
STATES = ((1.0, 0.0), *STRETCHES)
"""(scale, shift) of the states that loss terms are asked at."""


class _Fingerprint:
    """What a configuration makes of the probe's state: its initial values, and one step of a few pairs, behind the sequence
    side unless `whole`."""

    def __init__(self, probe: Probe, config: ConfigurationBlock, *, whole: bool) -> None:
        self.probe, self.config, self.whole = probe, config, whole
        self.error = ""
        try:
            self.trainer = probe.build(config) if whole else probe.built_behind(config)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            self.error = f"{type(error).__name__}: {error}"
            return
        weights = self.trainer.weights()
        self.initial = {
            f"{part}.{name}": value.clone()
            for part in ("model", "terms")
            for name, value in weights[part].items()
        }
        self.initial |= {
            f"{key}/{name}": value
            for key, state in weights["states"].items()
            for name, value in state.items()
        }
        self.batch = trimmed(probe.batch, 3, 4) if whole else probe.batch
        self._measured: Step | None = None
        self._clone: Trainer | None = None
        self._query: SequenceOutput | None = None
        self._values: dict[tuple[str, tuple[float, float]], list[torch.Tensor]] = {}
        self._step: dict[str, Any] | None = None
        self._logits: torch.Tensor | None = None

    def clone(self) -> Trainer:
        """A trainer of the configuration with the probe's state."""
        return self.probe.clone(self.config) if self.whole else self.probe.behind(self.config)

    def built_otherwise(self, other: "_Fingerprint") -> bool:
        """Whether the other cannot be built, or has other initial values."""
        if other.error:
            return True
        shapes = {name: value.shape for name, value in self.initial.items()}
        if shapes != {name: value.shape for name, value in other.initial.items()}:
            return True
        return unlike(self.initial, other.initial)

    def questions(self, path: str) -> list[Callable[["_Fingerprint"], bool]]:
        """Ways in which another one, that differs in the key at `path`, may step or would step at another state."""
        terms_differ = partial(self._terms_differ, path.split("."))
        if path.startswith(OF_TERMS) and not _is_weight(path):
            return [terms_differ, self._steps_differ]
        asked: list[Callable[[_Fingerprint], bool]] = [self._steps_differ, terms_differ]
        if not path.startswith((*OF_TERMS, *OF_GRADIENTS)):
            asked.insert(1 if path.endswith("penalty") else 0, self._forwards_differ)
        if path.startswith(OF_SEQUENCE) and self.whole:
            asked.insert(0, self._queries_differ)
        return [*asked, self.differs_unseen] if path.startswith(UNSEEN) else asked

    def differs_unseen(self, other: "_Fingerprint") -> bool:
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

    def logits(self) -> torch.Tensor:
        """Logits of a few pairs as they are predicted."""
        if self._logits is None:
            self.probe.load(self.trainer)
            self._logits = self.probe.logits(self.trainer)
        return self._logits

    @torch.no_grad()
    def _forwards_differ(self, other: "_Fingerprint") -> bool:
        """Whether a step differs before its gradients."""
        self.probe.load(other.trainer)
        one, two = self.measured(), other.trainer.measure(self.batch, warm=False).step
        pairs = [(vars(one)[name], vars(two)[name]) for name in FORWARD]
        # After these, since it may take long to make.
        made = ((getattr(one, name), getattr(two, name)) for name in ON_DEMAND if name in one.makers)
        return any(a.shape != b.shape or not _same(a, b) for a, b in itertools.chain(pairs, made))

    def _steps_differ(self, other: "_Fingerprint") -> bool:
        """Whether a step or the logits that are predicted differ."""
        one, two = self.step(), other.step()
        return any(unlike(one[name], two[name]) for name in one) or not torch.equal(
            self.logits(), other.logits()
        )

    def _terms_differ(self, path: list[str], other: "_Fingerprint") -> bool:
        """Whether the loss terms of the two make other values or states of one and the same step, as it is and at stretched
        states, where hinges that are satisfied now are not; terms that the path of the key names are asked first."""
        self.probe.load(other.trainer)
        keys, others = ([term.key for term, _ in of.trainer.weighted] for of in (self, other))
        return keys != others or any(
            not torch.equal(a, b)
            for key in sorted(keys, key=lambda key: key not in path)
            for stretch in STATES
            for a, b in zip(
                self.values(key, stretch), _values(other.trainer, key, self.measured(), stretch), strict=True
            )
        )

    @torch.no_grad()
    def _queries_differ(self, other: "_Fingerprint") -> bool:
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
            self._values[key, stretch] = _values(self.asked(), key, self.measured(), stretch)
        return self._values[key, stretch]


def _values(trainer: Trainer, key: str, step: Step, stretch: tuple[float, float]) -> list[torch.Tensor]:
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
