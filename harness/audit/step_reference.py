"""What one real step should have been, on a clone at the state before it, and what it did otherwise."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from harness.audit.measured_names import other_names
from harness.audit.plain_gradient import other_gradient
from harness.audit.prior_density import other_density
from harness.audit.reference_balance import projected, unheld
from harness.audit.reference_step import (
    Gradients,
    clipped,
    measured_at,
    reached_by,
    reference_gradients,
    weights_at,
)
from harness.audit.states import Fault, strange_states
from harness.audit.step_log import strange_log, strange_norms
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.diverged import Diverged
from harness.trial.step.measure import Measured
from harness.trial.step.trainer import StepLog, Trainer

DEFINED = ("fixed", "ramp", "grad_norm", "pcgrad")
"""Balances whose gradient is computed here by their definition; what another one says of itself is believed."""


class StepReference(NamedTuple):
    """gradients: of the step, clipped; faults: of terms, states, labels, weights and of what the step told."""

    gradients: Gradients
    faults: list[Fault]


def step_reference(
    clone: Trainer,
    trainer: Trainer,
    settings: Mapping[str, Any],
    batch: EpisodeBatch,
    progress: float,
    weights: Mapping[str, float],
    log: StepLog,
) -> StepReference:
    """The step of `batch` at `progress` epochs that took `clone`'s state to `trainer`'s and told `log`; weights: in force,
    by key. Raises Diverged for a gradient that is not finite."""
    epoch = int(progress) + 1
    weights = {term.key: weights[term.key] for term, _ in clone.weighted if term.key in weights}
    with torch.random.fork_rng(devices=[]):
        measured = measured_at(clone, settings, batch, epoch)
        total, faults = _gradients(clone, trainer, settings, measured, progress, weights, log)
        of_terms = {
            key: other_gradient(clone.terms[key], measured.step, clone.states[key])  # type: ignore[arg-type]
            for key in weights
        }
        of_terms["gp_prior"] = of_terms.get("gp_prior") or other_density(clone, settings, measured)
        told = list(strange_log(log, clone, measured, weights))
    if not all(bool(torch.isfinite(gradient).all()) for gradient in total.values()):
        raise Diverged(f"a gradient of the audit's reference is not finite at step {clone.index}")
    all_faults = [
        *((key, text) for key, text in of_terms.items() if text),
        *(("labels", text) for text in other_names(clone, batch, measured)),
        *strange_states(clone, trainer, measured, settings, epoch, weights),
        *faults,
        *told,
    ]
    return StepReference(clipped(total, settings["optimiser"]["clip"]), all_faults)


def _gradients(
    clone: Trainer,
    trainer: Trainer,
    settings: Mapping[str, Any],
    measured: Measured,
    progress: float,
    weights: Mapping[str, float],
    log: StepLog,
) -> tuple[Gradients, list[Fault]]:
    """The gradient of the step before clipping, and what is wrong with weights that hold shares and with norms that were
    told. Terms are differentiated apart where something is said of each of them."""
    kind, faults = settings["balance"]["kind"], list[Fault]()
    half = clone.model.sequence.halved
    if kind not in ("pcgrad", "grad_norm") and not log.shares:
        total = reference_gradients(clone, settings, measured, weights)
        return total, list(strange_norms(log, total, {}, {}, half=half)) if kind in DEFINED else []
    apart = {key: reference_gradients(clone, settings, measured, {key: 1.0}) for key in weights}
    weighed = {key: {n: weights[key] * g for n, g in gradients.items()} for key, gradients in apart.items()}
    reached = {key: reached_by(clone, settings, key) for key in weights}
    total = projected(apart, weights, clone.seed, clone.index) if kind == "pcgrad" else _sum(weighed)
    if kind == "grad_norm":
        states = clone.balance_state, trainer.balance_state
        faults += unheld(apart, reached, weights_at(settings, progress), weights, states, settings["balance"])
    if kind in DEFINED:
        faults += strange_norms(log, total, weighed, reached, half=half)
    return total, faults


def _sum(weighed: Mapping[str, Gradients]) -> Gradients:
    total: Gradients = {}
    for gradients in weighed.values():
        for name, part in gradients.items():
            total[name] = total[name] + part if name in total else part
    return total
