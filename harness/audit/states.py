"""What a trial remembers from step to step, after a real step, by its definitions: reference, Teacher, terms, balance."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from harness.audit.placebos import unpermuted
from harness.trial.step.measure import Measured
from harness.trial.step.trainer import Trainer
from models.episode import Step
from models.losses.competition import Competition
from models.losses.contrastive import Contrastive
from models.losses.decoupling import Decoupling
from models.losses.prototypes import Prototypes
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
            yield "reference", "was changed by a step in which no environment acts"
    elif measured.step.owner is None and bool((measured.step.cell >= 0).all()):
        yield from _of_reference(before, after, measured)
    if not warm:
        yield from _of_memory(before, after, settings, epoch)
    for term, _ in before.weighted:
        old, new = before.states[term.key], after.states[term.key]
        if term.key in weights:
            yield from ((term.key, text) for text in _of_term(term, term.seen(measured.step), old, new))
        elif any(not torch.equal(old[name], new[name]) for name in old):
            yield term.key, "changed its state, and is not in force"
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
            yield "reference", text if name != "seen" else "does not note which cell lines were met"


def _of_memory(before: Trainer, after: Trainer, settings: Mapping[str, Any], epoch: int) -> Iterator[Fault]:
    """theta_T <- m theta_T + (1 - m) theta_S of an `ema` Teacher; the earlier Teacher is of this epoch."""
    memory = after.memory
    if "earlier_epoch" in memory and int(memory["earlier_epoch"]) != epoch:
        yield "memory", f"has an earlier Teacher of epoch {int(memory['earlier_epoch'])} in epoch {epoch}"
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


def _of_term(term: LossTerm, step: Step, old: State, new: State) -> Iterator[str]:
    """What the state of a built-in term should be; nothing of a person's own."""
    expected: State = {}
    if isinstance(term, Prototypes):
        expected = {
            "prototype": running(old["prototype"], old["seen"], step.cell, step.z_e, term.momentum),
            "seen": met(old["seen"], step.cell),
            "counted": old["counted"] + (old["seen"][step.cell.clamp(min=0)] * (step.cell >= 0)).sum(),
        }
    elif isinstance(term, Contrastive) and term.bank:
        rows = {"z_e": normalize(step.z_e, dim=-1, eps=1e-8), "cell": step.cell}
        expected = ring(old, {**rows, "written": torch.full_like(step.cell, step.index)})
    elif isinstance(term, Decoupling) and term.bank:
        z_e = step.z_e_of_queries().flatten(0, 1)
        expected = ring(old, {"z_i": step.z_i.flatten(0, 1), "z_e": z_e, "filled": torch.ones(len(z_e))})
    elif isinstance(term, Competition):
        hides = (step.pseudo_unseen > 0) & (step.cell >= 0)
        line = step.cell if term.scope == "cell" else step.cell.clamp(max=0)
        for kind, of_kind in (("seen", line.where(~hides, -1)), ("hidden", line.where(hides, -1))):
            name = f"{kind}/met"
            known = of_kind[of_kind >= 0]
            expected[name] = old[name] + torch.bincount(known, minlength=len(old[name])).to(old[name])
        expected["r_s"] = running(old["r_s"], old["met"], step.cell, step.r_heard, term.momentum)
        expected["z_s"] = running(old["z_s"], old["met"], step.cell, step.z_e, term.momentum)
    for name, wished in expected.items():
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
                f"counts {float(new[name]):g} steps of {key}, after {float(count):g} before the step",
            )
            return


def running(means: Tensor, seen: Tensor, cell: Tensor, values: Tensor, momentum: float) -> Tensor:
    """Of each line the running mean [C, ...] after episodes of lines cell [E] (-1: none) with values [E, ...]."""
    after = means.clone()
    for line in sorted(set(cell.tolist()) - {-1}):
        now = values.detach()[cell == line].to(means.dtype).mean(0)
        after[line] = momentum * means[line] + (1 - momentum) * now if bool(seen[line] > 0) else now
    return after


def met(seen: Tensor, cell: Tensor) -> Tensor:
    """`seen` [C] with 1 at the lines of cell [E]."""
    after = seen.clone()
    after[cell[cell >= 0]] = 1
    return after


def ring(old: State, rows: Mapping[str, Tensor]) -> State:
    """Columns of a ring [B, ...] with rows [n, ...] from its pointer on, the last B of them, and the pointer after them."""
    size, count = (len(next(iter(part.values()))) for part in ({n: old[n] for n in rows}, rows))
    kept = min(size, count)
    places = (int(old["pointer"]) + torch.arange(kept)) % size
    after = {"pointer": torch.tensor((int(old["pointer"]) + kept) % size)}
    for name, values in rows.items():
        column = old[name].clone()
        column[places] = values.detach()[count - kept :].to(column)
        after[name] = column
    return after


def _apart(now: Tensor, wished: Tensor) -> bool:
    """Whether two states differ; NaN differs from everything."""
    one, other = now.detach().double().cpu(), wished.detach().double().cpu()
    return not bool(((one - other).abs() <= CLOSE * (1 + other.abs())).all())
