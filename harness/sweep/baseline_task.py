"""Baselines of the run's folds, beside the trials, as one Ray task."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray

from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold


class Baselines:
    """Starts computing on construction; `collect` waits for the rest and says what went wrong, if anything did."""

    def __init__(self, dataset: Path, folds: Sequence[Fold], run: Path, cache: Path) -> None:
        self._task: Any = ray.remote(num_cpus=1, max_retries=2)(_write).remote(
            dataset, tuple(folds), run, cache
        )

    def collect(self) -> list[str]:
        """Sentences for a person; empty when the baselines are in the run."""
        try:
            ray.get(self._task)
        except ray.exceptions.RayError as error:
            cause = str(getattr(error, "cause", None) or error).strip().splitlines()
            return [f"the baselines could not be computed: {cause[-1] if cause else type(error).__name__}"]
        return []


def _write(dataset: Path, folds: tuple[Fold, ...], run: Path, cache: Path) -> None:
    from harness.baselines.write import write_baselines

    write_baselines(EncodedDataset.open(dataset), folds, run, cache)
