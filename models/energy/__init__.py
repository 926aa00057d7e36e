"""Energies (M10 to M12) and temperatures (M15): from U_I, R_E and T to a logit."""

from models.energy.forms import ENERGIES, Energy
from models.energy.temperature import TEMPERATURES, Temperature, fit

__all__ = ["ENERGIES", "TEMPERATURES", "Energy", "Temperature", "fit"]
