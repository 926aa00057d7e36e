"""Environments (M16, M20 to M29): what a cell line's support set, features or name say about its resistance R_E."""

from models.environment.base import ENVIRONMENTS, Environment, EnvironmentOutput, UnseenCellLineError
from models.environment.features import FeatureEnvironment
from models.environment.graph import GRAPHS, PrototypeGraph
from models.environment.identity import IdEnvironment
from models.environment.placement import Placement
from models.environment.prior import GaussianProcessPrior
from models.environment.resistance import Reference, Resistance, ResistanceOutput
from models.environment.set_encoders import SET_ENCODERS, SetEncoder
from models.environment.student import SupportEnvironment
from models.environment.teacher import TEACHERS, EmaTeacher, GradientTeacher, Teacher

__all__ = [
    "ENVIRONMENTS",
    "GRAPHS",
    "SET_ENCODERS",
    "TEACHERS",
    "EmaTeacher",
    "Environment",
    "EnvironmentOutput",
    "FeatureEnvironment",
    "GaussianProcessPrior",
    "GradientTeacher",
    "IdEnvironment",
    "Placement",
    "PrototypeGraph",
    "Reference",
    "Resistance",
    "ResistanceOutput",
    "SetEncoder",
    "SupportEnvironment",
    "Teacher",
    "UnseenCellLineError",
]
