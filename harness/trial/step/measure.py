"""A step before its gradients: support -> z_E, query -> U_I, one energy, on leaves that are cut off at the boundary."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from harness.data.dataset import EncodedDataset
from harness.data.shallow import ShallowStatistics
from harness.trial.episodes.batches import forward
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.draws import Draws
from harness.trial.step.on_demand import (
    Makers,
    of_energy,
    of_environment,
    of_sequence,
    of_support,
    of_teacher,
)
from harness.trial.step.routing import Boundary
from models.environment.memory import Memory
from models.environment.resistance import Reference, beside
from models.episode import Step, Support
from models.prism import PrismModel, Scores
from models.scoring import score_queries
from models.sequence.potential import SequenceOutput
from models.stopped import stopped
from models.streams import stream_seed


class Measured(NamedTuple):
    """One step before its gradients: means and variances of the energy's parts by column of `epochs`, the boundary that
    gradients are routed at, what the loss terms see, the scores, and which episodes hide their name (bool [E] or None)."""

    state: dict[str, float]
    boundary: Boundary
    step: Step
    scores: Scores
    hidden: Tensor | None


class Sides(NamedTuple):
    """What the sequence side gives for the support pairs and the query pairs of a batch, each in one row."""

    support: SequenceOutput
    query: SequenceOutput


class Measure:
    """Runs a model on batches of a dataset; holds nothing that a step changes.

    v [C, F]: standardised features of the training cell lines; statistics: what an Opportunist sees, None where there is
    none; shared: whether gradients of the environment side reach the sequence side.
    """

    def __init__(
        self,
        model: PrismModel,
        dataset: EncodedDataset,
        *,
        v: Tensor | None,
        statistics: ShallowStatistics | None,
        shared: bool,
        seed: int,
        device: torch.device,
    ) -> None:
        self.model, self.dataset, self.v, self.statistics = model, dataset, v, statistics
        self.shared, self.seed, self.device = shared, seed, device

    def __call__(
        self,
        batch: EpisodeBatch,
        draws: Draws,
        index: int,
        reference: Reference,
        memory: Memory,
        *,
        warm: bool,
        sides: Sides | None = None,
    ) -> Measured:
        """Measure step `index`; `warm` is phase 1 of the curriculum, in which no name is hidden. `sides`: of the batch,
        where they are there already."""
        episodes, support_size = batch.support.shape
        query_size = batch.query.shape[1]
        support, query = sides or self.sides(batch, draws, index)
        priced = self.model.sequence.information is not None
        outputs: tuple[Tensor, ...] = (query.u, query.z_i)
        outputs += (support.u, support.stream) if self.shared else ()
        outputs += (query.kl,) if priced else ()
        leaves = tuple(output.detach().requires_grad_() for output in outputs)
        u, z_i = leaves[0].view(episodes, query_size), leaves[1].view(episodes, query_size, -1)
        support_u = (leaves[2] if self.shared else stopped(support.u)).view(episodes, support_size)
        support_z = (leaves[3] if self.shared else stopped(support.stream)).view(episodes, support_size, -1)

        label = self.labels(batch.support)
        cell = torch.from_numpy(batch.cell).to(self.device)
        hidden = None if warm else draws.hidden(cell, index)
        named = self.support_sets(batch, support_z, support_u, label, draws.shown(label, index))
        sets = without_names(named, hidden)
        scored = score_queries(self.model, sets, u, z_i, reference, memory, warm=warm)
        scores = scored.scores
        z_e = self.model.placed(scores.z_e)
        makers: Makers = {
            **of_energy(self.model, u, scores, shared=self.shared),
            **of_sequence(self.model),
            **of_support(self.statistics, batch.support, support_u, named.v),
            **of_teacher(self.model, named, scores.r_teacher, hidden, reference, memory),
            **({} if warm else of_environment(self.model, scored, reference)),
            **({"kl": lambda: leaves[-1].view(episodes, query_size)} if priced else {}),
        }
        step = Step(
            u=u,
            z_i=z_i,
            z_e=z_e,
            r=scores.r,
            logit=scores.logit,
            temperature=scores.temperature,
            label=self.labels(batch.query),
            cell=cell if named.owner is None else named.cell,
            owner=named.owner,
            query_cell=torch.from_numpy(batch.query_cell).to(self.device),
            seed=stream_seed(self.seed, "terms"),
            index=index,
            r_raw=scores.r_raw,
            r_student=scores.r_student,
            r_heard=scores.r_heard,
            makers=makers,
        )
        return Measured(self._state(u, scores), Boundary(outputs, leaves), step, scores, hidden)

    def sides(self, batch: EpisodeBatch, draws: Draws, index: int) -> Sides:
        """The sequence side over the pairs of a batch. Support features carry no dropout, so that the Student sees in
        training what it sees in prediction."""
        tables = self.model.sequence.tables()
        with torch.set_grad_enabled(self.shared):
            support = forward(self.model, self.dataset, batch.support, self.device, tables=tables)
        noise = draws.noise(index)
        query = forward(self.model, self.dataset, batch.query, self.device, noise, tables=tables)
        return Sides(support, query)

    def labels(self, pairs: np.ndarray) -> Tensor:
        """Labels 0/1 of pair indices, of their shape."""
        return torch.from_numpy(self.dataset.label[pairs].astype("float32")).to(self.device)

    def support_sets(
        self, batch: EpisodeBatch, z_i: Tensor, u: Tensor, label: Tensor, labelled: Tensor
    ) -> Support:
        """The step's support sets with the names that the environment side may go by (see `Support`)."""
        cell = torch.from_numpy(batch.cell).to(self.device)
        owner: Tensor | None = None
        mixture = False
        if batch.mixed:
            cell = torch.from_numpy(batch.query_cell).to(self.device)
            if self.model.environment.by_cell:
                cell, owner = torch.unique(cell, return_inverse=True)
            mixture = owner is None
        v = None if self.v is None or mixture else self.v[cell]
        return Support(z_i, u, label, labelled, cell, v=v, owner=owner)

    @torch.no_grad()
    def _state(self, u: Tensor, scores: Scores) -> dict[str, float]:
        return {
            "temperature": float(scores.temperature.mean()),
            "u_mean": float(u.mean()),
            "u_var": float(u.var()),
            "r_mean": float(scores.r.mean()),
            "r_var": float(scores.r.var(correction=0)),
            **_spreads(scores),
        } | {name: float(value) for name, value in self.model.energy.report().items()}


def _spreads(scores: Scores) -> dict[str, float]:
    """Variance of R_S and of R_T over the episodes of a step, of R_T where the Teacher has one; nothing without one."""
    if scores.r_teacher is None or scores.r_teacher.shape != scores.r_student.shape:
        return {}
    taught = ~scores.r_teacher.isnan()
    both = {"student_var": scores.r_student[taught], "teacher_var": scores.r_teacher[taught]}
    return {name: float(r.var(correction=0)) for name, r in both.items() if len(r) > 1}


def without_names(named: Support, hidden: Tensor | None) -> Support:
    """The support sets without the names of the episodes that hide them (bool [E]); None: no name is ever hidden."""
    if hidden is None:
        return named
    hides = beside(hidden, named.cell)
    codes = named.cell.where(hides, -1) if named.cell.ndim == 1 else None
    return replace(named, cell=named.cell.where(~hides, -1), hidden=codes)
