"""Baselines without interaction, on the same folds as the trials; importing the package registers them all."""

from models.registry import discover

discover("harness.baselines")
