"""Verdicts on modules: whether gradients arrive, what they read, and where something changes when one is neutralised."""

from functools import partial
from typing import Any

from harness.audit import neutral
from harness.audit.acting import before_threshold, places
from harness.audit.effect import silent
from harness.audit.elsewhere import Vantage
from harness.audit.finding import MechanismFinding
from harness.audit.fitted import unfitted
from harness.audit.inputs import judge_inputs
from harness.audit.probe import Patch, differ, norm
from harness.audit.reading import Moved, ScoreReading
from harness.audit.twins import Twins
from harness.config.blocks.environment import EncodedEnvironmentBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.mechanism import Mechanism
from models.energy.base import Energy
from models.energy.gates import ThresholdGateEnergy
from models.energy.temperature import CalibratedTemperature, Temperature
from models.environment.memory import NOW, part
from models.environment.teacher import EmaTeacher, Teacher

FAR = 1e3
"""Resistance, to either side, that is beyond any threshold."""


def judge_module(twins: Twins, mechanism: Mechanism, cls: type) -> MechanismFinding:
    """The verdict on a configured module of class `cls`."""
    instances = dict(neutral.members(twins.trainer, cls))
    if not instances:
        return MechanismFinding.on(
            mechanism, "inert", f"it is configured and no {cls.__name__} was built", "present"
        )
    inside = {
        name: {f"{name}.{inner}" for inner, _ in module.named_parameters()}
        for name, module in instances.items()
    }
    names = set().union(*inside.values())
    gradients = twins.base.gradients
    gradient = norm({name: g for name, g in gradients.items() if name in names})
    figures: dict[str, Any] = {"grad_norm": gradient if names else None}
    absent = _absent(twins, inside, names)
    if absent:
        return MechanismFinding.on(mechanism, "inert", absent, "present", **figures)
    broken = _promise(twins, cls)
    if broken:
        return MechanismFinding.on(mechanism, "inert", broken, "effect", **figures)
    figures["input_gap"], unread = judge_inputs(twins, mechanism)
    if unread:
        return MechanismFinding.on(mechanism, "inert", unread, "input", **figures)
    asked = places(mechanism, twins.probe.config)
    look = partial(_effect, mechanism=mechanism, cls=cls)
    moved = twins.elsewhere.confirmed(look(twins), asked, look)
    inner = set(twins.trainer.model.sequence.modules())
    gap = twins.neutralised(
        _patch(twins, cls), sequence=any(module in inner for module in instances.values())
    )
    figures |= {**moved.figures(), "effect_gradient": gap}
    text = silent(asked, moved.still, gap)
    if text:
        return MechanismFinding.on(mechanism, "inert", text, "effect", **figures)
    absorbed = redundant_temperature(twins.probe.config) if issubclass(cls, Temperature) else ""
    if absorbed:
        return MechanismFinding.on(mechanism, "redundant", absorbed, **figures)
    if issubclass(cls, Energy) and twins.trainer.model.environment.acts and twins.rank_invariant():
        if not twins.in_order_of_u():
            text = "it says that the logit increases in U_I, and on the probe's pairs it does not"
            return MechanismFinding.on(mechanism, "inert", text, "effect", **figures)
        text = "R_E is one value per cell line and the energy increases in U_I: AUPR per cell line is that of U_I alone"
        return MechanismFinding.on(mechanism, "rank-invariant", text, **figures)
    text = "predictions and gradients change when it is neutralised, wherever it acts"
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
        return "T per cell line beside a cell-scope R_E: either can absorb the other (source document 000 forbids the pair)"
    if mode in ("learned", "per_cell") and config.loss.calibration.weight == 0:
        return "U_I is not held in a range (loss.calibration.weight: 0), so its scale absorbs a learned T"
    return ""


def _absent(twins: Twins, inside: dict[str, set[str]], names: set[str]) -> str:
    """What of its parameters is in no optimiser or gets no gradient; empty where all are there."""
    lost = twins.outside_optimiser(names)
    if lost:
        return f"its parameters {lost} are not in the optimiser"
    for name, parameters in inside.items():
        if parameters and not _moved(twins, parameters):
            return f"no gradient arrives at the parameters of {name}"
    dead = sorted(name for name in names if name not in twins.base.gradients)
    if dead:
        return f"no gradient ever arrives at its parameter {dead[0]}: a part of it is built and not used"
    return ""


def _moved(twins: Twins, parameters: set[str]) -> bool:
    """Whether a gradient arrives at these parameters: in the step that every twin takes, or else in steps of other
    episodes with other names hidden and with none, since some parts learn from some cell lines only."""
    if norm({n: g for n, g in twins.base.gradients.items() if n in parameters}) > 0.0:
        return True
    probe = twins.probe
    for ahead, batch in enumerate(probe.batches[:-1], start=1):
        for index in {probe.plain.index + ahead, probe.hiding(probe.plain, batch, 0)}:
            clone = probe.clone()
            clone.index = index
            step = probe.step(clone, batch=batch)
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


def _effect(at: Twins | Vantage, mechanism: Mechanism, cls: type) -> Moved:
    """Changes of predictions when the module is neutralised. Before a threshold what counts is R_E, but for the threshold
    itself. What the environment and the energy do to a single cell line may be a factor on its logits, which a T that is
    fitted on it takes away again: there the other splits are asked."""
    reading, trainer = at.reading, at.trainer
    instances = [module for _, module in neutral.members(trainer, cls)]
    of_r = before_threshold(mechanism, trainer.model.energy)
    if issubclass(cls, Energy) and trainer.model.environment.acts:
        return _of_energy(trainer.model.energy, reading)
    if issubclass(cls, Temperature):
        return reading.moved(reading.with_outputs(instances, lambda t: 2 * t), fitted=False)
    if issubclass(cls, EmaTeacher):
        remembered = trainer.memory
        trainer.memory = trainer.model.environment.initial_memory()
        moved = reading.moved(reading.scores(encoded=reading.encoded), fitted=False, r=of_r)
        trainer.memory = remembered
        return moved
    fitted = set(trainer.model.environment.modules()).isdisjoint(instances)
    return reading.moved(reading.without(instances), fitted=fitted, r=of_r)


def _of_energy(energy: Energy, reading: ScoreReading) -> Moved:
    """The energy hears the mean of R_E; a threshold hears what is beyond it to either side."""
    if not isinstance(energy, ThresholdGateEnergy):
        heard = reading.with_arguments(energy, neutral.resisted(reading.mean_r()))
        return reading.moved(heard, fitted=False)
    low, high = (reading.with_arguments(energy, neutral.resisted(far)) for far in (-FAR, FAR))
    return reading.moved(low, base=high, fitted=False)


def _patch(twins: Twins, cls: type) -> Patch:
    """The same for a step of training."""
    if issubclass(cls, Energy) and twins.trainer.model.environment.acts:
        return neutral.mean_resistance
    if issubclass(cls, Temperature):
        return neutral.doubled_output(cls)
    if issubclass(cls, Teacher) and cls is EmaTeacher:
        return neutral.forgetful
    inner = any(
        twins.reading.surfaces(module) not in ([module], [])
        for _, module in neutral.members(twins.trainer, cls)
    )
    return neutral.constant_output(cls, inner=inner)
