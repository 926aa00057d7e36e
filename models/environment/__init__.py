"""Environments (M16, M20 to M29): what a cell line's support set, features or name say about its resistance R_E."""

from models.environment.base import ENVIRONMENTS, Environment, EnvironmentOutput, UnseenCellLineError
from models.environment.graph import GRAPHS
from models.environment.set_encoders import SET_ENCODERS
from models.environment.teacher import TEACHERS
from models.registry import discover

__all__ = [
    "ENVIRONMENTS",
    "GRAPHS",
    "SET_ENCODERS",
    "TEACHERS",
    "Environment",
    "EnvironmentOutput",
    "UnseenCellLineError",
]

discover("models.environment")
