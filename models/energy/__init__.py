"""Energies (M10 to M14) and temperatures (M15): from U_I, R_E and T to a logit."""

from models.energy.base import ENERGIES, Energy
from models.energy.temperature import TEMPERATURES, Temperature, fit
from models.registry import discover

__all__ = ["ENERGIES", "TEMPERATURES", "Energy", "Temperature", "fit"]

discover("models.energy")
