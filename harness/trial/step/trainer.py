"""One optimiser step of the episodic loop: support -> z_E, query -> U_I, one energy, terms, routed gradients, AdamW."""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.config.blocks.trial import TrialConfig
from harness.data.dataset import EncodedDataset
from harness.data.shallow import ShallowStatistics
from harness.trial.episodes.batches import forward
from harness.trial.episodes.cell_facts import relation_matrix, standardised_features
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.balance import build_balance
from harness.trial.step.dependence import dependence
from harness.trial.step.routing import Boundary, Router, WeightedTerm, gradient_norm
from harness.trial.step.schedule import Schedule
from models.building import build_model
from models.environment.memory import after_step, at_epoch
from models.environment.resistance import Reference, beside
from models.episode import Step, Support
from models.losses import TermSizes, build_terms, weighted_classes
from models.prism import Scores
from models.sequence.channels import output_channels
from models.streams import SeededNoise, generator, initialise, stream_seed


class Diverged(Exception):
    """Something of a step, an evaluation or an audit became NaN or infinite, or the task loss exploded: the trial ends as
    `diverged`, the sweep goes on."""


EXPLODED = 50.0
"""Mean task loss of an epoch, in nats per pair, that no training comes back from: logits are wrong by 50 and more."""


@contextlib.contextmanager
def diverging(trainer: "Trainer") -> Iterator[None]:
    """Whatever goes wrong in here for want of finite numbers is a Diverged: an error of linear algebra, an overflow, and
    any other error of a trainer whose weights or states are not finite."""
    try:
        yield
    except (FloatingPointError, OverflowError, np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:
        raise Diverged(f"{type(error).__name__}: {error}") from error
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        lost = not_finite(trainer.weights())
        if lost is None:
            raise
        raise Diverged(f"{lost} is not finite at step {trainer.index} ({error})") from error


def refuse_explosion(logs: Sequence["StepLog"]) -> None:
    """Raise Diverged where the mean task loss of an epoch's steps is above EXPLODED."""
    task = float(np.mean([log.values["task"] for log in logs]))
    if task > EXPLODED:
        raise Diverged(f"the task loss rose to {task:.3g} nats per pair, mean over the epoch")


def not_finite(state: Any, name: str = "") -> str | None:
    """Dotted name of the first tensor in nested mappings that holds NaN or an infinity; None when all are finite."""
    if isinstance(state, Tensor):
        return None if bool(torch.isfinite(state).all()) else name
    if not isinstance(state, Mapping):
        return None
    parts = (not_finite(value, f"{name}.{key}" if name else str(key)) for key, value in state.items())
    return next((part for part in parts if part is not None), None)


@dataclass
class StepLog:
    """What one step measured: term values, weights in force, gradient norms and shares (on probe steps), state of the
    energy, and (on probe steps) how far z_I and z_E depend on each other."""

    loss: float
    grad_norm: float
    values: dict[str, float]
    weights: dict[str, float]
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)
    state: dict[str, float] = field(default_factory=dict)
    dependence: dict[str, float] = field(default_factory=dict)


