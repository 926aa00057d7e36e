"""The steps of several replicates of one configuration, taken together: one pass through their stacked sequence sides."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import UserError
from harness.trial.episodes.batches import bases
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.balance import BALANCES
from harness.trial.step.diverged import Diverged
from harness.trial.step.measure import Sides
from harness.trial.step.optimiser import PlainAdamW
from harness.trial.step.routing import Arriving, Boundary, Gradients, WeightedTerm, through
from harness.trial.step.trainer import Begun, StepLog, Trainer
from models.sequence.potential import SequenceOutput, SequencePotential
from models.sequence.stacked import StackedSequence, stacked_parameters

COUNT = "step"
"""What an optimiser remembers of a parameter that has one value for all of it: the steps that it took on it."""
Replicate = int
Shares = dict[str, tuple[float, float]]


def refuse_unstackable(balance: str) -> None:
    """Raise UserError for a `balance.kind` whose gradient is not one pass back through the sequence side."""
    row: Any = BALANCES.row(balance)
    if row.cls.weighs or row.cls.projects:
        raise UserError(
            f"trial.replicates: stacked goes back through the sequence side once for all terms, and balance.kind: "
            f"{balance} asks for the gradient of each: set trial.replicates: separate, or balance.kind: fixed or ramp"
        )


class Stack:
    """Trainers of one configuration that differ in their seeds alone, of one phase and with as many steps behind them.

    `step` does what `Trainer.step` does of each, to the rounding of float32: the sequence sides run as one, forward and
    backward, one AdamW moves all parameters, and what comes after z_I is each trainer's own, one after the other. The
    trainers' parameters, and what their optimisers remember, become views of the stack's rows; their states stay their
    own. So everything else may go on with the trainers as if they were alone, save their own `step`: for that, `leave`.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        first = trainers[0]
        refuse_unstackable(first.config.balance.kind)
        self.trainers = list(trainers)
        of_model = stacked_parameters([trainer.model for trainer in trainers])
        of_terms = stacked_parameters([trainer.terms for trainer in trainers])
        prefix = "sequence."
        sides = [trainer.model.sequence for trainer in trainers]
        self.sequence = StackedSequence(
            [side for side in sides if isinstance(side, SequencePotential)],
            {name[len(prefix) :]: leaf for name, leaf in of_model.items() if name.startswith(prefix)},
        )
        leaves = [*of_model.values(), *of_terms.values()]
        self._rows = dict(
            zip(leaves, zip(*(trainer.parameters for trainer in trainers), strict=True), strict=True)
        )
        """Leaf -> the parameter of each trainer that is one of its rows."""
        leaf_of = {rows[0]: leaf for leaf, rows in self._rows.items()}
        self._through = [leaf_of[parameter] for parameter in first.router.groups["S"]]
        self.optimiser = PlainAdamW(
            [
                {**settings, "params": [leaf_of[parameter] for parameter in settings["params"]]}
                for settings in first.optimiser.param_groups
            ]
        )
        for leaf, rows in self._rows.items():
            self._remember(leaf, rows)

    def step(
        self, batches: Sequence[EpisodeBatch], *, progress: float, probe: bool
    ) -> list[StepLog | Diverged]:
        """Advance every trainer by one step on its own batch; one that diverged stays as it is, with that for its log."""
        begun: dict[Replicate, Begun] = {}
        lost: dict[Replicate, Diverged] = {}
        for k, (trainer, batch, sides) in enumerate(
            zip(self.trainers, batches, self._sides(batches), strict=True)
        ):
            try:
                begun[k] = trainer.begin(batch, progress, sides)
            except Diverged as error:
                lost[k] = error
        gradients = self._gradients({k: one.terms for k, one in begun.items()}, begun)
        shares = self._shares(begun) if probe else {}
        norms = self._norms(gradients)
        whole = torch.stack(list(norms.values())).norm(dim=0).tolist()
        for k in [k for k in begun if not math.isfinite(whole[k])]:
            index = self.trainers[k].index
            lost[k] = Diverged(f"the gradient norm is {whole[k]} at step {index}")
            del begun[k]
        self._descend(gradients, whole, kept=lost)
        of_each = {leaf: norm.unbind() for leaf, norm in norms.items()}
        return [
            lost[k]
            if k in lost
            else trainer.end(
                begun[k],
                whole[k],
                {self._rows[leaf][k]: norm[k] for leaf, norm in of_each.items()},
                shares.get(k),
            )
            for k, trainer in enumerate(self.trainers)
        ]

    def leave(self) -> None:
        """Let each trainer's optimiser count its steps by itself again, so that the trainers may step alone."""
        for trainer in self.trainers:
            for state in trainer.optimiser.state.values():
                state[COUNT] = state[COUNT].clone()

    def _sides(self, batches: Sequence[EpisodeBatch]) -> Iterator[Sides]:
        """The sequence side over every trainer's pairs, which its own module is asked for so that who listens hears it."""
        first = self.trainers[0]
        noises = [trainer.draws.noise(trainer.index) for trainer in self.trainers]
        drawn = [noise for noise in noises if noise is not None]
        outputs, inputs = [], []
        for part in ("support", "query"):
            query = part == "query"
            pairs = [bases(first.dataset, getattr(batch, part), first.device) for batch in batches]
            enhancer, promoter = (torch.stack(side) for side in zip(*pairs, strict=True))
            with torch.set_grad_enabled(query or first.router.shared):
                outputs.append(self.sequence(enhancer, promoter, drawn if query and drawn else None))
            inputs.append(pairs)
        for k, trainer in enumerate(self.trainers):
            support, query_side = (
                _heard(trainer, of_pairs[k], SequenceOutput(*(values[k] for values in output)))
                for of_pairs, output in zip(inputs, outputs, strict=True)
            )
            yield Sides(support, query_side)

    def _gradients(
        self, terms: Mapping[Replicate, Sequence[WeightedTerm]], begun: Mapping[Replicate, Begun]
    ) -> Gradients:
        """Leaf -> gradient [K, ...] of each trainer's weighted sum, zeros in the rows of others; leaves without any are
        absent."""
        reached: list[tuple[Tensor, Tensor | None]] = []
        direct: dict[nn.Parameter, dict[Replicate, Tensor]] = {}
        for k, weighted in terms.items():
            boundary: Boundary = begun[k].measured.boundary
            arriving: Arriving
            gradients, arriving = self.trainers[k].router.at_boundary(weighted, boundary)
            reached += zip(boundary.outputs, arriving, strict=True)
            for leaf, rows in self._rows.items():
                if rows[k] in gradients:
                    direct.setdefault(leaf, {})[k] = gradients[rows[k]]
        total = through(reached, self._through)
        for leaf, parts in direct.items():
            none = torch.zeros_like(next(iter(parts.values())))
            stacked = torch.stack([parts.get(k, none) for k in range(len(self.trainers))])
            total[leaf] = total[leaf] + stacked if leaf in total else stacked
        return total

    def _shares(self, begun: Mapping[Replicate, Begun]) -> dict[Replicate, Shares]:
        """What `Router.shares` says of every trainer's terms."""
        names = [term.name for term in next(iter(begun.values())).terms] if begun else []
        separate: dict[Replicate, dict[str, Gradients]] = {k: {} for k in begun}
        for name in names:
            alone = {k: [term for term in one.terms if term.name == name] for k, one in begun.items()}
            gradients = self._gradients(alone, begun)
            for k in begun:
                separate[k][name] = {self._rows[leaf][k]: gradient[k] for leaf, gradient in gradients.items()}
        return {k: self.trainers[k].router.shares_of(one.terms, separate[k]) for k, one in begun.items()}

    def _norms(self, gradients: Gradients) -> dict[nn.Parameter, Tensor]:
        """Euclidean norm [K] of every trainer's gradient of each leaf."""
        return {leaf: gradient.reshape(len(gradient), -1).norm(dim=1) for leaf, gradient in gradients.items()}

    @torch.no_grad()
    def _descend(
        self, gradients: Gradients, norms: Sequence[float], *, kept: Mapping[Replicate, Diverged]
    ) -> None:
        """Move every trainer's parameters but those of `kept` by its gradient, clipped by its own norm."""
        clip = self.trainers[0].clip
        scales = [0.0 if k in kept else min(1.0, clip / (norm + 1e-12)) for k, norm in enumerate(norms)]
        dtype = next(iter(self._rows)).dtype
        scale = torch.tensor(scales, dtype=dtype, device=self.trainers[0].device)
        before = {leaf: {k: leaf[k].clone() for k in kept} for leaf in self._rows} if kept else {}
        for leaf in self._rows:
            gradient = gradients.get(leaf)
            if gradient is not None:
                # In the leaf's own order: the fused AdamW of a CPU reads both as they lie in memory.
                gradient = gradient.contiguous() * scale.view(-1, *[1] * (gradient.ndim - 1))
            leaf.grad = gradient
        fresh = [leaf for leaf in gradients if leaf not in self.optimiser.state]
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        for leaf in fresh:
            self._share(leaf)
        for leaf, values in before.items():
            for k, value in values.items():
                leaf[k] = value

    def _remember(self, leaf: nn.Parameter, rows: Sequence[nn.Parameter]) -> None:
        """Take over what the trainers' optimisers remember of the leaf's rows."""
        states = [
            trainer.optimiser.state[row]
            for trainer, row in zip(self.trainers, rows, strict=True)
            if row in trainer.optimiser.state
        ]
        if not states:
            return
        self.optimiser.state[leaf] = {
            name: value.clone() if name == COUNT else torch.stack([state[name] for state in states])
            for name, value in states[0].items()
        }
        self._share(leaf)

    def _share(self, leaf: nn.Parameter) -> None:
        """Let the trainers' optimisers remember what the stack's does, as views."""
        for k, (trainer, row) in enumerate(zip(self.trainers, self._rows[leaf], strict=True)):
            trainer.optimiser.state[row] = {
                name: value if name == COUNT else value[k]
                for name, value in self.optimiser.state[leaf].items()
            }


def _heard(trainer: Trainer, of_pairs: tuple[Tensor, Tensor], output: SequenceOutput) -> SequenceOutput:
    """The output as the trainer's own sequence side says it, on the bases that it was computed of."""
    sequence = trainer.model.sequence
    sequence.answer = output
    try:
        said: SequenceOutput = sequence(*of_pairs, None)
    finally:
        sequence.answer = None
    return said
