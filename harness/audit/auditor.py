"""The audit of one trial: at its first steps and at its end, on clones of its state, never on the state itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from harness.audit.earlier_teacher import strange_targets
from harness.audit.finding import MechanismFinding
from harness.audit.frozen_side import AskedByTwins, divided
from harness.audit.judge import Judge
from harness.audit.keys import unread_keys
from harness.audit.module_slopes import other_slopes
from harness.audit.part_weights import strange_part_weights
from harness.audit.probe import Probe
from harness.audit.promises import broken_promises
from harness.audit.raised import answered
from harness.audit.same_energy import TOLERANCE, disagreement
from harness.audit.sequence_promises import SequencePromises
from harness.audit.set_promises import broken_sets
from harness.audit.stops import open_stops
from harness.audit.tables import silent_rows
from harness.audit.twins import Twins
from harness.audit.unrecorded import unrecorded_keys
from harness.mechanisms.catalogue import configured
from harness.trial.inspection import Moment, Subject
from models.energy.base import Energy

Promised = Callable[[Twins], list[MechanismFinding]]
"""What is wrong with a trial, by its twins."""


@dataclass(frozen=True)
class Audit:
    """Findings, and what they cost in steps of the trial by wall time (None: not measured apart)."""

    findings: list[MechanismFinding]
    cost: float | None = None


def twins_of(subject: Subject, moment: Moment, *, step_s: float | None = None) -> Audit:
    """Judge every configured mechanism on clones of the trainer. At the first steps the keys that a trainer is built from
    are perturbed; at the end of a trial every other key has to be among its reads. Where the sequence side is frozen twins
    are asked at the first steps alone, of what is beside mechanisms in turn (`AskedByTwins`). `step_s`: seconds of the
    trial's median step (None: it has taken none, and the warm-up tells).

    The trial does not change: the clones are new trainers, and torch's global random state is restored. Raises Diverged
    where a clone does.
    """
    first, frozen = moment == "first", bool(subject.trainer.config.frozen)
    if frozen and not first:
        return Audit(_of_reads(unrecorded_keys(subject.reads)), 0.0)
    with subject.reads.paused(), torch.random.fork_rng(devices=[]):
        probe = Probe(subject, step_s=step_s)
        asked = AskedByTwins.of(subject.trainer.config)
        judge = Judge(probe, weights=first and asked.weights)
        rows, resting = divided(configured(probe.config.model_dump()), probe.config)
        findings = [
            answered(subject, partial(judge.judge, row), partial(MechanismFinding.on, row, "broken"))
            for row in rows
        ]
        gap = disagreement(probe, subject.predictor)
        findings = [_with_energy(finding, row.cls, gap) for finding, row in zip(findings, rows, strict=True)]
        for promised in _promises(first=first) if asked.promises else ():
            findings += answered(subject, partial(promised, judge.twins), _of_trial)
        findings += resting + (broken_sets(judge.twins, elements=first) if asked.promises else [])
        if not frozen:
            findings += SequencePromises(judge.twins, windows=first).ask()
        findings += (
            _unread(unread_keys(probe, judged=judge.weight_paths.values(), asked_of=asked.keys))
            if first
            else _of_reads(unrecorded_keys(subject.reads))
        )
        findings += asked.said() if first else []
    return Audit(findings, probe.cost)


def _promises(*, first: bool) -> list[Promised]:
    """What is asked about no single mechanism."""
    once: list[Promised] = [silent_rows, strange_part_weights] if first else []
    return [partial(broken_promises, scored=first), open_stops, strange_targets, other_slopes, *once]


def _of_trial(sentence: str) -> list[MechanismFinding]:
    """A finding on no single mechanism."""
    return [MechanismFinding("-", "trial", "broken", sentence)]


def _with_energy(finding: MechanismFinding, cls: type | None, gap: float) -> MechanismFinding:
    """The energy is at fault when it gives other logits in prediction than in training."""
    if gap <= TOLERANCE or cls is None or not issubclass(cls, Energy):
        return finding
    text = f"prediction uses another energy than training: on the same support and query its logits differ by {gap:.2g}"
    return replace(finding, verdict="inert", reason=text, check="energy")


def _unread(unread: dict[str, str]) -> list[MechanismFinding]:
    """A finding per key that nothing reads."""
    return [
        MechanismFinding(
            "-", path, "inert", f"{path} is configured and nothing reads it: {tried} changed nothing", "key"
        )
        for path, tried in unread.items()
    ]


def _of_reads(unrecorded: list[str]) -> list[MechanismFinding]:
    """One finding per key that nothing asked for in a whole trial."""
    return [
        MechanismFinding(
            "-",
            path,
            "inert",
            f"{path} is configured and nothing reads it: no part of the trial asked for its value",
            "key",
        )
        for path in unrecorded
    ]
