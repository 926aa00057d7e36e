"""The audit of one trial: at its first steps and at its end, on clones of its state, never on the state itself."""

import contextlib
import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch

from harness.audit.finding import MechanismFinding
from harness.audit.judge import Judge
from harness.audit.keys import unread_keys
from harness.audit.probe import Probe
from harness.audit.same_energy import TOLERANCE, disagreement
from harness.audit.unrecorded import unrecorded_keys
from harness.config.blocks.reads import Reads
from harness.mechanisms.catalogue import configured
from harness.trial.episodes.sampler import EpisodeBatch, Sampler
from harness.trial.score.predict import Predictor
from harness.trial.step.trainer import Trainer
from models.energy.base import Energy

BATCHES = 4
"""Batches of the probe: three to warm the clone, one that every twin sees."""


@dataclass(frozen=True)
class Audit:
    """Findings on every configured mechanism, and the cost in steps of the trial."""

    findings: list[MechanismFinding]
    cost: float


def audit(
    trainer: Trainer,
    sampler: Sampler,
    predictor: Predictor,
    codes: np.ndarray,
    *,
    first: bool,
    reads: Reads | None = None,
) -> Audit:
    """Judge every configured mechanism on clones of the trainer. At the first steps (`first`) the keys that a trainer is
    built from are perturbed; at the end of a trial every other key has to be among its `reads`, if these are passed.

    The trial does not change: the clones are new trainers, and torch's global random state is restored.

    Cost: about 1/4 step per twin of a mechanism at sizes of at least twice the probe's, at most 40 steps per trial.
    """
    batches = batches_of(sampler)
    inspecting = contextlib.nullcontext() if reads is None else reads.paused()
    with inspecting, torch.random.fork_rng(devices=[]):
        probe = Probe(trainer, codes, batches)
        judge = Judge(probe, thorough=first)
        rows = configured(trainer.config.model_dump())
        findings = [judge.judge(row) for row in rows]
        gap = disagreement(probe, predictor)
        findings = [_with_energy(finding, row.cls, gap) for finding, row in zip(findings, rows, strict=True)]
        if first:
            findings = _with_keys(findings, unread_keys(probe))
        elif reads is not None:
            findings += _of_reads(unrecorded_keys(reads))
    return Audit(findings, probe.cost)


def batches_of(sampler: Sampler) -> list[EpisodeBatch]:
    """The first batches of the first epochs, drawn again: a sampler's epochs are functions of their number."""
    epochs = itertools.chain.from_iterable(sampler.epoch(number) for number in range(1, BATCHES + 1))
    return list(itertools.islice(epochs, BATCHES))


def _with_energy(finding: MechanismFinding, cls: type | None, gap: float) -> MechanismFinding:
    """The energy is at fault when it gives other logits in prediction than in training."""
    if gap <= TOLERANCE or cls is None or not issubclass(cls, Energy):
        return finding
    text = f"prediction uses another energy than training: on the same support and query its logits differ by {gap:.2g}"
    return replace(finding, verdict="inert", reason=text)


def _with_keys(findings: list[MechanismFinding], unread: dict[str, str]) -> list[MechanismFinding]:
    """One finding more per key that nothing reads."""
    return findings + [
        MechanismFinding(
            "-", path, "inert", f"{path} is configured and nothing reads it: {tried} changed nothing"
        )
        for path, tried in unread.items()
    ]


def _of_reads(unrecorded: list[str]) -> list[MechanismFinding]:
    """One finding per key that nothing asked for in a whole trial."""
    text = "is configured and nothing reads it: no part of the trial asked for its value"
    return [MechanismFinding("-", path, "inert", f"{path} {text}") for path in unrecorded]
