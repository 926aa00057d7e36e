"""One optimiser step of the episodic loop: what was measured, terms, routed gradients, AdamW."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.config.blocks.reads import Reads
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.frozen import answers_of
from harness.data.shallow import ShallowStatistics
from harness.trial.episodes.cell_facts import presented_features, relation_matrix
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.balance import build_balance
from harness.trial.step.dependence import dependence
from harness.trial.step.diverged import Diverged, not_finite
from harness.trial.step.draws import Draws, TrainingDraws
from harness.trial.step.measure import Measure, Measured, Sides
from harness.trial.step.optimiser import PlainAdamW
from harness.trial.step.returned import value_and_state
from harness.trial.step.routing import Gradients, Router, WeightedTerm, gradient_norm, norms_of_each
from harness.trial.step.schedule import Schedule
from models.building import build_model
from models.environment.memory import after_step, at_epoch
from models.environment.resistance import Reference, beside
from models.episode import Step
from models.losses import build_terms, sequence_alone, weighted_classes
from models.sizes import Sizes
from models.streams import initialise, stream_seed


@dataclass
class StepLog:
    """What one step measured: term values, weights in force, gradient norms and shares (on probe steps), state of the
    energy, and (on probe steps) how far z_I and z_E depend on each other; norm [] of every parameter's gradient before
    clipping; the smallest and the largest opening of the energy's gate (None: no gate acts); the share of episodes that hid
    their name."""

    loss: float
    grad_norm: float
    values: dict[str, float]
    weights: dict[str, float]
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)
    state: dict[str, float] = field(default_factory=dict)
    dependence: dict[str, float] = field(default_factory=dict)
    norms: dict[nn.Parameter, Tensor] = field(default_factory=dict)
    gate: tuple[float, float] | None = None
    hidden: float = 0.0


@dataclass(frozen=True)
class Begun:
    """A step before its gradients: what was measured, the terms in force, their next states, and whether the environment
    acts (phase 2)."""

    measured: Measured
    terms: list[WeightedTerm]
    states: dict[str, dict[str, Tensor]]
    acting: bool


class Trainer:
    """Model, terms, optimiser and explicit states of one unit; `step` advances all of them.

    model, terms (by key, with parameters), weighted [(term, configured weight)] in the order of their sum, optimiser;
    explicit states: states (of the terms, by key), reference, memory, balance_state, index (steps so far). `measuring`
    runs the model without changing anything; `draws` is what chance adds to it in training.

    Initialisation, dropout and label dropout each come from their own stream of `seed`; `codes` [C] are the dataset's
    indices of the training cell lines, which `EpisodeBatch.cell` counts from 0. `reads`, whose view `config` is then, is
    told what phase 1 reads: everything here but what builds the parts that rest in it.
    """

    def __init__(
        self,
        config: ConfigurationBlock,
        dataset: EncodedDataset,
        codes: np.ndarray,
        seed: int,
        device: torch.device,
        reads: Reads | None = None,
    ) -> None:
        self.config, self.dataset, self.seed, self.device = config, dataset, seed, device
        first = config if reads is None else reads.first
        settings, early = config.model_dump(), None if reads is None else reads.plain
        every = presented_features(config, dataset, codes, seed)
        v = None if every is None else every[codes]
        relations = relation_matrix(config, dataset, codes)
        frozen = answers_of(dataset, config.frozen)
        self.model = build_model(settings, len(codes), v=v, relations=relations, early=early, frozen=frozen)
        self.v = None if v is None else v.to(device)
        initialise(self.model, stream_seed(seed, "model"))
        asked = {name for cls, _ in weighted_classes(settings).values() for name in cls.reads}
        statistics = ShallowStatistics.known(dataset) if "shallow" in asked else None
        sizes = Sizes(
            cell_lines=len(codes),
            features=self.model.features,
            width=self.model.placed_width,
            statistics=0 if statistics is None else statistics.width + 1,
            nonnegative=self.model.energy.nonnegative_resistance,
            relations=relation_matrix(config, dataset, codes, "loss.contrastive.relations"),
        )
        self.weighted = build_terms(settings, sizes, placebos=config.permuted, early=early)
        if reads is not None and not sequence_alone(settings, sizes):
            reads.all_in_phase1()
        self.terms = nn.ModuleDict({term.key: term for term, _ in self.weighted})
        initialise(self.terms, stream_seed(seed, "terms"))
        if device.type != "cpu":  # where they are made
            self.model.to(device)
            self.terms.to(device)
        self.states: dict[str, dict[str, Tensor]] = {
            term.key: {k: v.to(device) for k, v in term.initial_state().items()} for term, _ in self.weighted
        }
        self.reference = self.model.initial_reference().to(device)
        self.memory = {
            name: value.to(device) for name, value in self.model.environment.initial_memory().items()
        }
        self.router = Router(self.model.groups(), first.routing)
        self.schedule = Schedule(config.curriculum, config.balance)
        self.balance = build_balance(first.balance, stream_seed(seed, "balance"))
        self.balance_state = self.balance.initial_state([term.key for term, _ in self.weighted])
        self.parameters = [*self.model.parameters(), *self.terms.parameters()]
        decays = {"weight_decay": first.optimiser.weight_decay}
        self.optimiser = PlainAdamW(
            [
                {"params": [p for p in self.parameters if p.ndim >= 2], **decays},
                {"params": [p for p in self.parameters if p.ndim < 2], "weight_decay": 0.0},
            ],
            lr=first.optimiser.lr,
            fused=True,
        )
        self.clip = first.optimiser.clip
        hides, labels = config.episode.pseudo_unseen, config.support.labels
        self.draws: Draws = TrainingDraws(seed, pseudo_unseen=hides, labels=labels)
        self.measuring = Measure(
            self.model,
            dataset,
            v=self.v,
            statistics=statistics,
            shared=self.router.shared,
            seed=seed,
            device=device,
        )
        self.index = 0

    def measure(self, batch: EpisodeBatch, *, warm: bool, sides: Sides | None = None) -> Measured:
        """The next step before its gradients; changes nothing. `warm`: phase 1 of the curriculum; `sides`: of the batch,
        where they are there already."""
        states = self.reference, self.memory
        return self.measuring(batch, self.draws, self.index, *states, warm=warm, sides=sides)

    def labels(self, pairs: np.ndarray) -> Tensor:
        """Labels 0/1 of pair indices, of their shape."""
        return self.measuring.labels(pairs)

    def hidden(self, batch: EpisodeBatch, index: int) -> Tensor | None:
        """Bool [E]: episodes of the batch whose name step `index` would hide; None where none is ever hidden."""
        return self.draws.hidden(torch.from_numpy(batch.cell).to(self.device), index)

    def named_parameters(self) -> dict[str, nn.Parameter]:
        """Parameters of the model and, as `terms.NAME`, of the terms."""
        named = dict(self.model.named_parameters())
        return named | {f"terms.{name}": parameter for name, parameter in self.terms.named_parameters()}

    def step(self, batch: EpisodeBatch, *, progress: float, probe: bool) -> StepLog:
        """Advance by one step; `progress` is in epochs, `probe` measures every term's gradient share as well."""
        begun = self.begin(batch, progress)
        boundary = begun.measured.boundary
        gradients, terms, self.balance_state = self.balance.combine(
            self.router, begun.terms, boundary, self.balance_state, self.index
        )
        shares = self.router.shares(terms, boundary) if probe else {}
        norm = self._descend(gradients)
        norms = norms_of_each(gradients)
        return self.end(replace(begun, terms=terms), norm, norms, shares if probe else None)

    def begin(self, batch: EpisodeBatch, progress: float, sides: Sides | None = None) -> Begun:
        """The next step up to its gradients: nothing of the trainer has moved but its memory's epoch."""
        epoch = math.floor(progress) + 1
        warm = self.schedule.phase(epoch) == 1
        acting = not warm and self.model.environment.acts
        if acting:
            self.memory = at_epoch(self.memory, self.model.environment.branches, epoch)
        measured = self.measure(batch, warm=warm, sides=sides)
        terms, states = self._losses(measured.step, progress)
        return Begun(measured, terms, states, acting)

    def end(
        self,
        begun: Begun,
        norm: float,
        norms: dict[nn.Parameter, Tensor],
        shares: dict[str, tuple[float, float]] | None,
    ) -> StepLog:
        """The step after its parameters have moved: states, reference and memory follow. norm, norms: of the gradient and
        of each parameter's, before clipping; shares: of the terms on a probe step, None on another one."""
        measured, terms, acting = begun.measured, begun.terms, begun.acting
        self.states |= {key: {k: v.detach() for k, v in state.items()} for key, state in begun.states.items()}
        if acting:
            self.reference = self._reference_after(measured)
            self.memory = after_step(self.memory, self.model.environment.branches)
        self.index += 1
        values = {term.name: float(term.value.detach()) for term in terms}
        weights = {term.name: term.weight for term in terms}
        return StepLog(
            loss=sum(values[name] * weights[name] for name in values),
            grad_norm=norm,
            values=values,
            weights=weights,
            shares=shares or {},
            state=measured.state,
            dependence=dependence(measured.step, self.terms.keys()) if shares is not None and acting else {},
            norms=norms,
            gate=self._gate(measured.scores.r) if acting else None,
            hidden=0.0 if measured.hidden is None else float(measured.hidden.float().mean()),
        )

    def _losses(self, step: Step, progress: float) -> tuple[list[WeightedTerm], dict[str, dict[str, Tensor]]]:
        """The terms in force and their next states; raises Diverged for one, or a part of the step, that is not finite."""
        states: dict[str, dict[str, Tensor]] = {}
        terms: list[WeightedTerm] = []
        for term, weight in self.weighted:
            factor = self.schedule.factor(term, progress)
            if factor == 0.0:
                continue
            shown = step.shown_to(f"loss term {term.key}", term.reads)
            value, states[term.key] = value_and_state(term, term(shown, self.states[term.key]))
            if not bool(torch.isfinite(value)):
                raise Diverged(f"loss term {term.key} is {float(value.detach())} at step {self.index}")
            terms.append(WeightedTerm(term.key, value, weight * factor, term.reach, tuple(term.parameters())))
        made = {"U_I": step.u, "R_E": step.r, "z_E": step.z_e, "the logit": step.logit}
        # One number, since each look at one makes a GPU wait.
        if not math.isfinite(sum(part.detach().sum() for part in made.values())):
            lost = not_finite(made) or "the sum of U_I, R_E, z_E and logits"
            raise Diverged(f"{lost} is not finite at step {self.index}")
        return terms, states

    @torch.no_grad()
    def _gate(self, r: Tensor) -> tuple[float, float] | None:
        opened = self.model.energy.gate(r)
        return None if opened is None else (float(opened.min()), float(opened.max()))

    def _descend(self, gradients: Gradients) -> float:
        """Move every parameter by its gradient, clipped together; the norm before clipping."""
        norm = gradient_norm(gradients.values())
        if not math.isfinite(norm):
            raise Diverged(f"the gradient norm is {norm} at step {self.index}")
        scale = min(1.0, self.clip / (norm + 1e-12))
        for parameter in self.parameters:
            gradient = gradients.get(parameter)
            # In the parameter's own order: the fused AdamW of a CPU reads both as they lie in memory.
            parameter.grad = None if gradient is None else gradient.contiguous() * scale
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return norm

    def _reference_after(self, measured: Measured) -> Reference:
        """The reference after the step, from the raw R_E and z_E of each training cell line; hidden names do not count. A
        line in a mixture counts with what its query pairs got there."""
        step, scores = measured.step, measured.scores
        cell, raw, z_e = step.cell, scores.r_raw, scores.z_e
        if step.owner is None and bool((cell < 0).all()):
            cell = step.query_cell
            raw, z_e = beside(raw, cell).expand_as(cell), z_e.unsqueeze(1).expand(*cell.shape, -1)
        if measured.hidden is not None:
            cell = cell.where(~beside(measured.hidden, cell), -1)
        return self.reference.update(cell.flatten(), raw.detach().flatten(), z_e.detach().flatten(0, -2))

    def weights(self) -> dict[str, Any]:
        """Everything that scoring a pair depends on, and the terms' own parameters and states: no optimiser."""
        return {
            "model": self.model.state_dict(),
            "terms": self.terms.state_dict(),
            "states": self.states,
            "balance": self.balance_state,
            "reference": self.reference._asdict(),
            "memory": self.memory,
            "index": self.index,
        }

    def load_weights(self, state: dict[str, Any]) -> None:
        """Load a trainer's `weights` or `state_dict`; the optimiser stays as it is."""
        self.model.load_state_dict(state["model"])
        self.terms.load_state_dict(state["terms"])
        self.load_states(state)

    def load_states(self, state: Mapping[str, Any]) -> None:
        """Load the explicit states of a trainer's `weights` alone."""
        self.balance_state = {name: value.cpu() for name, value in state["balance"].items()}
        self.states = {
            key: {k: v.to(self.device) for k, v in values.items()} for key, values in state["states"].items()
        }
        self.reference = Reference(
            **{name: part.to(self.device) for name, part in state["reference"].items()}
        )
        self.memory = {name: value.to(self.device) for name, value in state["memory"].items()}
        self.index = state["index"]

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {**self.weights(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a trainer's `state_dict`."""
        self.load_weights(state)
        self.optimiser.load_state_dict(state["optimiser"])
