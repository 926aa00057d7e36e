"""Verdicts on what is neither a module nor a loss term: samplers, routing, balance, curriculum, fusion, scopes."""

from typing import TYPE_CHECKING

import numpy as np

from harness.audit.finding import Finding
from harness.audit.probe import EVERYTHING_ON, differ, norm
from harness.audit.settings import changed
from harness.mechanisms.mechanism import Mechanism
from harness.trial.step.schedule import Schedule

if TYPE_CHECKING:
    from harness.audit.judge import Judge

MAY_BE_IDLE = {
    "isolated": "with these terms every gradient already stays on its route",
    "shared": "with these terms there is no other route to take",
    "pcgrad": "no two gradients conflict in this step",
    "grad_norm": "there is no second term to balance",
    "fusion": "Teacher and Student agree",
    "fusion_ema": "Teacher and Student agree",
}
"""Rules without an effect that is no fault, and what that means."""


def judge_rule(judge: "Judge", mechanism: Mechanism) -> Finding:
    """The verdict on a rule by the twin that leaves it out (`Mechanism.off`), or by what it promises."""
    special = {"sampler": _sampler, "curriculum": _curriculum}.get(mechanism.kind)
    special = {"fixed_weights": _weights, "ramp": _weights, "curriculum_ramp": _weights}.get(
        mechanism.key, special
    )
    if special is not None:
        return special(judge, mechanism)
    twin = changed(judge.probe.config, dict(mechanism.off))
    try:
        effect = judge.prediction_without(config=twin, unseen=mechanism.key == "gp_posterior")
        gap = differ(judge.base.gradients, judge.probe.step(judge.probe.clone(twin)).gradients)
    except ValueError as error:
        return judge.finding(mechanism, "active", f"others cannot run without it: {error}")
    figures = {**effect, "effect_gradient": gap / (norm(judge.base.gradients) + 1e-30)}
    if effect["effect_logit"] > 0.0 or gap > 0.0:
        return judge.finding(mechanism, "active", "a twin without it predicts or learns otherwise", **figures)
    if mechanism.key in MAY_BE_IDLE:
        return judge.finding(mechanism, "idle", MAY_BE_IDLE[mechanism.key], **figures)
    return judge.finding(mechanism, "inert", "a twin without it predicts and learns the same", **figures)


def _sampler(judge: "Judge", mechanism: Mechanism) -> Finding:
    """One cell line per episode where that is promised, several in some episode where it is not."""
    dataset, batch = judge.probe.dataset, judge.probe.batch
    kinds = [
        len(np.unique(dataset.cell[np.concatenate([support, query])]))
        for support, query in zip(batch.support, batch.query, strict=True)
    ]
    single = max(kinds) == 1
    promised = mechanism.key == "cell_batch" or len(judge.probe.codes) == 1
    if single == promised:
        return judge.finding(mechanism, "active", f"{max(kinds)} cell lines in an episode at most")
    return judge.finding(
        mechanism, "inert", f"an episode holds {max(kinds)} cell lines, which this sampler never draws"
    )


def _weights(judge: "Judge", mechanism: Mechanism) -> Finding:
    """The weights in force at the end are those configured, and a ramp gets there from less. A balance that sets the
    weights itself is judged by itself; a ramp beside it raises what it is given."""
    log = judge.base.log
    assert log is not None
    configured = {term.key: weight for term, weight in judge.trainer.weighted}
    wrong = [key for key, weight in log.weights.items() if weight != configured[key]]
    if wrong and judge.probe.config.balance.kind in ("fixed", "ramp", "pcgrad"):
        return judge.finding(
            mechanism, "inert", f"the weight of {wrong[0]} in force is not the configured one"
        )
    if mechanism.key in ("ramp", "curriculum_ramp") and len(configured) > 1:
        config = judge.probe.config
        schedule = Schedule(config.curriculum, config.balance)
        start = config.curriculum.phase1_epochs
        rising = [
            schedule.factor(term, start) < schedule.factor(term, EVERYTHING_ON)
            for term, _ in judge.trainer.weighted
        ]
        if not any(rising):
            late = config.curriculum.phase1_epochs > 0
            verdict, text = (
                ("idle", "every term trained in phase 1 already") if late else ("inert", "no weight rises")
            )
            return judge.finding(mechanism, verdict, text)
    return judge.finding(mechanism, "active", "the weights in force are the configured ones")


def _curriculum(judge: "Judge", mechanism: Mechanism) -> Finding:
    """A step of phase 1 is another one than the same step of phase 2."""
    probe = judge.probe
    early = probe.step(probe.clone(), progress=0.0)
    twin = probe.step(probe.clone(changed(probe.config, dict(mechanism.off))), progress=0.0)
    gap = differ(early.gradients, twin.gradients)
    figures = {"effect_gradient": gap / (norm(twin.gradients) + 1e-30)}
    if gap > 0.0:
        return judge.finding(mechanism, "active", "phase 1 trains otherwise than phase 2", **figures)
    if not judge.trainer.model.has_environment and len(judge.terms) == 1:
        return judge.finding(mechanism, "idle", "there is no environment to freeze", **figures)
    return judge.finding(mechanism, "inert", "phase 1 trains as phase 2 does", **figures)
