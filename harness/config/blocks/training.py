"""Blocks of the episodic loop: support, sampler, curriculum, balance, optimiser, evaluation (M40 to M43)."""

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.config.blocks.block import Before, Block
from harness.config.blocks.read_where import ReadWhere
from harness.config.blocks.registered import Names, VariantBlock, choice
from models.registry import CHOICES, discover


class SupportBlock(Block):
    """Support sets of training and prediction (equal size and purity in both)."""

    size: int = Field(32, ge=2, le=4096)
    """Pairs per support set."""
    labels: bool = False
    """Labels of training cell lines' support sets enter the Student (label dropout 0.5).

    Flagged, since prediction has none."""
    draws: Annotated[int, ReadWhere({"environment.source": "not none"})] = Field(5, ge=1, le=100)
    """Support draws per cell line at prediction; their spread is reported."""


SAMPLERS = "harness.trial.episodes"
"""The package whose modules enter the samplers of the project."""


def samplers() -> dict[str, type[Any]]:
    """Name -> class of every sampler of episodes, those of the project first."""
    _built_in()
    return {row.key: row.cls for row in CHOICES["episode.sampler"]}


@cache
def _built_in() -> None:
    discover(SAMPLERS)


class EpisodeBlock(Block):
    """One optimiser step: `per_step` episodes of `query` pairs each."""

    query: int = Field(64, ge=2, le=4096)
    per_step: int = Field(4, ge=1, le=64)
    sampler: Annotated[str, Names(lambda: samplers().keys())] = "cell_batch"
    """cell_batch: each episode one cell line, support too; meta_batch: single-cell blocks mixed in one support
    set; random: pairs of all cell lines mixed (both documented as failing, kept for reproduction)."""
    pseudo_unseen: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of training episodes that hide the cell line's name: R_E = R_S there, and what the Student is taught
    comes from a frozen earlier Teacher (M29)."""


class CurriculumBlock(Block):
    """Phase 1 trains the sequence side alone (l = U_I, T = 1, environment frozen); phase 2 all (M43)."""

    phase1_epochs: int = Field(0, ge=0, le=1000)
    ramp_epochs: Annotated[float, Before(0.0)] = Field(0.0, ge=0.0, le=1000.0)
    """Epochs of phase 2 over which the weights beside the task rise linearly from 0, under any balance that has no ramp
    of its own; 0: they act in full at once."""


class BalanceBlock(VariantBlock):
    """How the loss terms are weighed against each other."""

    path: ClassVar[str] = "balance.kind"
    of_several: ClassVar[str] = ""
    """What it has nothing of where the task is the only loss term; empty for one that does not care."""
    kind: str


@choice("balance.kind")
class FixedBalanceBlock(BalanceBlock):
    """Weights as configured (M42)."""

    kind: Literal["fixed"] = "fixed"


@choice("balance.kind")
class RampBalanceBlock(BalanceBlock):
    """Weights as configured, which rise linearly from 0 over `epochs` epochs of phase 2 (M42); together with another
    balance the same ramp is curriculum.ramp_epochs."""

    kind: Literal["ramp"]
    epochs: float = Field(2.0, gt=0.0, le=1000.0)


@choice("balance.kind")
class GradNormBalanceBlock(BalanceBlock):
    """Each term's gradient norm on its target parameters is held at ratio * weight of the task's (M42): a weight is
    the share itself. Costs one backward pass per term, through the sequence side too where the term reaches it."""

    of_several: ClassVar[str] = "gradients to balance"
    kind: Literal["grad_norm"]
    ratio: float = Field(1.0, gt=0.0, le=100.0)
    """Share of the task's gradient that a weight of 1 stands for."""
    momentum: float = Field(0.9, ge=0.0, lt=1.0)
    """Of the running mean of each term's own norm; a norm under a hundredth of it is not scaled up further."""
    warmup: int = Field(20, ge=0)
    """Steps over which a term's share rises to its ratio, from the first step in which the term acts."""


@choice("balance.kind")
class PcGradBalanceBlock(BalanceBlock):
    """What points against another term's gradient is removed, on the parameters that both terms reach (M42).

    Costs one backward pass per term, through the sequence side too where the term reaches it."""

    of_several: ClassVar[str] = "gradients to balance"
    kind: Literal["pcgrad"]


class OptimiserBlock(Block):
    """AdamW with gradient clipping."""

    lr: float = Field(1e-3, gt=0.0, le=1.0)
    weight_decay: float = Field(0.01, ge=0.0, le=10.0)
    clip: float = Field(1.0, gt=0.0)
    """Largest global gradient norm."""
    epochs: int = Field(10, ge=1, le=10000)
    steps_per_epoch: int | None = Field(None, ge=1)
    """Optimiser steps per epoch; enough to see every training pair once when absent."""


class EvaluationBlock(Block):
    """What is measured each epoch and how."""

    protocol: Literal["exact", "documented"] = "exact"
    """exact: every pair once; documented: balanced resampled batches of 64, threshold chosen on the test set
    (only to compare with the documented numbers; marked wherever its numbers appear)."""
    train_subset: int = Field(1024, ge=2)
    """Training pairs scored each epoch in evaluation mode."""
    batch: int = Field(256, ge=1)
    """Pairs per forward pass."""


class PredictBlock(Block):
    """How test cell lines are predicted."""

    mode: Literal["unified", "branch_select"] = "unified"
    """unified: one energy; branch_select: beside it, per test cell line the better of U_I and corrected by test
    AUPR (legacy, leaks: reported in rows of its own, and nothing is selected or ranked by them)."""
