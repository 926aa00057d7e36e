"""Clones of a trainer that advance by one step each, so that what a mechanism does can be seen by leaving it out."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from harness.audit.behind_sequence import begin_behind, given_sides, reads_parameters, same_sequence
from harness.audit.copies import Copies
from harness.audit.kept_gradients import kept_gradients
from harness.audit.probe_batches import batches_of, beside_earlier, trimmed
from harness.audit.settings import changed, summed
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.episodes.batches import forward
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject
from harness.trial.step.diverged import Diverged, not_finite
from harness.trial.step.measure import Sides
from harness.trial.step.routing import RoutingError
from harness.trial.step.trainer import StepLog, Trainer
from models.scoring import score_queries
from models.sequence.potential import SequenceOutput

EVERYTHING_ON = 1e6
"""Progress in epochs at which every phase and ramp is over."""
NO_CLIP = 1e30
LITTLE = {
    "model.encoder": "cnn",
    "model.share_sides": True,
    "model.self_attention_layers": 0,
    "model.embedding": 1,
}
"""Of a sequence side that is built and not run."""
WARM_RATE = 0.01
"""Largest learning rate of the warm-up: a rate that kills the network is the trial's to find, and no mechanism's fault."""
MOST_STEPS = 2_000
"""Steps among which one is looked for that hides one name, or few."""

Patch = Callable[[Trainer], None]


@dataclass(frozen=True)
class ProbeStep:
    """One step of a clone: gradient and next value of every parameter by name, next states, and what was logged."""

    gradients: dict[str, Tensor]
    parameters: dict[str, Tensor]
    states: dict[str, Tensor]
    log: StepLog | None
    leak: str | None


class Probe:
    """Makes clones of a trainer's state and counts what they cost, in steps of the trial.

    weights: as of `Trainer.weights`, copied; codes: the training cell lines; batches: of the trial's sampler, the first
    ones where nothing was trained yet, else the last of those that were. The clones run with all schedules fully on and
    without clipping; the state is first `warmed` by one of its own steps, so that memory banks and prototypes hold
    something and what starts neutral (T = 1, A = 0) has left its start, unless the trial itself has left it. Where nobody
    knows how long the trial's steps take (`step_s`, seconds), it is taken in any case, of the trial's size, and tells.
    Where names are hidden, the step that every twin takes is one that hides one name (see `_hiding_one`).
    """

    def __init__(self, subject: Subject, *, step_s: float | None = None, warm: bool = True) -> None:
        self.began = time.perf_counter()
        self.subject, trainer = subject, subject.trainer
        self.dataset, self.codes, self.seed = trainer.dataset, subject.codes, trainer.seed
        self.device = trainer.device
        batches = batches_of(subject.sampler, trainer.index, trainer.dataset.label)
        optimiser = trainer.config.optimiser.model_copy(update={"clip": NO_CLIP})
        self.config = trainer.config.model_copy(update={"optimiser": optimiser})
        self.summed = summed(self.config)
        episodes = len(batches[0].support)
        batches = beside_earlier(batches)
        share = episodes / len(batches[0].support)
        self.batches = [trimmed(batch, self.dataset.label) for batch in batches]
        self.step_s = step_s
        self.weights = _kept(trainer.weights())
        with torch.random.fork_rng(devices=[]):
            built = Trainer(self.config, self.dataset, self.codes, self.seed, self.device)
        self._named: WeakKeyDictionary[Trainer, dict[str, nn.Parameter]] = WeakKeyDictionary()
        self._built = self._copies_of(built)
        clone = self.build()
        if warm:
            left = _left(clone, self.weights)
            self.load(clone)
            for group in clone.optimiser.param_groups:
                group["lr"] = min(group["lr"], WARM_RATE)
            if not left or step_s is None:
                began = time.perf_counter()
                # An epoch before that of the twins, so that they have an earlier Teacher that had trained.
                warming = self.batches[-2] if step_s else batches[-2]
                self.step(clone, batch=warming, progress=EVERYTHING_ON - 1)
                self.step_s = step_s or share * (time.perf_counter() - began)
            self.weights = _kept(clone.weights())
            lost = not_finite(self.weights)
            if lost is not None:
                raise Diverged(f"in the audit's warm-up {lost} is not finite")
        self.weights["index"] = self._hiding_one(clone)
        self._plain: Trainer | None = None
        self._copies: Copies | None = None
        self._behind: dict[tuple[str, bool], Copies] = {}
        self._sides: Sides | None = None

    def _hiding_one(self, clone: Trainer) -> int:
        """The next step in which exactly one episode hides its name, or as few as possible and not all: there what acts on
        hidden names and what acts on shown ones can both be judged."""
        return self.hiding(clone, self.batch, 1)

    def hiding(self, clone: Trainer, batch: EpisodeBatch, least: int) -> int:
        """The next step in which as few episodes of a batch as possible hide their name, but `least` of them."""
        start = int(self.weights["index"])
        if self.config.episode.pseudo_unseen == 0:
            return start
        best, fewest = start, len(batch.cell)
        for index in range(start, start + MOST_STEPS):
            hidden = clone.hidden(batch, index)
            count = 0 if hidden is None else int(hidden.sum())
            if least <= count < fewest:
                best, fewest = index, count
            if fewest == least:
                break
        return best

    @property
    def batch(self) -> EpisodeBatch:
        """The batch that every twin sees."""
        return self.batches[-1]

    @property
    def cost(self) -> float:
        """Wall time since the probe began over that of a step of the trial."""
        return (time.perf_counter() - self.began) / self.step_s if self.step_s else 0.0

    def build(self, config: ConfigurationBlock | None = None) -> Trainer:
        """A trainer of `config` at its own initialisation."""
        if config is None or config is self.config:
            return self._another(self._built)
        with torch.random.fork_rng(devices=[]):
            return Trainer(config, self.dataset, self.codes, self.seed, self.device)

    def clone(self, config: ConfigurationBlock | None = None, patch: Patch | None = None) -> Trainer:
        """A trainer with the probe's state wherever name and shape agree, `patch`ed afterwards."""
        clone = self._copied() if config is None else self._loaded(config)
        if patch is not None:
            patch(clone)
        return clone

    @property
    def plain(self) -> Trainer:
        """The one clone of the trial's own configuration that is asked again and again; it never steps."""
        if self._plain is None:
            self._plain = self._copied()
        return self._plain

    @property
    def sides(self) -> Sides:
        """What the sequence side gives for the batch in the step that every twin takes, without its graph."""
        if self._sides is None:
            self.stand_behind(self.plain.measuring.sides(self.batch, self.plain.draws, self.plain.index))
        assert self._sides is not None
        return self._sides

    def stand_behind(self, sides: Sides) -> None:
        """Take what the sequence side of a clone gave in that step for `sides`."""
        self._sides = Sides(*(SequenceOutput(*(part.detach() for part in output)) for output in sides))

    def sides_of(self, clone: Trainer) -> Sides:
        """The same with another clone's for the query pairs."""
        return Sides(self.sides.support, self.query_of(clone, self.batch))

    @torch.no_grad()
    def query_of(self, clone: Trainer, batch: EpisodeBatch) -> SequenceOutput:
        """What a clone's sequence side gives for the query pairs of its next step."""
        noise = clone.draws.noise(clone.index)
        return forward(clone.model, clone.dataset, batch.query, clone.device, noise)

    def behind(
        self, config: ConfigurationBlock | None = None, patch: Patch | None = None, *, whole: bool = False
    ) -> Trainer:
        """A clone that begins behind the sequence side (see `begin_behind`), which costs a part of one and takes steps in a
        part of the time; `config` has to have the `same_sequence`. That side of its own is shared with other clones, and a
        little one that nothing runs, unless a loss term reads its parameters or all of it is asked for (`whole`)."""
        config = config or self.config
        if config is self.config or config is self.summed:
            clone = self._copied_behind(config, whole=whole)
        else:
            clone = self._begun(config, whole=whole)
        if patch is not None:
            patch(clone)
        return clone

    def _copied_behind(self, config: ConfigurationBlock, *, whole: bool) -> Trainer:
        """A copy of the one clone behind the sequence side that has this configuration."""
        kind = (config.balance.kind, whole)
        if kind not in self._behind:
            template = self._begun(config, whole=whole)
            spared: list[Any] = []
            if not whole and not reads_parameters(template):
                spared = [template.model.sequence, *template.model.sequence.parameters()]
            self._behind[kind] = self._copies_of(template, spared)
        return self._another(self._behind[kind])

    def _begun(self, config: ConfigurationBlock, *, whole: bool) -> Trainer:
        """A trainer of `config` behind the sequence side with the probe's state, ready for a step."""
        if config is self.config:
            clone = self._copied()
            begin_behind(clone, self.sides, reads=reads_parameters(clone))
            del self._named[clone]
        else:
            clone = self.built_behind(config, whole=whole)
            self.load(clone)
        self._updating(clone)
        return clone

    def built_behind(
        self, config: ConfigurationBlock, *, whole: bool = False, little: bool = False
    ) -> Trainer:
        """The same at its own initialisation; `little`: with the little sequence side in any case."""
        if not same_sequence(config, self.config):
            raise ValueError("a clone with another sequence side cannot begin behind this one")
        reads = reads_parameters(self.plain)
        clone = self.build(config if whole or (reads and not little) else changed(config, LITTLE))
        clone.config = config
        begin_behind(clone, self.sides, reads=reads)
        return clone

    def _copies_of(self, trainer: Trainer, spared: Sequence[Any] = ()) -> Copies:
        """Copies of a trainer, each with its parameters by name; data, settings and what is `spared` are shared."""
        shared = (self.dataset, trainer.measuring.statistics, trainer.config, trainer.schedule, *spared)
        return Copies((trainer, trainer.named_parameters()), shared)

    def _another(self, copies: Copies) -> Trainer:
        copied: Trainer
        copied, self._named[copied] = copies.copy()
        return copied

    def _names(self, clone: Trainer) -> dict[nn.Parameter, str]:
        """The names of a clone's parameters."""
        named = self._named.get(clone)
        return {p: name for name, p in (clone.named_parameters() if named is None else named).items()}

    def _copied(self) -> Trainer:
        """A copy of the plain clone as it was before anything was asked of it; the data are shared."""
        if self._copies is None:
            plain = self.build()
            self.load(plain)
            self._updating(plain)
            self._copies = self._copies_of(plain)
        return self._another(self._copies)

    def _loaded(self, config: ConfigurationBlock) -> Trainer:
        """A trainer of `config` with the probe's state, ready for a step."""
        clone = self.build(config)
        self.load(clone)
        self._updating(clone)
        return clone

    def _updating(self, clone: Trainer) -> None:
        """Updates in proportion to the gradient: the first one of Adam is its sign alone, and hides what differs."""
        for group in clone.optimiser.param_groups:
            group["lr"] = group["eps"] = 1.0

    def load(self, clone: Trainer) -> None:
        """Give `clone` the probe's parameters and states wherever name and shape agree."""
        initial = clone.weights()
        with torch.no_grad():
            for part in ("model", "terms"):
                for name, value in initial[part].items():
                    value.copy_(_match(value, self.weights[part].get(name)))
        states = {
            "states": {
                key: _matching(state, self.weights["states"].get(key, {}))
                for key, state in initial["states"].items()
            },
            **{
                name: _matching(initial[name], self.weights[name])
                for name in ("reference", "balance", "memory")
            },
        }
        clone.load_states({**states, "index": self.weights["index"]})

    def step(
        self,
        clone: Trainer,
        *,
        batch: EpisodeBatch | None = None,
        progress: float = EVERYTHING_ON,
        shares: bool = False,
    ) -> ProbeStep:
        """Advance `clone` by one step and keep what it did; a route that leaks is noted instead of raised."""
        names = self._names(clone)
        log, leak = None, None
        with kept_gradients(clone, names, moves=True) as gradients:
            try:
                log = clone.step(batch or self.batch, progress=progress, probe=shares)
            except RoutingError as error:
                leak = str(error)
        held = set(clone.parameters)
        parameters = {name: p.detach().clone() for p, name in names.items() if p in held}
        states = {
            f"{key}/{name}": value for key, state in clone.states.items() for name, value in state.items()
        }
        states |= {f"memory/{name}": value for name, value in clone.memory.items()}
        return ProbeStep(gradients, parameters, states, log, leak)

    def gradients(self, clone: Trainer, *, batch: EpisodeBatch | None = None) -> dict[str, Tensor]:
        """Gradients of a clone's step, whose parameters stay where they are."""
        with kept_gradients(clone, self._names(clone), moves=False) as gradients:
            clone.step(batch or self.batch, progress=EVERYTHING_ON, probe=False)
        return gradients

    @torch.no_grad()
    def logits(self, clone: Trainer, *, unseen: bool = False) -> Tensor:
        """Logits [E, Q] of the query pairs as they are predicted: no labels, no hidden names, and where the sequence side
        runs no dropout; `unseen`: as those of cell lines that were not trained on."""
        batch = self.batch
        support, query = self._forwards(clone) if given_sides(clone) is None else self.sides
        episodes, size = batch.support.shape
        zeros = torch.zeros(episodes, size, device=clone.device)
        stream = support.stream.view(episodes, size, -1)
        sets = clone.measuring.support_sets(batch, stream, support.u.view(episodes, size), zeros, zeros)
        if unseen:
            sets = replace(sets, cell=torch.full_like(sets.cell, -1))
        u, z_i = query.u.view(episodes, -1), query.z_i.view(episodes, batch.query.shape[1], -1)
        return score_queries(
            clone.model, sets, u, z_i, clone.reference, clone.memory, warm=False
        ).scores.logit

    @torch.no_grad()
    def _forwards(self, clone: Trainer) -> Sides:
        """The sequence side of a clone over the batch, as in prediction."""
        sides = (self.batch.support, self.batch.query)
        return Sides(*(forward(clone.model, clone.dataset, pairs, clone.device) for pairs in sides))


