"""Verdicts on loss terms: a step without the term, with weight 0 and with twice the weight."""

import math
from typing import Any

from harness.audit.finding import MechanismFinding
from harness.audit.idle import wakes
from harness.audit.probe import Patch, ProbeStep, differ
from harness.audit.routes import allowed, leaks
from harness.audit.settings import changed, summed, value_at
from harness.audit.term_inputs import unread_input
from harness.audit.twins import Twins
from harness.config.blocks.read_where import POSITIVE
from harness.mechanisms.mechanism import Mechanism
from harness.trial.step.trainer import Trainer
from models.losses.term import LossTerm

DROWNED = 0.01
"""Share of the task's gradient under which a term is drowned."""


def judge_term(
    twins: Twins, mechanism: Mechanism, cls: type[LossTerm], *, thorough: bool
) -> MechanismFinding:
    """The verdict on a configured loss term of class `cls`."""
    term = next((term for term in twins.terms.values() if isinstance(term, cls)), None)
    if term is None:
        return MechanismFinding.on(
            mechanism, "inert", "it is configured and no loss term of its kind was built", "present"
        )
    lost = twins.outside_optimiser(f"terms.{term.key}.{name}" for name, _ in term.named_parameters())
    if lost:
        return MechanismFinding.on(
            mechanism, "inert", f"its parameters {lost} are not in the optimiser", "present"
        )
    size, share = twins.log.shares.get(term.key, (math.nan, math.nan))
    out = twins.probe.step(twins.probe.clone(patch=without(term.key)))
    effect = twins.gradient_gap(out)
    figures: dict[str, Any] = {
        "share": None if math.isnan(share) else share,
        "grad_norm": None if math.isnan(size) else size,
        "effect_gradient": effect,
        "step_gap": differ(twins.base.parameters, out.parameters),
    }
    if twins.leak is not None and f"loss term {term.key} " in twins.leak:
        return MechanismFinding.on(mechanism, "leaking", twins.leak, "route", **figures)
    extra = set() if twins.trainer.router.shared else set(term.reach) - allowed(term, twins.trainer)
    escaped = leaks(term, twins.trainer, twins.base, out)
    figures["route_gap"] = max(escaped.values(), default=0.0)
    if extra or escaped:
        where = ", ".join(sorted(extra | set(escaped)))
        text = f"its gradient reaches group {where}, which it may not move"
        return MechanismFinding.on(mechanism, "leaking", text, "route", **figures)
    if effect == 0.0 or figures["step_gap"] == 0.0:
        return MechanismFinding.on(mechanism, *_silent(twins, term), **figures)
    paths = [setting.path for setting in mechanism.when if setting.value == POSITIVE]
    wrong = _weight(twins, paths[0], term.key, out) if thorough and paths else None
    if wrong is not None:
        return MechanismFinding.on(mechanism, *wrong, "step", **figures)
    unread, figures["input_gap"] = unread_input(twins, term)
    if unread:
        text = f"it does not read {unread} of a step, as it declares: its value is the same with another one"
        return MechanismFinding.on(mechanism, "inert", text, "input", **figures)
    rests = term.rests(twins.trainer.states.get(term.key, {}))
    if rests:
        return MechanismFinding.on(mechanism, "idle", rests, **figures)
    if not math.isnan(share) and share < DROWNED and term.key != "task" and size > 0:
        text = f"its gradient is {share:.2%} of the task's on the same parameters"
        return MechanismFinding.on(mechanism, "drowned", text, "share", **figures)
    return MechanismFinding.on(mechanism, "active", "a step without it ends in other parameters", **figures)


def without(key: str) -> Patch:
    """Leave a loss term out of the step; its parameters stay. The task stays with weight 0, since gradients of other
    terms may be measured against it."""

    def patch(trainer: Trainer) -> None:
        kept = [(term, 0.0 if term.key == key else weight) for term, weight in trainer.weighted]
        trainer.weighted = kept if key == "task" else [pair for pair in kept if pair[0].key != key]

    return patch


def _silent(twins: Twins, term: LossTerm) -> tuple[str, str, str]:
    """No change of the gradient: idle when another state of the step would wake the term, inert otherwise."""
    values = twins.log.values
    if term.key not in values:
        return "inert", "it is built and no step ever calls it", "present"
    value = values[term.key]
    if value == 0.0 and wakes(twins.probe, term):
        return "idle", "it is satisfied at this state: value and gradient are 0", ""
    return (
        "inert",
        f"its value is {value:.3g} and no gradient changes without it: nothing follows from its weight",
        "effect",
    )


def _weight(twins: Twins, path: str, key: str, out: ProbeStep) -> tuple[str, str] | None:
    """Whether weight 0 is leaving out, and twice the weight is another gradient; the fault in words otherwise."""
    probe = twins.probe
    zero = probe.step(probe.clone(changed(probe.config, {path: 0.0}))).parameters
    built = zero.keys() | {f"terms.{name}" for name, _ in twins.trainer.terms.named_parameters()}
    others = {name: p for name, p in out.parameters.items() if not name.startswith(f"terms.{key}.")}
    # Where a parameter is missing, the weight builds a part of the model as well, and all others are drawn anew.
    whole = all(name in built for name in twins.base.parameters)
    if whole and differ(others, {name: zero[name] for name in others if name in zero}) > 0.0:
        return "leaking", f"{path}: 0 does not give what leaving the term out gives"
    if _doubled(twins, path) == 0.0:
        return "inert", f"{path} is read and not used: twice the weight gives the same gradient"
    return None


def _doubled(twins: Twins, path: str) -> float:
    """Change of a step's gradients at twice the weight; where a projection takes all of it away, of their plain sum."""
    probe, plain = twins.probe, summed(twins.probe.config)
    twice = {path: 2 * value_at(probe.config, path)}
    gap = differ(twins.base.gradients, probe.step(probe.clone(changed(probe.config, twice))).gradients)
    if gap > 0.0 or plain is probe.config:
        return gap
    once, doubled = (probe.step(probe.clone(config)) for config in (plain, changed(plain, twice)))
    return differ(once.gradients, doubled.gradients)
