"""What verdicts compare with: one step of a probe with everything on, its predictions, and those of its twins."""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor

from harness.audit import neutral
from harness.audit.probe import Patch, Probe, ProbeStep, differ, norm
from harness.audit.reading import Moved, ScoreReading
from harness.audit.settings import summed
from harness.trial.step.trainer import StepLog, Trainer
from models.episode import Step


class Twins:
    """A probe's state as it is (`trainer`, `terms` by key), the step that every twin takes too (`base`, with shares in
    its log), and its predictions of a few pairs (`reading`).

    Raises Diverged for logits that are not finite.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.trainer = probe.clone()
        self.terms = {term.key: term for term, _ in self.trainer.weighted}
        first = probe.step(probe.clone(), shares=True)
        self.leak = first.leak
        self.base = first if first.leak is None else probe.step(probe.clone())
        self._measured: Step | None = None
        self._sides: dict[int, Moved] = {}
        self._plain: dict[str, Tensor] | None = None
        self._without: dict[tuple[str, ...], ProbeStep] = {}
        self.reading = ScoreReading(self.trainer, probe.subject.predictor, probe.subject.pairs)

    @property
    def log(self) -> StepLog:
        """What the base step logged."""
        assert self.base.log is not None
        return self.base.log

    @property
    def measured(self) -> Step:
        """The step that every twin takes, before its gradients."""
        if self._measured is None:
            self._measured = self.trainer.measure(self.probe.batch, warm=False).step
        return self._measured

    def without(self, *keys: str) -> ProbeStep:
        """The step without these loss terms."""
        if keys not in self._without:
            self._without[keys] = self.probe.step(self.probe.clone(patch=leaving_out(keys)))
        return self._without[keys]

    def other_side(self, side: int) -> Moved:
        """What moves when one side's sequences (0 enhancer, 1 promoter) are those of other pairs."""
        if side not in self._sides:
            scores = self.reading.with_arguments(self.trainer.model.sequence, neutral.rolled(side))
            self._sides[side] = self.reading.moved(scores)
        return self._sides[side]

    def neutralised(self, patch: Patch) -> float:
        """Norm of the difference of a patched step's gradients from the unpatched one's, relative to these. Gradients of
        terms are summed by their weights in both, whatever the balance makes of them: that is judged by itself."""
        config = summed(self.probe.config)
        if config is self.probe.config:
            return self.gradient_gap(self.probe.step(self.probe.clone(patch=patch)))
        if self._plain is None:
            self._plain = self.probe.step(self.probe.clone(config)).gradients
        twin = self.probe.step(self.probe.clone(config, patch)).gradients
        return differ(self._plain, twin) / (norm(self._plain) + 1e-30)

    def gradient_gap(self, twin: ProbeStep) -> float:
        """Norm of the difference of a twin's gradients from the base step's, relative to these."""
        return differ(self.base.gradients, twin.gradients) / (norm(self.base.gradients) + 1e-30)

    def outside_optimiser(self, names: Iterable[str]) -> str:
        """The first of the named parameters that the optimiser does not hold; empty when it holds all."""
        held = {id(p) for group in self.trainer.optimiser.param_groups for p in group["params"]}
        named = self.trainer.named_parameters()
        return min((name for name in names if id(named[name]) not in held), default="")

    def rank_invariant(self) -> bool:
        """Whether the order of the probe's pairs within a cell line is that of U_I."""
        with torch.no_grad():
            step = self.trainer.measure(self.probe.batch, warm=False).step
        return self.trainer.model.rank_invariant(step.r)

    def in_order_of_u(self) -> bool:
        """Whether no logit in an episode of the probe is below that of a pair of its cell line with a smaller U_I."""
        with torch.no_grad():
            step = self.trainer.measure(self.probe.batch, warm=False).step
        order = step.u.argsort(1)
        order = order.gather(1, step.query_cell.gather(1, order).argsort(dim=1, stable=True))
        logit, line = step.logit.gather(1, order), step.query_cell.gather(1, order)
        rises = logit.diff(dim=1) >= -1e-5 * (1 + logit[:, 1:].abs())  # to rounding
        return bool((rises | (line.diff(dim=1) != 0)).all())


def leaving_out(keys: Collection[str]) -> Patch:
    """Leave loss terms out of the step; their parameters stay. The task stays with weight 0, since gradients of other
    terms may be measured against it."""

    def patch(trainer: Trainer) -> None:
        trainer.weighted = [
            (term, 0.0 if term.key in keys else weight)
            for term, weight in trainer.weighted
            if term.key == "task" or term.key not in keys
        ]

    return patch
