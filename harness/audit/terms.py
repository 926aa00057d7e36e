"""Verdicts on loss terms: a step without the term, and what its weight and its inputs do."""

import math
from collections.abc import Mapping
from typing import Any

from harness.audit.finding import MechanismFinding
from harness.audit.idle import wakes
from harness.audit.probe import differ, norm
from harness.audit.probe_batches import LOOKED_AT, can_be_ranked
from harness.audit.routes import allowed, leaks
from harness.audit.term_inputs import unread_input
from harness.audit.term_weights import Fault
from harness.audit.twins import Twins
from harness.mechanisms.mechanism import Mechanism
from models.losses.ranking import RankingTerm
from models.losses.term import LossTerm

DROWNED = 0.01
"""Share of the task's gradient under which a term is drowned."""
ROUNDING = 1e-6
"""Of the norm of a step's gradient in float32, what the order of its sums may change."""


def judge_term(
    twins: Twins, mechanism: Mechanism, cls: type[LossTerm], weights: Mapping[str, Fault]
) -> MechanismFinding:
    """The verdict on a configured loss term of class `cls`; `weights`: what is wrong with the weights of terms, by key."""
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
    out = twins.left_out(term.key)
    effect = twins.gradient_gap(out)
    figures: dict[str, Any] = {
        "share": None if math.isnan(share) else share,
        "grad_norm": None if math.isnan(size) else size,
        "effect_gradient": effect,
        "step_gap": differ(twins.short.parameters, out.parameters),
    }
    if twins.leak is not None and f"loss term {term.key} " in twins.leak:
        return MechanismFinding.on(mechanism, "leaking", twins.leak, "route", **figures)
    extra = set() if twins.trainer.router.shared else set(term.reach) - allowed(term, twins.trainer)
    escaped = leaks(term, twins.behind, twins.short, out)
    figures["route_gap"] = max(escaped.values(), default=0.0)
    if extra or escaped:
        where = ", ".join(sorted(extra | set(escaped)))
        text = f"its gradient reaches group {where}, which it may not move"
        return MechanismFinding.on(mechanism, "leaking", text, "route", **figures)
    # Without a term of no gradient the step is another one all the same where projections are drawn anew for another
    # number of terms, and, of a satisfied one, to the rounding of their sum.
    satisfied = twins.log.values.get(term.key) == 0.0
    rounded = satisfied and effect <= ROUNDING * norm(twins.short.gradients)
    drawn = twins.probe.config.balance.kind == "pcgrad" and not list(term.parameters())
    nothing = size == 0.0 and (rounded or drawn)
    if effect == 0.0 or figures["step_gap"] == 0.0 or nothing:
        return MechanismFinding.on(mechanism, *_silent(twins, term), **figures)
    if term.key in weights:
        return MechanismFinding.on(mechanism, *weights[term.key], "step", **figures)
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


def _silent(twins: Twins, term: LossTerm) -> tuple[str, str, str]:
    """No change of the gradient: idle when another state of the step would wake the term, inert otherwise."""
    values = twins.log.values
    if term.key not in values:
        return "inert", "it is built and no step ever calls it", "present"
    value = values[term.key]
    if value == 0.0 and wakes(twins.probe, term):
        return "idle", "it is satisfied at this state: value and gradient are 0", ""
    if isinstance(term, RankingTerm) and not can_be_ranked(twins.probe.batch, twins.probe.dataset.label):
        text = f"no query set of {LOOKED_AT:d} batches has both labels of one cell line: there is nothing to rank"
        return "inert", text, "effect"
    return (
        "inert",
        f"its value is {value:.3g} and no gradient changes without it: nothing follows from its weight",
        "effect",
    )
