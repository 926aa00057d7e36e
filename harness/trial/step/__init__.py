"""One optimiser step: trainer, routing, balance, schedule."""

from models.registry import discover

discover("harness.trial.step")
