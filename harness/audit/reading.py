"""The trial's own predictions of a few pairs of every split, as they are and with one thing of the model changed."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from harness.audit.neutral import mapped, parts_of, rolled_apart
from harness.audit.probe import EVERYTHING_ON
from harness.trial.episodes.batches import Encoded, encode_pairs
from harness.trial.score.evaluate import VALIDATION
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.score.scoring import score_splits
from harness.trial.step.diverged import Diverged
from harness.trial.step.trainer import Trainer
from models.episode import Support

LINES, PAIRS = 2, 6
"""Cell lines of a split, and pairs of each, that are scored."""
NOTHING = 1e-6
"""Movement, relative to the spread of what moves, that is none."""
ROUNDING = 4 * float(torch.finfo(torch.float32).eps)
KNOWN_SPLITS = frozenset({"train", "val_seen"})

Change = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
"""A module and its arguments -> other arguments."""


class Moved(NamedTuple):
    """Largest change of a logit on trained and on unseen cell lines (None: no such split), the same relative to the spread
    of the logits, change of their pooled AUPR, and the splits where nothing moves."""

    known: float | None
    unseen: float | None
    relative: float
    aupr: float
    still: tuple[str, ...]

    def figures(self) -> dict[str, float | None]:
        """Columns of table `audit`."""
        return {"effect_known": self.known, "effect_unseen": self.unseen, "effect_aupr": self.aupr}

    def beside(self, other: "Moved") -> "Moved":
        """Of two looks at the same splits the larger changes, and the splits where nothing moves in both."""
        return Moved(
            known=max((gap for gap in (self.known, other.known) if gap is not None), default=None),
            unseen=max((gap for gap in (self.unseen, other.unseen) if gap is not None), default=None),
            relative=max(self.relative, other.relative),
            aupr=max(self.aupr, other.aupr),
            still=tuple(name for name in self.still if name in other.still),
        )


class ScoreReading:
    """Scores by split of a few pairs through the trial's scoring path: `score_splits` with its own predictor, without
    gradients, everything switched on. `real`: as the trial scores them; `base`: the same from `encoded`, the features of
    all pairs by one pass, which every change is compared with. In the latter, `outputs`: of every module that was called,
    tensor by tensor, the mean over samples and calls; `calls`: arguments of its first call; `supports`: the support sets
    that reached the environment, call by call.

    Raises Diverged for a score that is not finite.
    """

    def __init__(self, trainer: Trainer, predictor: Predictor, pairs: Mapping[str, np.ndarray]) -> None:
        self.trainer, self.predictor = trainer, predictor
        cell = np.asarray(trainer.dataset.cell)
        self.pairs = {name: _few(rows, cell) for name, rows in pairs.items() if len(rows)}
        self.outputs: dict[nn.Module, list[Tensor]] = {}
        self.calls: dict[nn.Module, tuple[tuple[Any, ...], dict[str, Any]]] = {}
        self.supports: list[Support] = []
        with self._recording():
            self.encoded = self.encoded_now()
            self.base = self.scores(encoded=self.encoded)

    @cached_property
    def real(self) -> dict[str, SplitScores]:
        """As the trial scores them."""
        return self.scores()

    def encoded_now(self) -> dict[str, Encoded]:
        """What the sequence side gives for the pairs of all splits, in one pass."""
        return self._encoded(1)[0]

    def _encoded(self, times: int) -> list[dict[str, Encoded]]:
        """The same for the pairs so many times in that pass, each time apart."""
        trainer, sizes = self.trainer, [len(rows) for rows in self.pairs.values()]
        rows = np.concatenate([*self.pairs.values()] * times)
        parts = encode_pairs(trainer.model, trainer.dataset, rows, trainer.device, len(rows))
        by_split = [
            Encoded(*split) for split in zip(*(part.split(sizes * times) for part in parts), strict=True)
        ]
        starts = range(0, len(by_split), len(sizes))
        return [dict(zip(self.pairs, by_split[start : start + len(sizes)], strict=True)) for start in starts]

    def of_other_sides(self) -> list[dict[str, SplitScores]]:
        """Scores where one side's sequences are those of other pairs, by side (0 enhancer, 1 promoter)."""
        handle = self.trainer.model.sequence.register_forward_pre_hook(rolled_apart)
        try:
            return [self.scores(encoded=each) for each in self._encoded(2)]
        finally:
            handle.remove()

    def scores(
        self, trainer: Trainer | None = None, *, encoded: Mapping[str, Encoded] | None = None
    ) -> dict[str, SplitScores]:
        """Scores of all splits with the trainer as it is now, or with another one; `encoded`: by what the sequence side has
        given already. Where T is calibrated the splits are scored apart, so that only validation gets a fitted T."""
        apart = self.trainer.config.temperature.mode == "calibrated"
        groups = [(name,) for name in self.pairs] if apart else [tuple(self.pairs)]
        arguments = (trainer or self.trainer, self.predictor, self.pairs)
        options: dict[str, Any] = {} if encoded is None else {"encoded": encoded}
        return {
            name: scores
            for group in groups
            for name, scores in score_splits(*arguments, group, draws=1, epoch=int(EVERYTHING_ON), **options)[
                0
            ].items()
        }

    def changed(self, modules: Iterable[nn.Module]) -> dict[str, SplitScores]:
        """Scores with the trainer as it is now, where these modules are changed: the sequence side runs if any is its."""
        sequence = set(self.trainer.model.sequence.modules())
        runs = any(module in sequence for module in modules)
        return self.scores(encoded=self.encoded_now() if runs else self.encoded)

    def mean_r(self) -> float:
        """Mean R_E over all pairs."""
        return float(np.concatenate([scores.r for scores in self.base.values()]).mean())

    def moved(
        self,
        scores: Mapping[str, SplitScores],
        *,
        base: Mapping[str, SplitScores] | None = None,
        fitted: bool = True,
        r: bool = False,
    ) -> Moved:
        """What differs between the scores and `base`, by default the predictions as they are; `fitted`: validation counts
        where T is fitted on it; `r`: R_E is looked at in place of the logit."""
        skipped = VALIDATION if not fitted and self.trainer.config.temperature.mode == "calibrated" else ""
        base = base or self.base
        names = [name for name in base if name != skipped]

        def value(of: SplitScores) -> np.ndarray:
            return of.r.astype(float) if r else of.logit.astype(float)

        everything = np.concatenate([value(base[name]) for name in base])
        spread = float(everything.std())
        least = max(NOTHING * spread, ROUNDING * float(np.abs(everything).max()))
        gaps = {name: float(np.abs(value(scores[name]) - value(base[name])).max()) for name in names}
        if not np.isfinite(list(gaps.values())).all():
            raise Diverged("logits of the audit's twins are not finite")
        known = [gap for name, gap in gaps.items() if name in KNOWN_SPLITS]
        unseen = [gap for name, gap in gaps.items() if name not in KNOWN_SPLITS]
        return Moved(
            known=min(known, default=None),
            unseen=min(unseen, default=None),
            relative=max(gaps.values()) / (spread + 1e-30),
            aupr=abs(_aupr(scores) - _aupr(base)),
            still=tuple(name for name, gap in gaps.items() if gap <= least),
        )

    def without(self, modules: list[nn.Module]) -> dict[str, SplitScores]:
        """Scores where every one of the modules gives each sample the mean of what it gives."""
        with contextlib.ExitStack() as stack:
            for module in modules:
                for surface in self.surfaces(module):
                    handle = surface.register_forward_hook(_constant(self.outputs[surface]))
                    stack.callback(handle.remove)
            return self.changed(modules)

    def surfaces(self, module: nn.Module) -> list[nn.Module]:
        """The module itself, or of one that is entered by another method than its forward the parts that are called."""
        if module in self.outputs:
            return [module]
        return [part for part in module.children() if part in self.outputs]

    def with_arguments(self, module: nn.Module, change: Change) -> dict[str, SplitScores]:
        """Scores where the module is given other arguments."""
        handle = module.register_forward_pre_hook(change, with_kwargs=True)
        try:
            return self.changed([module])
        finally:
            handle.remove()

    def with_output(self, module: nn.Module, change: Callable[[Any], Any]) -> dict[str, SplitScores]:
        """Scores where the module gives something else."""
        handle = module.register_forward_hook(lambda _module, _arguments, output: change(output))
        try:
            return self.changed([module])
        finally:
            handle.remove()

    def with_outputs(
        self, modules: list[nn.Module], change: Callable[[Tensor], Tensor]
    ) -> dict[str, SplitScores]:
        """Scores where every tensor that the modules give is changed."""
        handles = [
            module.register_forward_hook(lambda _module, _arguments, output: mapped(output, change))
            for module in modules
        ]
        try:
            return self.changed(modules)
        finally:
            for handle in handles:
                handle.remove()

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        sums: dict[nn.Module, list[list[Tensor]]] = {}

        def keep(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
            self.calls.setdefault(module, (arguments, named))
            if module is self.trainer.model.environment:
                self.supports.append(arguments[0])
            sums.setdefault(module, []).append(
                [
                    part.mean(0) if part.is_floating_point() and part.ndim else part
                    for part in parts_of(output)
                ]
            )

        handles = [
            module.register_forward_hook(keep, with_kwargs=True) for module in self.trainer.model.modules()
        ]
        yield
        for handle in handles:
            handle.remove()
        for module, calls in sums.items():
            self.outputs[module] = [_mean(list(each)) for each in zip(*calls, strict=True)]


def _mean(each: list[Tensor]) -> Tensor:
    """The mean of one part over calls: of its shape where all calls have it, else one number."""
    if not each[0].is_floating_point():
        return each[0]
    if all(part.shape == each[0].shape for part in each):
        return torch.stack(each).mean(0)
    return torch.stack([part.mean() for part in each]).mean()


def _constant(means: list[Tensor]) -> Callable[..., Any]:
    """A hook that gives the means; one number in a call of another size, as of a copy on which T is fitted."""

    def hook(_module: nn.Module, _arguments: Any, output: Any) -> Any:
        following = iter(means)

        def constant(part: Tensor) -> Tensor:
            mean = next(following)
            if not part.is_floating_point() or not part.ndim:
                return part
            return (mean if mean.shape == part.shape[1:] else mean.mean()).expand_as(part)

        return mapped(output, constant)

    return hook


def _few(pairs: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """At most PAIRS pairs, evenly from all over, of each of the first LINES cell lines."""
    chosen = []
    for line in np.unique(cell[pairs])[:LINES]:
        of_line = pairs[cell[pairs] == line]
        chosen.append(of_line[np.unique(np.linspace(0, len(of_line) - 1, PAIRS).round().astype(int))])
    return np.concatenate(chosen)


def _aupr(scores: Mapping[str, SplitScores]) -> float:
    """Average precision over all pairs; 0 where they are of one class."""
    label = np.concatenate([each.label for each in scores.values()])
    order = np.argsort(-np.concatenate([each.logit for each in scores.values()]), kind="stable")
    hits = label[order]
    if hits.min() == hits.max():
        return 0.0
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    return float(precision[hits == 1].mean())