class Trainer:
    """Model, terms, optimiser and explicit states of one replicate; `step` advances all of them.

    Initialisation, dropout and label dropout each come from their own stream of `seed`; `codes` [C] are the dataset's
    indices of the training cell lines, which `EpisodeBatch.cell` counts from 0.
    """

    def __init__(
        self, config: TrialConfig, dataset: EncodedDataset, codes: np.ndarray, seed: int, device: torch.device
    ) -> None:
        self.config, self.dataset, self.seed, self.device = config, dataset, seed, device
        settings = config.model_dump()
        every = standardised_features(config, dataset, codes)
        v = None if every is None else every[codes]
        relations = relation_matrix(config, dataset, codes)
        self.model = build_model(settings, len(codes), v=v, relations=relations)
        self.v = None if v is None else v.to(device)
        initialise(self.model, stream_seed(seed, "model"))
        reads = {name for cls, _ in weighted_classes(settings).values() for name in cls.reads}
        self.shallow = ShallowStatistics(dataset) if "shallow" in reads else None
        self.weighted = build_terms(
            settings,
            TermSizes(
                cell_lines=len(codes),
                features=self.model.features,
                width=self.model.placed_width,
                statistics=0 if self.shallow is None else self.shallow.width + 1,
                nonnegative=self.model.energy.nonnegative_resistance,
                relations=relation_matrix(config, dataset, codes, "loss.contrastive.relations"),
            ),
        )
        self.terms = nn.ModuleDict({term.key: term for term, _ in self.weighted})
        initialise(self.terms, stream_seed(seed, "terms"))
        self.model.to(device)
        self.terms.to(device)
        self.states: dict[str, dict[str, Tensor]] = {
            term.key: {k: v.to(device) for k, v in term.initial_state().items()} for term, _ in self.weighted
        }
        self.reference = Reference(*(part.to(device) for part in self.model.initial_reference()))
        self.memory = {name: value.to(device) for name, value in self.model.initial_memory().items()}
        self.router = Router(self.model.groups(), config.routing)
        self.schedule = Schedule(config.curriculum, config.balance)
        self.balance = build_balance(config.balance, stream_seed(seed, "balance"))
        self.balance_state = self.balance.initial_state([term.key for term, _ in self.weighted])
        self.parameters = [*self.model.parameters(), *self.terms.parameters()]
        matrices = [p for p in self.parameters if p.ndim >= 2]
        others = [p for p in self.parameters if p.ndim < 2]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": config.optimiser.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=config.optimiser.lr,
        )
        self.index = 0

    def step(self, batch: EpisodeBatch, *, progress: float, probe: bool) -> StepLog:
        """Advance by one step; `progress` is in epochs, `probe` measures every term's gradient share as well."""
        epoch = math.floor(progress) + 1
        warm = self.schedule.phase(epoch) == 1
        acting = not warm and self.model.has_environment
        if acting:
            self.memory = at_epoch(self.memory, self.model.branches, epoch)
        measured, boundary, step, scores = self._measure(batch, warm=warm)
        states: dict[str, dict[str, Tensor]] = {}
        terms: list[WeightedTerm] = []
        for term, weight in self.weighted:
            factor = self.schedule.factor(term, progress)
            if factor == 0.0:
                continue
            value, states[term.key] = term(step, self.states[term.key])
            if not bool(torch.isfinite(value)):
                raise Diverged(f"loss term {term.key} is {float(value.detach())} at step {self.index}")
            terms.append(WeightedTerm(term.key, value, weight * factor, term.reach, tuple(term.parameters())))
        made = {"U_I": step.u, "R_E": step.r, "z_E": step.z_e, "the logit": step.logit}
        # One number, since each look at one makes a GPU wait.
        if not math.isfinite(sum(part.detach().sum() for part in made.values())):
            lost = not_finite(made) or "the sum of U_I, R_E, z_E and logits"
            raise Diverged(f"{lost} is not finite at step {self.index}")
        gradients, terms, self.balance_state = self.balance.combine(
            self.router, terms, boundary, self.balance_state, self.index
        )
        shares = self.router.shares(terms, boundary) if probe else {}
        norm = gradient_norm(gradients.values())
        if not math.isfinite(norm):
            raise Diverged(f"the gradient norm is {norm} at step {self.index}")
        scale = min(1.0, self.config.optimiser.clip / (norm + 1e-12))
        for parameter in self.parameters:
            gradient = gradients.get(parameter)
            parameter.grad = None if gradient is None else gradient * scale
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.states |= {key: {k: v.detach() for k, v in state.items()} for key, state in states.items()}
        if acting:
            self.reference = self._reference_after(step, scores)
            self.memory = after_step(self.memory, self.model.branches)
        self.index += 1
        values = {term.name: float(term.value.detach()) for term in terms}
        weights = {term.name: term.weight for term in terms}
        return StepLog(
            loss=sum(values[name] * weights[name] for name in values),
            grad_norm=norm,
            values=values,
            weights=weights,
            shares=shares,
            state=measured,
            dependence=dependence(step, self.terms.keys()) if probe and acting else {},
        )

    def _measure(self, batch: EpisodeBatch, *, warm: bool) -> tuple[dict[str, float], Boundary, Step, Any]:
        """Run both sides and the energy on leaves cut off at the boundary."""
        episodes, support_size = batch.support.shape
        query_size = batch.query.shape[1]
        shared = self.router.shared
        with torch.set_grad_enabled(shared):
            # Support features carry no dropout, so that the Student sees in training what it sees in prediction.
            support = forward(self.model, self.dataset, batch.support, self.device)
        noise = SeededNoise(stream_seed(self.seed, "dropout"), self.index)
        query = forward(self.model, self.dataset, batch.query, self.device, noise)
        priced = self.model.sequence.information is not None
        outputs: tuple[Tensor, ...] = (query.u, query.z_i)
        outputs += (support.u, support.stream) if shared else ()
        outputs += (query.kl,) if priced else ()
        leaves = tuple(output.detach().requires_grad_() for output in outputs)
        u, z_i = leaves[0].view(episodes, query_size), leaves[1].view(episodes, query_size, -1)
        support_u = (leaves[2] if shared else support.u).view(episodes, support_size)
        support_z = (leaves[3] if shared else support.stream).view(episodes, support_size, -1)
        label, labelled = self._support_labels(batch)
        hidden = None if warm else self._hidden(batch_cells(batch, self.device))
        named = self.support_sets(batch, support_z, support_u, label, labelled)
        environment = self.model.environment_of(without_names(named, hidden), self.memory)
        scores = self.model.score(u, z_i, environment, self.reference, warm=warm)
        r_teacher, taught = self._lesson(named, scores.r_teacher, hidden)
        step = Step(
            u=u,
            z_i=z_i,
            z_e=self.model.placed(scores.z_e),
            r=scores.r,
            logit=scores.logit,
            temperature=scores.temperature,
            label=self._labels(batch.query),
            cell=batch_cells(batch, self.device) if named.owner is None else named.cell,
            owner=named.owner,
            query_cell=torch.from_numpy(batch.query_cell).to(self.device),
            seed=stream_seed(self.seed, "terms"),
            index=self.index,
            r_raw=scores.r_raw,
            r_student=scores.r_student,
            r_heard=scores.r_heard,
            r_teacher=r_teacher,
            taught=taught,
            pseudo_unseen=None if hidden is None else hidden.float(),
            v=named.v,
            v_decoded=self._decoded(scores),
            log_prior=None if warm else self.model.log_prior(environment, scores.r_raw, self.reference),
            kl=leaves[-1].view(episodes, query_size) if priced else None,
            shallow=self._shallow(batch, support_u),
            energy_of=self._energy_of(u, scores),
            **self._channels(),
        )
        with torch.no_grad():
            state = {
                "temperature": float(scores.temperature.mean()),
                "u_mean": float(u.mean()),
                "u_var": float(u.var()),
                "r_mean": float(scores.r.mean()),
                "r_var": float(scores.r.var(correction=0)),
            } | {name: float(value) for name, value in self.model.energy.report().items()}
        return state, Boundary(outputs, leaves), step, scores

    def support_sets(
        self, batch: EpisodeBatch, z_i: Tensor, u: Tensor, label: Tensor, labelled: Tensor
    ) -> Support:
        """The step's support sets with the names that the environment side may go by (see `Support`)."""
        cell = batch_cells(batch, self.device)
        owner: Tensor | None = None
        mixture = False
        if batch.mixed:
            cell = torch.from_numpy(batch.query_cell).to(self.device)
            if self.model.environment.by_cell:
                cell, owner = torch.unique(cell, return_inverse=True)
            mixture = owner is None
        v = None if self.v is None or mixture else self.v[cell]
        return Support(z_i, u, label, labelled, cell, v=v, owner=owner)

    def _reference_after(self, step: Step, scores: Scores) -> Reference:
        """The reference after the step: each training cell line's own raw R_E and z_E; hidden names do not count. A line
        in a mixture is met with what its query pairs were given there."""
        cell, raw, z_e = step.cell, scores.r_raw, scores.z_e
        if step.owner is None and bool((cell < 0).all()):
            cell = step.query_cell
            raw, z_e = beside(raw, cell).expand_as(cell), z_e.unsqueeze(1).expand(*cell.shape, -1)
        if step.pseudo_unseen is not None:
            cell = cell.where(beside(step.pseudo_unseen, cell) == 0, -1)
        return self.reference.update(cell.flatten(), raw.detach().flatten(), z_e.detach().flatten(0, -2))

    def _channels(self) -> dict[str, Tensor]:
        """Output channels of the sequence side where group sparsity reads them (M07)."""
        if "sparsity_groups" not in self.terms:
            return {}
        channels = output_channels(self.model.sequence)
        return {"channel_norm": channels.norm, "channel_size": channels.size}

    def _decoded(self, scores: Scores) -> Tensor | None:
        """v'_c [E, F] from z_E, where a reconstruction loss reads it (M21)."""
        return self.model.environment.decode(scores.z_e) if "reconstruction" in self.terms else None

    def _hidden(self, cell: Tensor) -> Tensor | None:
        """Bool [E]: episodes of this step that hide their cell line's name (M29), each with the configured chance."""
        share = self.config.episode.pseudo_unseen
        if share == 0.0:
            return None
        draw = torch.rand(cell.shape, generator=generator(self.seed, "pseudo_unseen", self.index))
        return (draw < share).to(self.device)

    def _lesson(
        self, named: Support, r_teacher: Tensor | None, hidden: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """(R_T, where it is a target) of the shape of `named.cell`: the earlier Teacher's in episodes without a name, the
        Teacher's elsewhere."""
        if r_teacher is None or hidden is None:
            return r_teacher, None if r_teacher is None else (named.cell >= 0).float()
        r_ref = self.model.earlier_resistance(named, self.memory, self.reference)
        known, hidden = (named.cell >= 0).float(), beside(hidden, named.cell)
        return r_teacher.where(~hidden, r_ref), known * self.memory["ready"].where(hidden, 1.0)

    def _shallow(self, batch: EpisodeBatch, support_u: Tensor) -> Tensor | None:
        """[E, S, f]: shallow statistics of the support pairs, U_I last; None where nothing reads them."""
        if self.shallow is None:
            return None
        statistics = torch.from_numpy(self.shallow.of(batch.support)).to(self.device)
        return torch.cat([statistics, support_u.detach().unsqueeze(-1)], -1)

    def _energy_of(self, u: Tensor, scores: Scores) -> Callable[[Tensor], Tensor]:
        """R of the cell lines [..., E, 1] -> logit [..., E, Q], with sg U_I unless routing is shared."""
        potential = u if self.router.shared else u.detach()
        pair_part = (scores.r - beside(scores.r_cell, scores.r)).detach()
        temperature = scores.temperature.detach()
        energy = self.model.energy
        return lambda r: energy(potential, r + pair_part, temperature)

    def _labels(self, pairs: Any) -> Tensor:
        return torch.from_numpy(self.dataset.label[pairs].astype("float32")).to(self.device)

    def _support_labels(self, batch: EpisodeBatch) -> tuple[Tensor, Tensor]:
        """Support labels and which of them are shown: none, or half of them under support.labels."""
        label = self._labels(batch.support)
        if not self.config.support.labels:
            return label, torch.zeros_like(label)
        source = generator(self.seed, "label_dropout", self.index)
        return label, (torch.rand(label.shape, generator=source) < 0.5).to(label)

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
        """Score as the trainer did whose `weights` or `state_dict` this is; the optimiser stays as it is."""
        self.model.load_state_dict(state["model"])
        self.terms.load_state_dict(state["terms"])
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
        """Continue as the trainer would whose `state_dict` this is."""
        self.load_weights(state)
        self.optimiser.load_state_dict(state["optimiser"])


def without_names(named: Support, hidden: Tensor | None) -> Support:
    """The support sets without the names of the episodes that hide them (bool [E]); None: no name is ever hidden."""
    if hidden is None:
        return named
    hides = beside(hidden, named.cell)
    own = named.cell.where(hides, -1) if named.cell.ndim == 1 else None
    return replace(named, cell=named.cell.where(~hides, -1), hidden=own)


def batch_cells(batch: EpisodeBatch, device: torch.device) -> Tensor:
    return torch.from_numpy(batch.cell).to(device)
