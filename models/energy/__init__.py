"""Energies (M10 to M14) and temperatures (M15): from U_I, R_E and T to a logit."""

from models.energy.base import ENERGIES, Energy
from models.energy.binding import BindingEnergy
from models.energy.blocking import BlockingEnergy
from models.energy.dissipation import InteractionEnergy, LinearEnergy
from models.energy.gates import BoostedGateEnergy, GatedEnergy, ThresholdGateEnergy
from models.energy.temperature import TEMPERATURES, Temperature, fit

__all__ = [
    "ENERGIES",
    "TEMPERATURES",
    "BindingEnergy",
    "BlockingEnergy",
    "BoostedGateEnergy",
    "Energy",
    "GatedEnergy",
    "InteractionEnergy",
    "LinearEnergy",
    "Temperature",
    "ThresholdGateEnergy",
    "fit",
]
