"""What a trial remembers from step to step, after a real step, by its definitions: reference, Teacher, terms, balance."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from harness.audit.placebos import unpermuted
from harness.audit.running_values import met, running
from harness.audit.term_states import state_after
from harness.trial.step.measure import Measured
from harness.trial.step.trainer import Trainer
from models.episode import Step
from models.losses.term import LossTerm, State

CLOSE = 1e-4
"""Largest difference from what a state should be, relative to 1 + its size."""
ROUNDING = 4e-7
"""What float32 leaves of a parameter, relative to 1 + its size."""
REFERENCE_MOMENTUM = 0.9
Fault = tuple[str, str]
"""Key of a loss term, or a plain noun, and what is wrong in words."""


def strange_states(
    before: Trainer,
    after: Trainer,
    measured: Measured,
    settings: Mapping[str, Any],
    epoch: int,
    weights: Mapping[str, float],
) -> Iterator[Fault]:
    """Each explicit state that a step of `epoch` did not leave as its definition says. `before` has the state before the
    step, which `measured` is of; weights: of the terms in force, by key."""
    warm = epoch <= settings["curriculum"]["phase1_epochs"]
    if warm or not before.model.environment.acts:
        same = zip(before.reference, after.reference, strict=True)
        if any(not torch.equal(old, new) for old, new in same):
            yield "reference", "it was changed by a step in which no environment acts"
    elif measured.step.owner is None and bool((measured.step.cell >= 0).all()):
        yield from _of_reference(before, after, measured)
    if not warm:
        yield from _of_memory(before, after, settings, epoch)
    for term, _ in before.weighted:
        old, new = before.states[term.key], after.states[term.key]
        if term.key in weights:
            seen = term.seen(measured.step)
            yield from ((term.key, text) for text in _of_term(term, seen, old, new, settings))
        elif any(not torch.equal(old[name], new[name]) for name in old):
            yield term.key, "it changed its state, and is not in force"
    yield from _of_balance(before.balance_state, after.balance_state, weights)
    yield from unpermuted(before, measured.step, settings, weights)


def untouched(initial: Mapping[str, State], trainer: Trainer, acted: set[str]) -> list[str]:
    """Keys of terms that were in force and whose state, where they have one, is bit by bit that of the beginning."""
    return [
        key
        for key, state in initial.items()
        if key in acted
        and any(value.numel() for value in state.values())
        and all(torch.equal(value, trainer.states[key][name]) for name, value in state.items())
    ]


def _of_reference(before: Trainer, after: Trainer, measured: Measured) -> Iterator[Fault]:
    """x_c <- 0.9 x_c + 0.1 mean over the step's episodes of c that show their name; the first meeting sets x_c."""
    step, hidden = measured.step, measured.hidden
    shown = torch.ones_like(step.cell) if hidden is None else (~hidden).to(step.cell)
    cell = step.cell.where(shown > 0, -1)
    values = {"r": measured.scores.r_raw, "z_e": measured.scores.z_e}
    old, new = before.reference._asdict(), after.reference._asdict()
    expected = {
        name: running(old[name], old["seen"], cell, part, REFERENCE_MOMENTUM) for name, part in values.items()
    }
    expected["seen"] = met(old["seen"], cell)
    for name, wished in expected.items():
        if _apart(new[name], wished):
            text = f"its {name} is not the running mean of what the step's episodes of each cell line gave"
            yield "reference", text if name != "seen" else "it does not note which cell lines were met"


def _of_memory(before: Trainer, after: Trainer, settings: Mapping[str, Any], epoch: int) -> Iterator[Fault]:
    """theta_T <- m theta_T + (1 - m) theta_S of an `ema` Teacher; the earlier Teacher is of this epoch."""
    memory = after.memory
    yield from _of_earlier(before, memory, epoch, settings["curriculum"]["phase1_epochs"] + 1)
    followed = [name for name in memory if name.startswith("teacher/")]
    if not followed:
        return
    momentum = settings["environment"]["teacher"]["momentum"]
    student = after.model.environment.branches.teacher_parameters()
    for name in followed:
        now, old, new = student[name.removeprefix("teacher/")].detach(), before.memory[name], memory[name]
        way = (1 - momentum) * (now - old)
        allowed = CLOSE * way.abs().max() + ROUNDING * (1 + old.abs())
        if not bool(((new - old - way).abs() <= allowed).all()):
            yield "memory", f"{name} does not follow the Student by {1 - momentum:.3g} of the way"
            return


def _of_earlier(before: Trainer, memory: State, epoch: int, first: int) -> Iterator[Fault]:
    """The earlier Teacher is of this epoch, as the Teacher stood when it began, and keeps so through it; it has trained but
    in the `first` epoch with a Teacher."""
    if "earlier_epoch" not in memory:
        return
    if int(memory["earlier_epoch"]) != epoch:
        yield "memory", f"it has an earlier Teacher of epoch {int(memory['earlier_epoch'])} in epoch {epoch}"
    if bool(memory["ready"]) != (epoch != first):
        yield (
            "memory",
            f"it says that the earlier Teacher of epoch {epoch} has trained"
            if epoch == first
            else f"it says that the earlier Teacher of epoch {epoch} has not trained",
        )
    begins = int(before.memory["earlier_epoch"]) != epoch
    parameters = before.model.environment.branches.teacher_parameters() if begins else {}
    for name in (name for name in memory if name.startswith("earlier/")):
        plain = name.removeprefix("earlier/")
        stood = (
            before.memory.get(f"teacher/{plain}", parameters.get(plain)) if begins else before.memory[name]
        )
        if stood is None or not torch.equal(memory[name], stood.detach()):
            yield "memory", f"{name} is not as the Teacher stood when epoch {epoch} began"
            return


def _of_term(
    term: LossTerm, step: Step, old: State, new: State, settings: Mapping[str, Any]
) -> Iterator[str]:
    """The first part of a term's state that is not what its definition gives."""
    for name, wished in state_after(term, step, old, settings).items():
        if _apart(new[name], wished):
            yield f"the step did not leave its state {name} as the term's definition says"
            return


def _of_balance(old: State, new: State, weights: Mapping[str, float]) -> Iterator[Fault]:
    """A balance that counts the steps of each term counts those in which it was in force."""
    for name, count in old.items():
        kind, _, key = name.partition("/")
        if kind == "steps" and float(new[name]) != float(count) + (key in weights):
            yield (
                "balance",
                f"it counts {float(new[name]):g} steps of {key}, after {float(count):g} before the step",
            )
            return


def _apart(now: Tensor, wished: Tensor) -> bool:
    """Whether two states differ; NaN differs from everything."""
    one, other = now.detach().double().cpu(), wished.detach().double().cpu()
    return not bool(((one - other).abs() <= CLOSE * (1 + other.abs())).all())
