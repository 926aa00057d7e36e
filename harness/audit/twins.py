"""What verdicts compare with: one step of a probe with everything on, its predictions, and those of its twins."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from harness.audit.behind_sequence import KeptSides, given_sides, same_sequence
from harness.audit.contributions import Contributions
from harness.audit.elsewhere import Elsewhere
from harness.audit.probe import Patch, Probe, ProbeStep, differ, norm
from harness.audit.reading import Moved, ScoreReading
from harness.audit.remembered_gradients import RememberingRouter
from harness.audit.settings import changed
from harness.trial.step.trainer import StepLog, Trainer
from models.episode import Step

TASK = "task"
"""The loss term whose gradient others may be measured against."""


class Twins:
    """A probe's state as it is (`trainer`, `terms` by key), the step that every twin takes too (`base`, with shares in
    its log), the same behind the sequence side (`short`, by a copy of `behind`), and its predictions of a few pairs
    (`reading`, and `elsewhere` at other parameters). Behind the sequence side gradients of terms are summed by their
    weights, whatever the balance makes of them: that is judged by itself.

    Raises Diverged for logits that are not finite.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.trainer = probe.plain
        self.terms = {term.key: term for term, _ in self.trainer.weighted}
        clone = probe.clone()
        measuring = clone.measuring = KeptSides(clone.measuring)
        clone.router = RememberingRouter(clone.router)
        first = probe.step(clone, shares=True)
        if measuring.kept is not None:
            probe.stand_behind(measuring.kept)
        self.leak = first.leak
        self.base = first if first.leak is None else probe.step(probe.clone())
        self._measured: Step | None = None
        self._named: Mapping[str, nn.Parameter] | None = None
        self.behind = probe.behind(probe.summed)
        self.short = probe.step(probe.behind(probe.summed))
        self._without: dict[tuple[str, ...], ProbeStep] = {}
        self._contributions: Contributions | None = None
        self._summed: dict[tuple[bool, bool], Mapping[str, Tensor]] = {}
        self.reading = ScoreReading(self.trainer, probe.subject.predictor, probe.subject.pairs)
        self.elsewhere = Elsewhere(probe)

    @property
    def log(self) -> StepLog:
        """What the base step logged."""
        assert self.base.log is not None
        return self.base.log

    @property
    def measured(self) -> Step:
        """The step that every twin takes, before its gradients."""
        if self._measured is None:
            self._measured = self.behind.measure(self.probe.batch, warm=False).step
        return self._measured

    def without(self, *keys: str) -> ProbeStep:
        """The step without these loss terms."""
        if keys not in self._without:
            self._without[keys] = self.probe.step(self.probe.behind(self.probe.summed, leaving_out(keys)))
        return self._without[keys]

    def left_out(self, key: str) -> ProbeStep:
        """The same without one: of what every term adds to the step, or really taken where that does not tell."""
        if self._contributions is None:
            clone = self.probe.behind(self.probe.summed)
            self._contributions = Contributions(clone, self.probe.batch, self.short)
        return self._contributions.without(key) or self.without(key)

    def other_side(self, side: int) -> Moved:
        """What moves when one side's sequences (0 enhancer, 1 promoter) are those of other pairs."""
        return self._other_sides[side]

    @cached_property
    def _other_sides(self) -> list[Moved]:
        return [self.reading.moved(scores) for scores in self.reading.of_other_sides()]

    def twin(self, changes: Mapping[str, Any]) -> Trainer:
        """A twin with other settings: with gradients summed, and behind the sequence side where that stays what it is,
        unless the balance is one of them."""
        probe = self.probe
        if _of_balance(changes):
            return probe.clone(changed(probe.config, changes))
        config = changed(probe.summed, changes)
        return probe.behind(config) if same_sequence(config, probe.config) else probe.clone(config)

    def gap_without(self, changes: Mapping[str, Any], twin: Trainer) -> float:
        """`gap_of` the twin with these settings; of the step as the trial takes it where the balance is one of them."""
        if _of_balance(changes):
            return _relative(self.base.gradients, self.probe.gradients(twin))
        return self.gap_of(twin, lambda: self.twin(changes))

    def neutralised(self, patch: Patch, *, sequence: bool) -> float:
        """`gap_of` a patched step; `sequence`: a part of the sequence side is patched, which then runs once more."""
        probe = self.probe
        sides = probe.sides_of(probe.clone(patch=patch)) if sequence else None

        def twin() -> Trainer:
            made = probe.behind(probe.summed, patch)
            stand_in = given_sides(made)
            if sides is not None and stand_in is not None:
                stand_in.load(sides)
            return made

        return self.gap_of(twin(), twin)

    def gap_of(self, twin: Trainer, again: Callable[[], Trainer]) -> float:
        """Norm of the difference of a twin's gradients from those of the same step without a change, relative to these: of
        the task's, and where that stays of the sum of all terms', by the same twin made `again`."""
        whole = given_sides(twin) is None
        if len(self.terms) > 1:
            self._task_alone(twin)
            gap = _relative(self._base(whole, task=True), self.probe.gradients(twin))
            if gap > 0.0:
                return gap
            twin = again()
        return _relative(self._base(whole, task=False), self.probe.gradients(twin))

    def gradient_gap(self, step: ProbeStep) -> float:
        """The same of a step behind the sequence side."""
        return _relative(self.short.gradients, step.gradients)

    def _base(self, whole: bool, *, task: bool) -> Mapping[str, Tensor]:
        """Gradients of the step without a change, summed by the weights of all terms or of the task alone; `whole`: from
        the sequence side on."""
        if not whole and not task:
            return self.short.gradients
        if (whole, task) not in self._summed:
            probe, patch = self.probe, self._task_alone if task else None
            clone = probe.clone(probe.summed, patch) if whole else probe.behind(probe.summed, patch)
            self._summed[whole, task] = probe.gradients(clone)
        return self._summed[whole, task]

    def _task_alone(self, trainer: Trainer) -> None:
        leaving_out([key for key in self.terms if key != TASK])(trainer)

    def outside_optimiser(self, names: Iterable[str]) -> str:
        """The first of the named parameters that the optimiser does not hold; empty when it holds all."""
        if self._named is None:
            self._named = self.trainer.named_parameters()
        named, groups = self._named, self.trainer.optimiser.param_groups
        held = {id(p) for group in groups for p in group["params"]}
        return min((name for name in names if id(named[name]) not in held), default="")

    def rank_invariant(self) -> bool:
        """Whether the order of the probe's pairs within a cell line is that of U_I."""
        return self.trainer.model.rank_invariant(self.measured.r.detach())

    @torch.no_grad()
    def in_order_of_u(self) -> bool:
        """Whether no logit in an episode of the probe is below that of a pair of its cell line with a smaller U_I."""
        step = self.measured
        order = step.u.argsort(1)
        order = order.gather(1, step.query_cell.gather(1, order).argsort(dim=1, stable=True))
        logit, line = step.logit.gather(1, order), step.query_cell.gather(1, order)
        rises = logit.diff(dim=1) >= -1e-5 * (1 + logit[:, 1:].abs())  # to rounding
        return bool((rises | (line.diff(dim=1) != 0)).all())


def _of_balance(changes: Mapping[str, Any]) -> bool:
    return any(path.startswith("balance") for path in changes)


def _relative(base: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> float:
    return differ(base, gradients) / (norm(base) + 1e-30)


def leaving_out(keys: Collection[str]) -> Patch:
    """Leave loss terms out of the step; their parameters stay. The task stays with weight 0, since gradients of other
    terms may be measured against it."""

    def patch(trainer: Trainer) -> None:
        trainer.weighted = [
            (term, 0.0 if term.key in keys else weight)
            for term, weight in trainer.weighted
            if term.key == TASK or term.key not in keys
        ]

    return patch
