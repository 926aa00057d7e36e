"""Support and query of a step, and what is known of cell lines."""

from models.registry import discover

discover("harness.trial.episodes")
