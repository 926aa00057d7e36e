"""With one temperature per cell line, every episode of a step is divided by that of the first episode.

In prediction the rows of a call are all of one cell line, so only training is wrong: T(c) is learned of the wrong lines.
"""
PRESET = "minimal"
SET = {"temperature.mode": "per_cell"}
from models.energy.temperature import PerCellTemperature

_forward = PerCellTemperature.forward


def forward(self, z_e, episodes):
    return _forward(self, z_e, episodes)[:1].expand(episodes, 1)


PerCellTemperature.forward = forward
