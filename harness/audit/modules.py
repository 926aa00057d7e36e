"""Verdicts on modules: whether gradients arrive, whether they keep their promises, what changes when one is neutralised."""

from typing import Any

from harness.audit import neutral
from harness.audit.finding import MechanismFinding
from harness.audit.fitted import unfitted
from harness.audit.probe import Patch, differ, norm
from harness.audit.twins import Twins
from harness.config.blocks.environment import EncodedEnvironmentBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.mechanism import Mechanism
from models.energy.base import Energy
from models.energy.temperature import CalibratedTemperature, Temperature
from models.environment.base import Environment
from models.environment.memory import NOW, part
from models.environment.set_encoders import SetEncoder
from models.environment.teacher import EmaTeacher, Teacher


def judge_module(twins: Twins, mechanism: Mechanism, cls: type) -> MechanismFinding:
    """The verdict on a configured module of class `cls`."""
    instances = dict(neutral.members(twins.trainer, cls))
    if not instances:
        return MechanismFinding.on(mechanism, "inert", f"it is configured and no {cls.__name__} was built")
    inside = {
        name: {f"{name}.{inner}" for inner, _ in module.named_parameters()}
        for name, module in instances.items()
    }
    names = set().union(*inside.values())
    lost = twins.outside_optimiser(names)
    if lost:
        return MechanismFinding.on(mechanism, "inert", f"its parameters {lost} are not in the optimiser")
    for name, parameters in inside.items():
        if parameters and not _moved(twins, parameters):
            text = f"no gradient arrives at the parameters of {name}"
            return MechanismFinding.on(mechanism, "inert", text, grad_norm=0.0)
    gradients = twins.base.gradients
    gradient = norm({name: g for name, g in gradients.items() if name in names})
    dead = sorted(name for name in names if name not in gradients)
    if dead:
        text = f"no gradient ever arrives at its parameter {dead[0]}: a part of it is built and not used"
        return MechanismFinding.on(mechanism, "inert", text, grad_norm=gradient)
    broken = _promise(twins, cls)
    if broken:
        return MechanismFinding.on(mechanism, "inert", broken)
    figures: dict[str, Any] = {"grad_norm": gradient if names else None, **_effect(twins, cls, names)}
    if not any(figures.get(name) for name in ("effect_known", "effect_gradient")):
        text = "no prediction and no gradient changes when it is neutralised"
        return MechanismFinding.on(mechanism, "inert", text, **figures)
    absorbed = redundant_temperature(twins.probe.config) if issubclass(cls, Temperature) else ""
    if absorbed:
        return MechanismFinding.on(mechanism, "redundant", absorbed, **figures)
    if issubclass(cls, Energy) and twins.trainer.model.environment.acts and twins.rank_invariant():
        if not twins.in_order_of_u():
            text = "it says that the logit increases in U_I, and on the probe's pairs it does not"
            return MechanismFinding.on(mechanism, "inert", text, **figures)
        text = "R_E is one value per cell line and the energy increases in U_I: AUPR per cell line is that of U_I alone"
        return MechanismFinding.on(mechanism, "rank-invariant", text, **figures)
    text = "predictions or gradients change when it is neutralised"
    return MechanismFinding.on(mechanism, "active", text, **figures)


def redundant_temperature(config: ConfigurationBlock) -> str:
    """Why another mechanism can absorb T (definitions, Gauge); empty when none can."""
    environment = config.environment
    mode = config.temperature.mode
    if (
        mode == "per_cell"
        and isinstance(environment, EncodedEnvironmentBlock)
        and environment.scope == "cell"
    ):
        return (
            "T per cell line beside a cell-scope R_E: either can absorb the other (seed 000 forbids the pair)"
        )
    if mode in ("learned", "per_cell") and config.loss.calibration.weight == 0:
        return "U_I is not held in a range (loss.calibration.weight: 0), so its scale absorbs a learned T"
    return ""


def _moved(twins: Twins, parameters: set[str]) -> bool:
    """Whether a gradient arrives at these parameters: in the step that every twin takes, or else in steps of other
    episodes with other names hidden, since some parts learn from some cell lines only."""
    if norm({n: g for n, g in twins.base.gradients.items() if n in parameters}) > 0.0:
        return True
    for ahead, batch in enumerate(twins.probe.batches[:-1], start=1):
        clone = twins.probe.clone()
        clone.index += ahead
        step = twins.probe.step(clone, batch=batch)
        if norm({n: g for n, g in step.gradients.items() if n in parameters}) > 0.0:
            return True
    return False


def _promise(twins: Twins, cls: type) -> str:
    """What a module promises beside an effect and does not keep; empty when it keeps it."""
    if cls is CalibratedTemperature:
        return unfitted(twins.probe, twins.trainer)
    if cls is EmaTeacher:
        before = part(twins.probe.weights["memory"], NOW)
        states = {n[7:]: t for n, t in twins.base.states.items() if n.startswith("memory/")}
        now = twins.trainer.model.environment.branches.teacher_parameters()
        apart = differ(before, {name: value.detach() for name, value in now.items()})
        if apart > 0.0 and differ(before, part(states, NOW)) == 0.0:
            return "a step leaves what it remembers as it was: it never follows the Student"
    return ""


def _effect(twins: Twins, cls: type, names: set[str]) -> dict[str, float]:
    """Changes of the prediction, else of the gradient, by the first way of neutralising that changes anything."""
    ways: list[Patch] = []
    if issubclass(cls, Energy) and twins.trainer.model.environment.acts:
        ways.append(neutral.mean_resistance)
    elif issubclass(cls, Temperature):
        ways.append(neutral.doubled_output(cls))
    else:
        ways.append(neutral.constant_output(cls))
    if issubclass(cls, Teacher):
        ways.append(neutral.forgetful)
    if names and not issubclass(
        cls, (Energy, Environment, SetEncoder)
    ):  # a constant of theirs is no environment
        ways.append(neutral.shaken(names))
    for way in ways:
        effect = twins.prediction_without(patch=way)
        if effect["effect_known"] > 0.0:
            return effect
    none = {"effect_known": 0.0, "effect_aupr": 0.0}
    for way in ways:
        gap = twins.gradient_gap(twins.probe.step(twins.probe.clone(patch=way)))
        if gap > 0.0:
            return {**none, "effect_gradient": gap}
    return {**none, "effect_gradient": 0.0}