def _left(built: Trainer, weights: Mapping[str, Any]) -> bool:
    """Whether a cell line was met, and all parameters and states of terms with `weights` left where a trainer begins."""
    parts = [(built.model, weights["model"]), (built.terms, weights["terms"])]
    moved = all(
        name in now and not torch.equal(p, now[name])
        for part, now in parts
        for name, p in part.named_parameters()
    )
    return (
        moved
        and bool(weights["reference"]["seen"].any())
        and not any(
            state and all(torch.equal(value, weights["states"][key][name]) for name, value in state.items())
            for key, state in built.states.items()
        )
    )


def differ(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Norm of the difference of two sets of tensors over the names that either has; an absent one counts as zeros."""
    gaps = []
    for name in sorted({*one, *other}):  # so that the order in which they come does not count
        a, b = one.get(name), other.get(name)
        if a is not None and b is not None and a.shape != b.shape:
            return math.inf
        gap = b if a is None else a if b is None else a - b
        assert gap is not None
        gaps.append(gap.flatten())
    return float(torch.linalg.vector_norm(torch.cat(gaps), dtype=torch.float64)) if gaps else 0.0


def norm(gradients: Mapping[str, Tensor]) -> float:
    """Euclidean norm over all tensors."""
    return differ(gradients, {})


def _kept(values: Any) -> Any:
    """A copy of nested mappings of tensors."""
    if isinstance(values, Tensor):
        return values.detach().clone()
    return {name: _kept(value) for name, value in values.items()} if isinstance(values, Mapping) else values


def _matching(initial: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _match(value, stored.get(name)).clone() for name, value in initial.items()}


def _match(initial: Tensor, stored: Tensor | None) -> Tensor:
    """What is stored, where it is of that shape."""
    return stored if stored is not None and stored.shape == initial.shape else initial
