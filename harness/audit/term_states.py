"""What the state of a built-in loss term should be after a step, from the state before it and from what the step shows."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, normalize

from harness.audit.running_values import met, ring, running
from models.episode import Step
from models.losses.competition import Competition
from models.losses.contrastive import Contrastive
from models.losses.decoupling import Decoupling
from models.losses.prototypes import Prototypes
from models.losses.task import Immax
from models.losses.term import LossTerm, State

TASK_MOMENTUM, LOW, HIGH = 0.9, 0.05, 0.95
"""Of the margin a of IMMAX, which no configuration changes."""
SCALE_MOMENTUM = 0.99
"""Of the scale of the shallow statistics."""


def state_after(term: LossTerm, step: Step, old: State, settings: Mapping[str, Any]) -> State:
    """The parts of the state that a definition gives, by name; nothing of a person's own term."""
    if isinstance(term, Immax):
        return {"a": margin(step.logit, step.label, old["a"])}
    if isinstance(term, Prototypes):
        momentum = settings["loss"]["prototypes"]["momentum"]
        counted = old["seen"][step.cell.clamp(min=0)] * (step.cell >= 0)
        return {
            "prototype": running(old["prototype"], old["seen"], step.cell, step.z_e, momentum),
            "seen": met(old["seen"], step.cell),
            "counted": old["counted"] + counted.sum(),
        }
    if isinstance(term, Contrastive) and term.bank:
        rows = {"z_e": normalize(step.z_e, dim=-1, eps=1e-8), "cell": step.cell}
        return ring(old, {**rows, "written": torch.full_like(step.cell, step.index)})
    if isinstance(term, Decoupling) and term.bank:
        z_e = step.z_e_of_queries().flatten(0, 1)
        return ring(old, {"z_i": step.z_i.flatten(0, 1), "z_e": z_e, "filled": torch.ones(len(z_e))})
    if isinstance(term, Competition):
        with torch.no_grad():
            return _of_competition(term, step, old, settings["loss"]["competition"])
    return {}


def margin(logit: Tensor, label: Tensor, a: Tensor) -> Tensor:
    """IMMAX: a <- 0.9 a + 0.1 sqrt S+ / (sqrt S+ + sqrt S-), S = class mean of |u| sigmoid(-u), u the scaled margin; a
    where a class is absent."""
    logit, share, of_class = logit.detach().double().flatten(), float(a), []
    for here, scaled in ((label > 0.5, logit / (2 * share)), (label <= 0.5, -logit / (2 * (1 - share)))):
        u = scaled[here.flatten()]
        if not len(u):
            return a
        of_class.append(float((u.abs() / (1 + u.exp())).mean()) ** 0.5)
    if sum(of_class) == 0:
        return a
    target = of_class[0] / sum(of_class)
    return torch.tensor(min(HIGH, max(LOW, TASK_MOMENTUM * share + (1 - TASK_MOMENTUM) * target)))


def _of_competition(term: Competition, step: Step, old: State, block: Mapping[str, Any]) -> State:
    """Standings, running representations and the scale of the shallow statistics."""
    x, momentum, folds = step.shallow.mean(1), block["momentum"], len(term.opportunists)
    after: State = {
        "mean": SCALE_MOMENTUM * old["mean"] + (1 - SCALE_MOMENTUM) * x.mean(0),
        "square": SCALE_MOMENTUM * old["square"] + (1 - SCALE_MOMENTUM) * (x * x).mean(0),
        "weight": SCALE_MOMENTUM * old["weight"] + (1 - SCALE_MOMENTUM),
    }
    centre = after["mean"] / after["weight"]
    spread = ((after["square"] / after["weight"] - centre**2).clamp(min=0) + 1e-8).sqrt()
    opinions = [opportunist(((x - centre) / spread).clamp(-5, 5)) for opportunist in term.opportunists]
    z_o, r_o = (torch.stack([opinion[part] for opinion in opinions], 1) for part in (0, 1))
    values: dict[str, list[float]] = {
        name: [] for name in ("student", "opportunist", "baseline", "advantage")
    }
    hides = (step.pseudo_unseen > 0) & (step.cell >= 0)
    for e, c in enumerate(step.cell.tolist()):
        judge = (max(c, 0) + int(not hides[e])) % folds
        met_lines = [k for k in range(len(old["met"])) if old["met"][k] > 0]
        taught = [k for k in met_lines if k % folds != judge]
        answers = {
            "student": step.r_heard[e],
            "opportunist": r_o[e, judge],
            "baseline": step.r_teacher[e] if block["baseline"] == "teacher" else r_o[e, judge],
        }
        losses = {
            name: _loss(term, step, old, _logit(step, e, r.reshape(1))[0], e) for name, r in answers.items()
        }
        plain = {
            "student": _mixed(step, e, old["r_s"][met_lines]),
            "opportunist": _mixed(step, e, old["r_o"][taught, judge]),
        }
        gains = {name: _loss(term, step, old, logit, e) - losses[name] for name, logit in plain.items()}
        losses["advantage"] = gains["opportunist"] - gains["student"]
        for name, loss in losses.items():
            values[name].append(loss)
    line_of = step.cell if block["scope"] == "cell" else step.cell.clamp(max=0)
    for kind, lines in (("seen", line_of.where(~hides, -1)), ("hidden", line_of.where(hides, -1))):
        counts = old[f"{kind}/met"]
        for name, now in values.items():
            means = old[f"{kind}/{name}"]
            after[f"{kind}/{name}"] = running(means, counts, lines, torch.tensor(now).to(means), momentum)
        after[f"{kind}/met"] = counts + torch.bincount(lines[lines >= 0], minlength=len(counts)).to(counts)
    for name, value in {"r_s": step.r_heard, "z_s": step.z_e, "r_o": r_o, "z_o": z_o}.items():
        after[name] = running(old[name], old["met"], step.cell, value, momentum)
    if "task/a" in old:
        after["task/a"] = margin(step.logit, step.label, old["task/a"])
    return after


def _logit(step: Step, episode: int, r: Tensor) -> Tensor:
    """Logits [n, Q] of an episode's queries at resistances r [n]."""
    return step.energy_of(r.reshape(-1, 1, 1).expand(-1, len(step.cell), 1))[:, episode]


def _loss(term: Competition, step: Step, old: State, logit: Tensor, episode: int) -> float:
    task = {name.removeprefix("task/"): value for name, value in old.items() if name.startswith("task/")}
    return float(term.task.plain(logit, step.label[episode], task))


def _mixed(step: Step, episode: int, r: Tensor) -> Tensor:
    """Logits [Q] of the mean probability over lines of resistances r [n]; 0 of none."""
    if not len(r):
        return torch.zeros_like(step.label[episode])
    logit = _logit(step, episode, r).double()
    return (logsigmoid(logit).logsumexp(0) - logsigmoid(-logit).logsumexp(0)).to(step.logit.dtype)
