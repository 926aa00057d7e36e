"""Baselines of the run's folds, and what its data give away, beside the trials: a Ray task that takes nothing from them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.baselines.write import current, write_baselines
from harness.config.sweep.use import UseFile, load_use, loaded
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.shortcuts.in_run import write_signs

NICENESS = 10
"""Priority of the baselines: a tenth of a trial's share of a core that both want, all of one that is free."""


class Baselines:
    """Starts computing on construction, on no reserved CPU, so that as many trials start as without it; on the driver's
    `node`, which has the encoded data and the cache."""

    def __init__(self, dataset: Path, folds: Sequence[Fold], run: Path, cache: Path, *, node: str) -> None:
        import ray  # not above: what Ray is told by the environment it reads when it is imported
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._began = time.monotonic()
        # One call per process: a low priority cannot be taken back, and the process would next serve a trial.
        settings: dict[str, Any] = {
            "num_cpus": 0,
            "max_retries": 2,
            "max_calls": 1,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False),
        }
        self._task: Any = ray.remote(**settings)(_write).remote(dataset, tuple(folds), run, cache, loaded())
        self._ended: str | None = None

    def poll(self) -> str | None:
        """A sentence for a person once the baselines have ended, None while they are at work."""
        import ray

        if self._ended is None and ray.wait([self._task], timeout=0)[0]:
            try:
                ray.get(self._task)
                self._ended = f"baselines done after {time.monotonic() - self._began:.0f} s"
            except ray.exceptions.RayError as error:
                cause = str(getattr(error, "cause", None) or error).strip().splitlines()
                self._ended = (
                    f"the baselines could not be computed: {cause[-1] if cause else type(error).__name__}"
                )
        return self._ended

    def cancel(self) -> None:
        """End the computation where it is; files appear whole or not at all."""
        import ray

        ray.cancel(self._task, force=True)


def missing(run: Path, folds: Sequence[Fold], data: str) -> list[Fold]:
    """Folds whose baselines, on the data with content hash `data` and by today's code, are not in the run."""
    return [fold for fold in folds if not current(run, data, fold)]


def _write(dataset: Path, folds: tuple[Fold, ...], run: Path, cache: Path, use: tuple[UseFile, ...]) -> None:
    os.nice(NICENESS)
    load_use(use)
    opened = EncodedDataset.open(dataset)
    write_signs(opened, run)
    write_baselines(opened, folds, run, cache)
