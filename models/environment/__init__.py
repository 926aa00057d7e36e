"""Environments (M16, M20, M22): what a cell line's support set or name says about its resistance R_E."""

from models.environment.base import ENVIRONMENTS, Environment, UnseenCellLineError
from models.environment.identity import IdEnvironment
from models.environment.resistance import Reference, Resistance, ResistanceOutput, initial, update
from models.environment.set_encoders import SET_ENCODERS, SetEncoder
from models.environment.student import SupportEnvironment

__all__ = [
    "ENVIRONMENTS",
    "SET_ENCODERS",
    "Environment",
    "IdEnvironment",
    "Reference",
    "Resistance",
    "ResistanceOutput",
    "SetEncoder",
    "SupportEnvironment",
    "UnseenCellLineError",
    "initial",
    "update",
]
