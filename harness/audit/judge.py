"""Judges every configured mechanism by what changes without it (README, Did the design really run?)."""

import math
from typing import Any

import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from harness.audit import neutral
from harness.audit.finding import Finding
from harness.audit.fitted import unfitted
from harness.audit.idle import wakes
from harness.audit.probe import Patch, Probe, Step, differ, norm
from harness.audit.routes import allowed, leaks
from harness.audit.rules import judge_rule
from harness.audit.settings import changed, value_at
from harness.mechanisms.mechanism import Mechanism
from harness.trial.step.trainer import Diverged
from models.declared import POSITIVE
from models.energy.base import Energy
from models.energy.temperature import CalibratedTemperature, Temperature
from models.environment.memory import NOW, part
from models.environment.teacher import EmaTeacher, Teacher
from models.losses.term import LossTerm

DROWNED = 0.01
"""Share of the task's gradient under which a term is drowned."""


class Judge:
    """Verdicts on mechanisms from twins of one probe. `thorough` adds, per weighted term, a step with weight 0 and one
    with twice the weight.
    """

    def __init__(self, probe: Probe, *, thorough: bool) -> None:
        self.probe, self.thorough = probe, thorough
        self.trainer = probe.clone()
        self.terms = {term.key: term for term, _ in self.trainer.weighted}
        first = probe.step(probe.clone(), shares=True)
        self.leak = first.leak
        self.base = first if first.leak is None else probe.step(probe.clone())
        self.logits = probe.logits(self.trainer)
        if not bool(torch.isfinite(self.logits).all()):
            raise Diverged("logits of the audit's probe are not finite")
        self.label = self.trainer._labels(probe.batch.query)

    def judge(self, mechanism: Mechanism) -> Finding:
        """The verdict on one configured mechanism."""
        cls = mechanism.cls
        if cls is not None and issubclass(cls, LossTerm):
            return self._term(mechanism, cls)
        if cls is not None:
            found = self._module(mechanism, cls)
            if found.verdict != "active" or not mechanism.off:
                return found
        return judge_rule(self, mechanism)

    def finding(self, mechanism: Mechanism, verdict: str, reason: str, **figures: Any) -> Finding:
        return Finding(mechanism.id, mechanism.key, verdict, reason, **figures)

    def _term(self, mechanism: Mechanism, cls: type) -> Finding:
        built = [term for term in self.terms.values() if isinstance(term, cls)]
        if not built:
            return self.finding(mechanism, "inert", "it is configured and no loss term of its kind was built")
        term = built[0]
        lost = self._outside_optimiser({f"terms.{term.key}.{name}" for name, _ in term.named_parameters()})
        if lost:
            return self.finding(mechanism, "inert", f"its parameters {lost} are not in the optimiser")
        log = self.base.log
        assert log is not None
        size, share = log.shares.get(term.key, (math.nan, math.nan))
        out = self.probe.step(self.probe.clone(patch=without(term.key)))
        effect = differ(self.base.gradients, out.gradients) / (norm(self.base.gradients) + 1e-30)
        figures: dict[str, Any] = {
            "share": None if math.isnan(share) else share,
            "grad_norm": None if math.isnan(size) else size,
            "effect_gradient": effect,
        }
        if self.leak is not None and f"loss term {term.key} " in self.leak:
            return self.finding(mechanism, "leaking", self.leak, **figures)
        extra = term.reach - allowed(term, self.trainer)
        escaped = leaks(term, self.trainer, self.base, out)
        if extra or escaped:
            where = ", ".join(sorted(extra | escaped.keys()))
            return self.finding(
                mechanism, "leaking", f"its gradient reaches group {where}, which it may not move", **figures
            )
        apart = differ(self.base.parameters, out.parameters)
        if effect == 0.0 or apart == 0.0:
            return self._silent(mechanism, term, out, figures)
        paths = [setting.path for setting in mechanism.when if setting.value == POSITIVE]
        if self.thorough and paths:
            wrong = self._weight(paths[0], term.key, out)
            if wrong is not None:
                return self.finding(mechanism, *wrong, **figures)
        rests = term.rests(self.trainer.states.get(term.key, {}))
        if rests:
            return self.finding(mechanism, "idle", rests, **figures)
        if not math.isnan(share) and share < DROWNED and term.key != "task" and size > 0:
            text = f"its gradient is {share:.2%} of the task's on the same parameters"
            return self.finding(mechanism, "drowned", text, **figures)
        return self.finding(mechanism, "active", "a step without it ends in other parameters", **figures)

    def _silent(self, mechanism: Mechanism, term: LossTerm, out: Step, figures: dict[str, Any]) -> Finding:
        """No change of the gradient: idle when another state of the step would wake the term, inert otherwise."""
        log = self.base.log
        assert log is not None
        if term.key not in log.values:
            return self.finding(mechanism, "inert", "it is built and no step ever calls it", **figures)
        value = log.values[term.key]
        if value == 0.0 and wakes(self.probe, term):
            return self.finding(
                mechanism, "idle", "it is satisfied at this state: value and gradient are 0", **figures
            )
        text = f"its value is {value:.3g} and no gradient changes without it: nothing follows from its weight"
        return self.finding(mechanism, "inert", text, **figures)

    def _weight(self, path: str, key: str, out: Step) -> tuple[str, str] | None:
        """Whether weight 0 is leaving out, and twice the weight is another gradient; the fault in words otherwise."""
        zero = self.probe.step(self.probe.clone(changed(self.probe.config, {path: 0.0})))
        built = zero.parameters.keys() | {f"terms.{n}" for n, _ in self.trainer.terms.named_parameters()}
        whole = all(
            name in built for name in self.base.parameters
        )  # else the weight builds part of the model as well
        common = {name: p for name, p in out.parameters.items() if not name.startswith(f"terms.{key}.")}
        if (
            whole
            and differ(common, {name: zero.parameters[name] for name in common if name in zero.parameters})
            > 0.0
        ):
            return "leaking", f"{path}: 0 does not give what leaving the term out gives"
        double = changed(self.probe.config, {path: 2 * value_at(self.probe.config, path)})
        twice = self.probe.step(self.probe.clone(double))
        if differ(self.base.gradients, twice.gradients) == 0.0:
            return "inert", f"{path} is read and not used: twice the weight gives the same gradient"
        return None

    def _module(self, mechanism: Mechanism, cls: type) -> Finding:
        instances = dict(neutral.members(self.trainer, cls))
        if not instances:
            return self.finding(mechanism, "inert", f"it is configured and no {cls.__name__} was built")
        own = {
            f"{name}.{inner}": parameter
            for name, module in instances.items()
            for inner, parameter in module.named_parameters()
        }
        lost = self._outside_optimiser(set(own))
        if lost:
            return self.finding(mechanism, "inert", f"its parameters {lost} are not in the optimiser")
        gradient = norm({name: g for name, g in self.base.gradients.items() if name in own})
        for name, module in instances.items():
            inside = {f"{name}.{inner}" for inner, _ in module.named_parameters()}
            if inside and not self._moved(inside):
                return self.finding(
                    mechanism, "inert", f"no gradient arrives at the parameters of {name}", grad_norm=0.0
                )
        dead = sorted(name for name in own if name not in self.base.gradients)
        if dead:
            text = f"no gradient ever arrives at its parameter {dead[0]}: a part of it is built and not used"
            return self.finding(mechanism, "inert", text, grad_norm=gradient)
        broken = self._promise(cls)
        if broken:
            return self.finding(mechanism, "inert", broken)
        figures: dict[str, Any] = {"grad_norm": gradient if own else None, **self._effect(cls, set(own))}
        if not any(figures.get(name) for name in ("effect_logit", "effect_gradient")):
            text = "no prediction and no gradient changes when it is neutralised"
            return self.finding(mechanism, "inert", text, **figures)
        if issubclass(cls, Temperature):
            absorbed = redundant_temperature(self.probe.config)
            if absorbed:
                return self.finding(mechanism, "redundant", absorbed, **figures)
        if issubclass(cls, Energy) and self.trainer.model.has_environment and self._rank_invariant():
            text = "R_E is one value per cell line and the energy increases in U_I: AUPR per cell line is that of U_I alone"
            return self.finding(mechanism, "rank-invariant", text, **figures)
        return self.finding(
            mechanism, "active", "predictions or gradients change when it is neutralised", **figures
        )

    def _moved(self, inside: set[str]) -> bool:
        """Whether a gradient arrives at these parameters: in the step that every twin takes, or else in steps of other
        episodes with other names hidden, since some parts learn from some cell lines only."""
        if norm({n: g for n, g in self.base.gradients.items() if n in inside}) > 0.0:
            return True
        for ahead, batch in enumerate(self.probe.batches[:-1], start=1):
            clone = self.probe.clone()
            clone.index += ahead
            step = self.probe.step(clone, batch=batch)
            if norm({n: g for n, g in step.gradients.items() if n in inside}) > 0.0:
                return True
        return False

    def _promise(self, cls: type) -> str:
        """What a module promises beside an effect and does not keep; empty when it keeps it."""
        if cls is CalibratedTemperature:
            return unfitted(self.probe, self.trainer)
        if cls is EmaTeacher:
            before = part(self.probe.weights["memory"], NOW)
            after = part({n[7:]: t for n, t in self.base.states.items() if n.startswith("memory/")}, NOW)
            now = self.trainer.model.branches.teacher_parameters()
            apart = differ(before, {name: value.detach() for name, value in now.items()})
            if apart > 0.0 and differ(before, after) == 0.0:
                return "a step leaves what it remembers as it was: it never follows the Student"
        return ""

    def _effect(self, cls: type, own: set[str]) -> dict[str, float]:
        """Changes of the prediction, else of the gradient, by the first way of neutralising that changes anything."""
        ways: list[Patch] = []
        if issubclass(cls, Energy) and self.trainer.model.has_environment:
            ways.append(neutral.mean_resistance)
        elif issubclass(cls, Temperature):
            ways.append(neutral.doubled_output(cls))
        else:
            ways.append(neutral.constant_output(cls))
        if issubclass(cls, Teacher):
            ways.append(neutral.forgetful)
        if own and not issubclass(cls, Energy):
            ways.append(neutral.shaken(own))
        for way in ways:
            effect = self.prediction_without(patch=way)
            if effect["effect_logit"] > 0.0:
                return effect
        for way in ways:
            step = self.probe.step(self.probe.clone(patch=way))
            gap = differ(self.base.gradients, step.gradients)
            if gap > 0.0:
                return {
                    "effect_logit": 0.0,
                    "effect_aupr": 0.0,
                    "effect_gradient": gap / (norm(self.base.gradients) + 1e-30),
                }
        return {"effect_logit": 0.0, "effect_aupr": 0.0, "effect_gradient": 0.0}

    def prediction_without(self, *, unseen: bool = False, **twin: Any) -> dict[str, float]:
        """Largest change of a logit and change of AUPR in a twin; `unseen`: as if no cell line had been trained on."""
        own = self.probe.logits(self.trainer, unseen=True) if unseen else self.logits
        other = self.probe.logits(self.probe.clone(**twin), unseen=unseen)
        return {
            "effect_logit": float((own - other).abs().max()),
            "effect_aupr": abs(self._aupr(own) - self._aupr(other)),
        }

    def _aupr(self, logits: Tensor) -> float:
        label = self.label.flatten().cpu().numpy()
        if label.min() == label.max() or not bool(torch.isfinite(logits).all()):
            return 0.0
        return float(average_precision_score(label, logits.flatten().cpu().numpy()))

    def _rank_invariant(self) -> bool:
        with torch.no_grad():
            _, _, step, _ = self.trainer._measure(self.probe.batch, warm=False)
        return self.trainer.model.rank_invariant(step.r)

    def _outside_optimiser(self, names: set[str]) -> str:
        """The first of the named parameters that the optimiser does not hold; empty when it holds all."""
        held = {id(p) for group in self.trainer.optimiser.param_groups for p in group["params"]}
        named = dict(self.trainer.model.named_parameters())
        named |= {f"terms.{name}": p for name, p in self.trainer.terms.named_parameters()}
        missing = sorted(name for name in names if id(named[name]) not in held)
        return missing[0] if missing else ""


def without(key: str) -> Patch:
    """Leave a loss term out of the step; its parameters stay where they are. The task stays with weight 0, since
    other terms' gradients may be measured against its own.
    """

    def patch(trainer: Any) -> None:
        kept = [(term, 0.0 if term.key == key else weight) for term, weight in trainer.weighted]
        trainer.weighted = kept if key == "task" else [pair for pair in kept if pair[0].key != key]

    return patch


def redundant_temperature(config: Any) -> str:
    """Why another mechanism can absorb T (definitions, Gauge); empty when none can."""
    scope = getattr(config.environment, "scope", None)
    if config.temperature.mode == "per_cell" and scope == "cell":
        return (
            "T per cell line beside a cell-scope R_E: either can absorb the other (seed 000 forbids the pair)"
        )
    if config.temperature.mode in ("learned", "per_cell") and config.loss.calibration.weight == 0:
        return "U_I is not held in a range (loss.calibration.weight: 0), so its scale absorbs a learned T"
    return ""
