"""The sequence side (M01 to M07, M33, M34): from two base sequences to z_I and U_I."""

from models.registry import discover

discover("models.sequence")
