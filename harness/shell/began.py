"""When this process began to load the project: `harness` imports this before all else."""

import time

BEGAN_NS = time.time_ns()
"""Nanoseconds since the epoch."""
