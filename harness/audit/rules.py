"""Verdicts on what is neither a module nor a loss term: samplers, routing, balance, curriculum, fusion, scopes."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from harness.audit.acting import KNOWN, UNSEEN, before_threshold, places
from harness.audit.behind_sequence import given_sides
from harness.audit.effect import silent
from harness.audit.elsewhere import Vantage
from harness.audit.finding import MechanismFinding
from harness.audit.inputs import judge_inputs
from harness.audit.probe import EVERYTHING_ON, differ, norm
from harness.audit.reading import Moved, ScoreReading
from harness.audit.settings import changed
from harness.audit.twins import Twins, leaving_out
from harness.config.blocks.training import samplers
from harness.mechanisms.mechanism import Mechanism
from harness.trial.step.balance import BALANCES
from harness.trial.step.schedule import Schedule
from harness.trial.step.trainer import Trainer

MAY_BE_IDLE = {
    "isolated": "with these terms every gradient already stays on its route",
    "shared": "with these terms there is no other route to take",
    "pcgrad": "no two gradients conflict in this step",
    "grad_norm": "there is no second term to balance",
    "fusion": "Teacher and Student agree",
    "fusion_ema": "Teacher and Student agree",
}
"""Rules without an effect that is no fault, and what that means."""
OPPOSED = 1e-3
"""Cosine of two gradients below minus which they conflict, whatever the rounding."""


def judge_rule(twins: Twins, mechanism: Mechanism) -> MechanismFinding:
    """The verdict on a rule by the twin that leaves it out (`Mechanism.off`), or by what it promises."""
    promise = PROMISES.get(mechanism.kind) or PROMISES.get(mechanism.key)
    if promise is not None:
        return promise(twins, mechanism)
    config = twins.probe.config
    asked = places(mechanism, config)
    try:
        twin = twins.twin(dict(mechanism.off))
        moved = _moved(twins, mechanism, twin) if asked & {KNOWN, UNSEEN} else None
        gap = twins.gap_without(dict(mechanism.off), twin)
    except ValueError as error:
        return MechanismFinding.on(mechanism, "active", f"others cannot run without it: {error}")
    still = () if moved is None else moved.still
    figures: dict[str, Any] = {**({} if moved is None else moved.figures()), "effect_gradient": gap}
    text = silent(asked, still, gap)
    opposed = _opposed(twins) if text and mechanism.key == "pcgrad" else None
    if opposed:
        text = f"the gradients of {opposed[0]} and {opposed[1]} point against each other, and a twin without it is the same"
        return MechanismFinding.on(mechanism, "inert", text, "effect", **figures)
    if text and mechanism.key in MAY_BE_IDLE:
        return MechanismFinding.on(mechanism, "idle", MAY_BE_IDLE[mechanism.key], **figures)
    if text:
        return MechanismFinding.on(
            mechanism, "inert", f"a twin without it is the same: {text}", "effect", **figures
        )
    figures["input_gap"], unread = judge_inputs(twins, mechanism)
    if unread:
        return MechanismFinding.on(mechanism, "inert", unread, "input", **figures)
    return MechanismFinding.on(
        mechanism, "active", "a twin without it predicts or learns otherwise", **figures
    )


def _moved(twins: Twins, mechanism: Mechanism, twin: Trainer) -> Moved:
    """What a twin without the rule predicts otherwise."""
    of_r = before_threshold(mechanism, twins.trainer.model.energy)

    def look(reading: ScoreReading, other: Trainer) -> Moved:
        encoded = None if given_sides(other) is None else reading.encoded
        base = reading.real if encoded is None else reading.base
        return reading.moved(reading.scores(other, encoded=encoded), base=base, r=of_r)

    def elsewhere(vantage: Vantage) -> Moved:
        other = twins.twin(dict(mechanism.off))
        vantage.shift(other)
        return look(vantage.reading, other)

    asked = places(mechanism, twins.probe.config)
    return twins.elsewhere.confirmed(look(twins.reading, twin), asked, elsewhere)


def _opposed(twins: Twins) -> tuple[str, str] | None:
    """The first two loss terms whose gradients in the step point against each other; None where none do."""
    probe, config = twins.probe, twins.probe.summed
    whole = probe.step(probe.clone(config)).gradients
    apart: dict[str, dict[str, Tensor]] = {}
    for key in twins.terms:
        rest = probe.step(probe.clone(config, leaving_out([key]))).gradients
        apart[key] = {name: g - rest[name] if name in rest else g for name, g in whole.items()}
    for (one, a), (other, b) in itertools.combinations(apart.items(), 2):
        inner = sum(float((a[name].double() * b[name].double()).sum()) for name in whole)
        if inner < -OPPOSED * norm(a) * norm(b):
            return one, other
    return None


def _sampler(twins: Twins, mechanism: Mechanism) -> MechanismFinding:
    """One cell line per episode where that is promised, several in some episode where it is not."""
    dataset, batch = twins.probe.dataset, twins.probe.batch
    kinds = [
        len(np.unique(dataset.cell[np.concatenate([support, query])]))
        for support, query in zip(batch.support, batch.query, strict=True)
    ]
    single = max(kinds) == 1
    promised = not samplers()[twins.probe.config.episode.sampler].mixes or len(twins.probe.codes) == 1
    if single == promised:
        return MechanismFinding.on(mechanism, "active", f"{max(kinds)} cell lines in an episode at most")
    return MechanismFinding.on(
        mechanism, "inert", f"an episode holds {max(kinds)} cell lines, which this sampler never draws"
    )


def _weights(twins: Twins, mechanism: Mechanism) -> MechanismFinding:
    """The weights in force at the end are those configured, and a ramp gets there from less. A balance that sets the
    weights itself is judged by itself; a ramp beside it raises what it is given."""
    configured = {term.key: weight for term, weight in twins.trainer.weighted}
    wrong = [key for key, weight in twins.log.weights.items() if weight != configured[key]]
    balance: Any = BALANCES.row(twins.probe.config.balance.kind).cls
    if wrong and not balance.weighs:
        return MechanismFinding.on(
            mechanism, "inert", f"the weight of {wrong[0]} in force is not the configured one"
        )
    if mechanism.key in ("ramp", "curriculum_ramp") and len(configured) > 1:
        config = twins.probe.config
        schedule = Schedule(config.curriculum, config.balance)
        start = config.curriculum.phase1_epochs
        rising = [
            schedule.factor(term, start) < schedule.factor(term, EVERYTHING_ON)
            for term, _ in twins.trainer.weighted
        ]
        if not any(rising):
            late = config.curriculum.phase1_epochs > 0
            verdict, text = (
                ("idle", "every term trained in phase 1 already") if late else ("inert", "no weight rises")
            )
            return MechanismFinding.on(mechanism, verdict, text)
    return MechanismFinding.on(mechanism, "active", "the weights in force are the configured ones")


def _curriculum(twins: Twins, mechanism: Mechanism) -> MechanismFinding:
    """A step of phase 1 is another one than the same step of phase 2."""
    probe = twins.probe
    early = probe.step(probe.behind(probe.summed), progress=0.0)
    twin = probe.step(probe.behind(changed(probe.summed, dict(mechanism.off))), progress=0.0)
    gap = differ(early.gradients, twin.gradients)
    figures: dict[str, Any] = {"effect_gradient": gap / (norm(twin.gradients) + 1e-30)}
    if gap > 0.0:
        return MechanismFinding.on(mechanism, "active", "phase 1 trains otherwise than phase 2", **figures)
    if not twins.trainer.model.environment.acts and len(twins.terms) == 1:
        return MechanismFinding.on(mechanism, "idle", "there is no environment to freeze", **figures)
    return MechanismFinding.on(mechanism, "inert", "phase 1 trains as phase 2 does", **figures)


PROMISES: Mapping[str, Callable[[Twins, Mechanism], MechanismFinding]] = {
    "sampler": _sampler,
    **dict.fromkeys(("fixed_weights", "ramp", "curriculum_ramp"), _weights),
    "curriculum": _curriculum,
}
"""Kind or key of rules that no twin leaves out: what each promises is looked at itself."""
