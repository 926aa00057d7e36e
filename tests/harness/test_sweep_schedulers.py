"""Early stopping: configurations are judged with all of their seeds on the folds that they share, and once."""

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.tune.schedulers import AsyncHyperBandScheduler

from harness.config.blocks.sweep import (
    AshaSchedulerBlock,
    MedianSchedulerBlock,
    NoSchedulerBlock,
    SchedulerBlock,
)
from harness.design.trial import Trial
from harness.sweep.search.curves import Curves
from harness.sweep.search.lockstep import Lockstep
from harness.sweep.search.scheduling import scheduler_of
from tests.narrow import present

History = dict[Trial, list[tuple[int, float]]]
HALF = AshaSchedulerBlock(grace=1, reduction=2)


class Judge:
    """A scheduler, what it pruned, and why."""

    def __init__(
        self,
        block: SchedulerBlock,
        history: History | None = None,
        sign: int = 1,
        pruned: Collection[str] = (),
    ) -> None:
        self.pruned: list[str] = []
        self.why: list[str] = []
        self.scheduler: Lockstep = present(
            scheduler_of(block, Curves(history or {}), sign=sign, prune=self._prune, pruned=pruned)
        )

    def _prune(self, config: str, why: str) -> None:
        self.pruned.append(config)
        self.why.append(why)

    def report(self, config: str, epoch: int, objective: float, fold: str = "f0") -> bool:
        """Whether the configuration is pruned at that."""
        result = {"configuration": config, "fold": fold, "epoch": epoch, "objective": objective}
        before = len(self.pruned)
        decision = self.scheduler.on_trial_result(None, None, {**result, "status": "running", "paused": ""})
        assert decision == "CONTINUE", "a worker ends itself"
        return len(self.pruned) > before


@pytest.mark.parametrize(("sign", "better", "worse"), [(1, 0.8, 0.2), (-1, 0.2, 0.8)])
def test_worse_half_is_told_to_end(sign: int, better: float, worse: float) -> None:
    judge = Judge(HALF, sign=sign)
    assert not judge.report("good", 1, better)
    assert judge.report("bad", 1, worse)
    assert judge.why == [f"pruned after epoch 1: objective {worse:.4f} is not among the best 1/2"]


def test_rungs_of_an_earlier_start_are_replayed_once() -> None:
    judge = Judge(HALF, {Trial("good", "f0"): [(1, 0.8), (2, 0.85)]})
    judge.report("good", 2, 0.85)
    assert judge.report("new", 1, 0.7)
    assert not judge.report("new", 1, 0.7)


def test_grace_protects() -> None:
    for block in (
        AshaSchedulerBlock(grace=3, reduction=2),
        MedianSchedulerBlock(kind="median", grace=3, startup=1),
    ):
        judge = Judge(block)
        for epoch in (1, 2):
            for config, objective in (("good", 0.8), ("bad", 0.2)):
                judge.report(config, epoch, objective)
        assert judge.pruned == []
        for config, objective in (("good", 0.8), ("bad", 0.2)):
            judge.report(config, 3, objective)
        assert judge.pruned == ["bad"]


@pytest.mark.parametrize(("grace", "reduction"), [(1, 2.0), (2, 3.0), (3, 2.0), (1, 2.5)])
def test_one_fold_is_judged_as_rays_own_asha_does(grace: int, reduction: float) -> None:
    """60 configurations of 12 epochs, eight at work at any time."""
    rng = np.random.default_rng(3)
    source = AsyncHyperBandScheduler(
        time_attr="epoch",
        metric="objective",
        mode="max",
        max_t=10_000,
        grace_period=grace,
        reduction_factor=reduction,
    )
    judge = Judge(AshaSchedulerBlock(grace=grace, reduction=reduction))
    working: dict[str, int] = {}
    best: dict[str, float] = {}
    waiting, stopped = [f"c{number}" for number in range(60)], []
    while working or waiting:
        while waiting and len(working) < 8:
            working[waiting.pop(0)] = 0
        config = str(rng.choice(sorted(working)))
        working[config] += 1
        epoch = working[config]
        best[config] = max(best.get(config, 0.0), float(rng.uniform()))
        controller: Any = None
        reported: Any = SimpleNamespace(trial_id=config)
        if epoch == 1:
            source.on_trial_add(controller, reported)
        theirs = source.on_trial_result(controller, reported, {"epoch": epoch, "objective": best[config]})
        if theirs == "STOP":
            stopped.append(config)
        assert judge.report(config, epoch, best[config]) is (theirs == "STOP"), (config, epoch)
        if theirs == "STOP" or epoch == 12:
            del working[config]
    assert stopped == judge.pruned
    assert 10 < len(stopped) < 60


def _folds(judge: Judge, config: str, values: Sequence[float]) -> int:
    """Report epoch 1 on one fold after the other until it is pruned; how many folds that took, 0 for never."""
    for number, value in enumerate(values, start=1):
        if judge.report(config, 1, value, f"f{number}"):
            return number
    return 0


def test_folds_are_compared_with_the_same_folds() -> None:
    """The second fold is an easy one: whoever has it too is not better for that."""
    judge = Judge(HALF)
    assert _folds(judge, "first", [0.5, 0.9]) == 0
    assert _folds(judge, "second", [0.6, 0.9]) == 0, "0.6 against 0.5, not against the mean 0.7"
    assert _folds(judge, "third", [0.55, 0.1]) == 2, "good enough on one fold, and not on two"


def test_further_folds_do_not_halve_what_is_left_again() -> None:
    """Each of four folds is a look at the rung; a third of the configurations goes on, not a third of a third."""
    rng = np.random.default_rng(5)
    judge = Judge(AshaSchedulerBlock(grace=1, reduction=3))
    ended = [
        _folds(judge, f"c{number}", [quality] * 4) for number, quality in enumerate(rng.uniform(size=300))
    ]
    assert 60 < ended.count(0) < 140
    assert ended.count(1) > 150


def test_pruned_configurations_stay_in_their_rung_after_a_resume() -> None:
    bad = [f"bad{number}" for number in range(9)]
    history = {Trial(config, "f1"): [(1, 0.1)] for config in bad}
    history |= {Trial("fair", fold): [(1, 0.5)] for fold in ("f1", "f2")}
    history |= {Trial("fine", fold): [(1, 0.9)] for fold in ("f1", "f2")}
    assert _folds(Judge(HALF, history, pruned=bad), "new", [0.6, 0.6]) == 0, "among the best half of twelve"
    assert _folds(Judge(HALF, history), "new", [0.6, 0.6]) == 2, "not among the best half of the other two"


def test_median_rule_wants_enough_others_and_takes_running_means() -> None:
    judge = Judge(MedianSchedulerBlock(kind="median", grace=2, startup=3))
    for config, values in {"a": (0.2, 0.8), "b": (0.4, 0.6), "c": (0.1, 0.5)}.items():
        for epoch, value in enumerate(values, start=1):
            assert not judge.report(config, epoch, value)
    judge.report("d", 1, 0.1)
    assert not judge.report("d", 2, 0.5), "running means 0.5, 0.5 and 0.3: not worse than 0.5"
    judge.report("e", 1, 0.1)
    assert judge.report("e", 2, 0.39)
    assert judge.why == ["pruned after epoch 2: objective 0.3900 is worse than the median 0.4000 of 4 others"]


def test_without_a_scheduler_nothing_is_judged() -> None:
    block = NoSchedulerBlock(kind="none")
    assert scheduler_of(block, Curves({}), sign=1, prune=lambda *_: None, pruned=()) is None
