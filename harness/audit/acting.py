"""Where a configured mechanism acts, given what else is configured."""

from harness.config.blocks.environment import PriorEnvironmentBlock, SupportEnvironmentBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.mechanisms.mechanism import Mechanism
from models.energy.base import Energy
from models.energy.gates import ThresholdGateEnergy
from models.energy.temperature import CalibratedTemperature
from models.environment.graph import PrototypeGraph
from models.environment.teacher import Teacher

KNOWN, UNSEEN = "prediction_known", "prediction_unseen"
STUDENT = frozenset({"environment source", "set encoder", "graph map"})
"""Kinds of mechanisms that z_E is made by."""
RESISTANCE = STUDENT | {"scope", "teacher", "prototype graph", "fusion", "extrapolation"}
"""Kinds that R_E is made by."""


def places(mechanism: Mechanism, config: ConfigurationBlock) -> frozenset[str]:
    """The places that the mechanism declares, less those that the rest of the configuration takes from it.

    A Teacher has no part in a prediction without fusion, a prototype graph none but through Teacher and map, a Student
    none on known cell lines where fusion leaves all to a Teacher; what a Gaussian process extrapolates to an unseen cell
    line is not z_E's. A fitted T is judged by its fit.
    """
    acts, environment, cls = mechanism.acts, config.environment, mechanism.cls or object
    if issubclass(cls, CalibratedTemperature):
        acts -= {KNOWN, UNSEEN}
    made_by_z = mechanism.kind in STUDENT or issubclass(cls, PrototypeGraph)
    if extrapolated(config) and made_by_z:
        acts -= {UNSEEN}
    if not isinstance(environment, SupportEnvironmentBlock):
        return acts
    fused = environment.teacher.kind != "none" and environment.fusion.alpha > 0
    if issubclass(cls, Teacher) and not fused:
        acts -= {KNOWN}
    if issubclass(cls, PrototypeGraph) and environment.graph.map == "none":
        acts -= {UNSEEN} if fused else {KNOWN, UNSEEN}
    if mechanism.kind in STUDENT and environment.teacher.kind == "gradient" and environment.fusion.alpha == 1:
        acts -= {KNOWN}
    return acts


def before_threshold(mechanism: Mechanism, energy: Energy) -> bool:
    """Whether the mechanism is to be judged by R_E, since a threshold stands between it and the logit."""
    return mechanism.kind in RESISTANCE and isinstance(energy, ThresholdGateEnergy)


def extrapolated(config: ConfigurationBlock) -> bool:
    """Whether R_E of an unseen cell line is the posterior mean of a prior."""
    environment = config.environment
    return isinstance(environment, PriorEnvironmentBlock) and environment.prior.extrapolate == "posterior"
