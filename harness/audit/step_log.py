"""What the trainer says of its steps, which table `terms` is made of, against the step itself."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping

import torch

from harness.audit.reference_step import Gradients
from harness.audit.states import Fault
from harness.audit.step_comparison import HALF
from harness.trial.step.measure import Measured
from harness.trial.step.trainer import StepLog, Trainer

CLOSE = 1e-3
"""Largest difference of a number, relative to 1e-3 + its size."""
SMALL = 1e-3


def strange_log(log: StepLog, trainer: Trainer, measured: Measured, keys: Iterable[str]) -> Iterator[Fault]:
    """Values of the terms in force, and means of U_I, R_E and T, that are not those of the step. `trainer` has the state
    before it."""
    with torch.no_grad():
        for term, _ in trainer.weighted:
            if term.key not in keys:
                continue
            value = float(term(measured.step, trainer.states[term.key])[0])
            if _apart(log.values.get(term.key, math.nan), value):
                yield term.key, f"its value is told as {log.values.get(term.key)}, and it is {value:.6g}"
        step = measured.step
        made = {"temperature": step.temperature.mean(), "u_mean": step.u.mean(), "r_mean": step.r.mean()}
        made |= {"u_var": step.u.var(), "r_var": step.r.var(correction=0)}
    for name, number in made.items():
        if _apart(log.state.get(name, math.nan), float(number)):
            yield "record", f"{name} is told as {log.state.get(name)}, and it is {float(number):.6g}"


def strange_norms(
    log: StepLog,
    total: Gradients,
    apart: Mapping[str, Gradients],
    reached: Mapping[str, Collection[str]],
    *,
    half: bool,
) -> Iterator[Fault]:
    """A norm of the whole gradient before clipping, or of a term's and its share of the task's on the groups that it
    reaches, that is not that of the gradients: total, and apart with the weights in force. half: the sequence side runs in
    bfloat16."""
    close = HALF if half else CLOSE
    whole = _norm(total, total)
    if _apart(log.grad_norm, whole, close):
        yield "record", f"the gradient's norm is told as {log.grad_norm:.6g}, and it is {whole:.6g}"
    for key, (norm, share) in log.shares.items():
        if key not in apart:
            continue
        wished, task = (_norm(apart[name], reached[key]) for name in (key, "task"))
        if _apart(norm, wished, close):
            yield key, f"the norm of its gradient is told as {norm:.6g}, and it is {wished:.6g}"
        elif task > 0 and _apart(share, wished / task, close):
            yield (
                key,
                f"its share of the task's gradient is told as {share:.6g}, and it is {wished / task:.6g}",
            )


def _norm(gradients: Gradients, names: Iterable[str]) -> float:
    return math.sqrt(math.fsum(float(gradients[name].square().sum()) for name in names if name in gradients))


def _apart(told: float, wished: float, close: float = CLOSE) -> bool:
    return not abs(told - wished) <= close * (SMALL + abs(wished))
