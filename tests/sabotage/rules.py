"""Ways of breaking what is neither a module nor a loss term: samplers, routing, balance, schedules, fusion, sharing."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from harness.audit.settings import changed
from harness.config.blocks.training import FixedBalanceBlock
from harness.mechanisms.mechanism import Mechanism
from harness.trial.episodes.sampler import SAMPLERS, CellBatch, EpisodeBatch, RandomBatch, Sampler
from harness.trial.step.balance import build_balance
from harness.trial.step.draws import TrainingDraws
from harness.trial.step.trainer import Trainer
from models.environment.cell_environment import CellEnvironment
from models.sequence.potential import SequencePotential
from tests.sabotage.modules import untaught
from tests.sabotage.tampering import Tampering
from tests.sabotage.way import Way

Off = Callable[[Trainer], bool]
"""Makes a trainer go on otherwise; returns whether it did not do so already."""
FLAGS: dict[str, tuple[type, str, str]] = {
    "gp_posterior": (CellEnvironment, "resist", "extrapolates"),
    "share_strands": (SequencePotential, "forward", "share_strands"),
}
"""Key of a rule -> (class, method, flag of the class that the method follows)."""
NEVER = 1000
"""Epochs after which no schedule of a trial of the suite has arrived."""


def _routed(shared: bool) -> Off:
    def off(trainer: Trainer) -> bool:
        before, trainer.router.shared, trainer.measuring.shared = trainer.router.shared, shared, shared
        return before != shared

    return off


def _unhidden(trainer: Trainer) -> bool:
    trainer.draws = TrainingDraws(trainer.seed, pseudo_unseen=0.0, labels=trainer.config.support.labels)
    return trainer.config.episode.pseudo_unseen > 0


def _unbalanced(trainer: Trainer) -> bool:
    before, trainer.balance = trainer.balance, build_balance(FixedBalanceBlock(), trainer.seed)
    return type(before) is not type(trainer.balance)


def _halved(trainer: Trainer) -> bool:
    trainer.weighted = [(term, w if term.key == "task" else w / 2) for term, w in trainer.weighted]
    return len(trainer.weighted) > 1


def _set(path: str, value: Any) -> Off:
    *parts, name = path.split(".")

    def off(trainer: Trainer) -> bool:
        place: Any = trainer
        for part in parts:
            place = getattr(place, part)
        before = getattr(place, name)
        setattr(place, name, value)
        return bool(before != value)

    return off


def _ramping(epochs: float) -> Off:
    """A ramp of another length; one that is over already is followed all the same."""

    def off(trainer: Trainer) -> bool:
        before = _factors_ahead(trainer)
        trainer.schedule.ramp = epochs
        return before != _factors_ahead(trainer)

    return off


def _factors_ahead(trainer: Trainer) -> list[float]:
    """Of every term in every step that is left to the trial."""
    optimiser = trainer.config.optimiser
    steps = optimiser.steps_per_epoch
    assert steps is not None
    ahead = range(trainer.index, optimiser.epochs * steps)
    return [trainer.schedule.factor(term, step / steps) for step in ahead for term, _ in trainer.weighted]


SWITCHES: dict[str, Off] = {
    "isolated": _routed(True),
    "shared": _routed(False),
    "pseudo_unseen": _unhidden,
    "grad_norm": _unbalanced,
    "pcgrad": _unbalanced,
    "fixed_weights": _halved,
    "ramp": _ramping(0.0),
    "curriculum_ramp": _ramping(0.0),
    "curriculum": _set("schedule.phase1_epochs", 0),
    "fusion": _set("model.environment.alpha", 0.0),
    "fusion_ema": _set("model.environment.alpha", 0.0),
    "gp_posterior": _set("model.environment.extrapolates", False),
    "share_strands": _set("model.sequence.share_strands", False),
}
"""Key of a rule -> how a trainer is made to go on without it."""
ENDLESS: dict[str, Off] = {
    "ramp": _ramping(float(NEVER)),
    "curriculum_ramp": _ramping(float(NEVER)),
    "curriculum": _set("schedule.phase1_epochs", NEVER),
}
"""Key of a schedule -> how it never arrives."""


def ways(mechanism: Mechanism) -> Iterator[Way]:
    """All that apply."""
    key = mechanism.key
    if mechanism.kind == "sampler":
        yield from _of_sampler(SAMPLERS.row(key).cls)
        return
    switch = SWITCHES.get(key)
    if switch is None:
        yield Way(
            "built but not called", "trainers are built without it", lambda t: _built_without(t, mechanism)
        )
        return
    off = switch
    yield Way("built but not called", "no trainer follows it", lambda t: t.when_built(_counted(t, off)))
    yield Way(
        "real run only", "the trial's own trainer does not follow it", lambda t: t.when_real(_counted(t, off))
    )
    yield Way("late", "not followed from the second epoch on", lambda t: t.at_epoch(2, _counted(t, off)))
    if key in ENDLESS:
        yield Way("real run only", "it never arrives", lambda t: t.when_real(_counted(t, ENDLESS[key])))
    if mechanism.kind == "fusion":
        yield Way("prediction only", "no Teacher without gradients", untaught)
    if key in FLAGS:
        place = FLAGS[key]
        yield Way("prediction only", "not without gradients", lambda t: _without_gradients(t, *place))


def _of_sampler(cls: type[Sampler]) -> Iterator[Way]:
    other = CellBatch if cls.mixes else RandomBatch
    yield Way(
        "built but not called", f"{other.__name__} draws the episodes", lambda t: _redrawn(t, cls, other, 1)
    )
    yield Way(
        "late", f"{other.__name__} draws them from the second epoch on", lambda t: _redrawn(t, cls, other, 2)
    )
    yield Way("contract broken", "a query pair in the support set", lambda t: _each(t, cls, _overlapping))
    yield Way("contract broken", "support sets of two pairs less", lambda t: _each(t, cls, _short))
    yield Way("contract broken", "late overlap", lambda t: _each(t, cls, _overlapping, first=2))
    if not cls.mixes:
        yield Way(
            "contract broken", "half a support set of another cell line", lambda t: _each(t, cls, _mixed)
        )
        yield Way(
            "contract broken", "the same from the second epoch on", lambda t: _each(t, cls, _mixed, first=2)
        )


def _counted(tampering: Tampering, change: Off) -> Callable[[Trainer], None]:
    def counted(trainer: Trainer) -> None:
        tampering.changes += change(trainer)

    return counted


def _built_without(tampering: Tampering, mechanism: Mechanism) -> None:
    """Trainers that say what they were given and are built from a configuration without the mechanism."""
    assert mechanism.off, mechanism.key

    def make(true: Any) -> Any:
        def init(trainer: Trainer, config: Any, *rest: Any) -> None:
            true(trainer, changed(config, dict(mechanism.off)), *rest)
            tampering.changes += trainer.config != config
            trainer.config = config

        return init

    tampering.replace(Trainer, "__init__", make)


def _without_gradients(tampering: Tampering, cls: type, method: str, flag: str) -> None:
    def make(true: Any) -> Any:
        def broken(self: Any, *arguments: Any, **named: Any) -> Any:
            output = true(self, *arguments, **named)
            if torch.is_grad_enabled():
                return output
            before = getattr(self, flag)
            setattr(self, flag, False)
            try:
                return tampering.noted(output, true(self, *arguments, **named))
            finally:
                setattr(self, flag, before)

        return broken

    tampering.replace(cls, method, make)


def _redrawn(tampering: Tampering, cls: type[Sampler], other: type[Sampler], first: int) -> None:
    def make(true: Any) -> Any:
        def epoch(self: Sampler, number: int) -> Iterator[EpisodeBatch]:
            if number < first:
                yield from true(self, number)
                return
            for batch, redrawn in zip(true(self, number), other.epoch(self, number), strict=True):
                yield tampering.noted(batch, redrawn)

        return epoch

    tampering.replace(cls, "epoch", make)


def _each(
    tampering: Tampering,
    cls: type[Sampler],
    change: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    first: int = 1,
) -> None:
    def make(true: Any) -> Any:
        def epoch(self: Sampler, number: int) -> Iterator[EpisodeBatch]:
            for batch in true(self, number):
                support = change(batch.support.copy(), batch.query) if number >= first else batch.support
                yield tampering.noted(batch, batch._replace(support=support))

        return epoch

    tampering.replace(cls, "epoch", make)


def _overlapping(support: np.ndarray, query: np.ndarray) -> np.ndarray:
    support[:, 0] = query[:, 0]
    return support


def _short(support: np.ndarray, query: np.ndarray) -> np.ndarray:
    return support[:, 2:]


def _mixed(support: np.ndarray, query: np.ndarray) -> np.ndarray:
    half = support.shape[1] // 2
    support[:, :half] = np.roll(support, 1, axis=0)[:, :half]
    return support
