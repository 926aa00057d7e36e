"""The episodes of an epoch as a sampler draws them, checked: whoever wrote it."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from analysis.errors import UserError
from harness.config.sweep.use import place_of_class
from harness.trial.episodes.sampler import EpisodeBatch, Sampler


def drawn(sampler: Sampler, epoch: int) -> Iterator[EpisodeBatch]:
    """The `steps` batches of an epoch.

    Raises
    ------
    UserError
        naming the class, and the file and line of a person's, for another number of batches and for one that is no
        EpisodeBatch of matching arrays of whole numbers.
    """
    count = 0
    for batch in sampler.epoch(epoch):
        count += 1
        fault = _fault(batch, len(sampler.pools))
        if fault or count > sampler.steps:
            raise _refused(sampler, fault or f"yields more than the {sampler.steps} steps of an epoch")
        yield batch
    if count < sampler.steps:
        raise _refused(sampler, f"yields {count} of the {sampler.steps} steps of an epoch")


def _refused(sampler: Sampler, fault: str) -> UserError:
    place = place_of_class(type(sampler))
    return UserError(f"{f'{place}: ' if place else ''}sampler {type(sampler).__name__} {fault}")


def _fault(batch: Any, cell_lines: int) -> str:
    if not isinstance(batch, EpisodeBatch):
        return f"yields a {type(batch).__name__}, expected an EpisodeBatch"
    for name, part in batch._asdict().items():
        if not isinstance(part, np.ndarray) or not np.issubdtype(part.dtype, np.integer):
            return f"yields a batch whose {name} is no array of whole numbers"
    shapes = {name: part.shape for name, part in batch._asdict().items()}
    said = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    two = (
        batch.support.ndim == 2
        and batch.query.ndim == 2
        and 0 not in (*batch.support.shape, *batch.query.shape)
    )
    if not two or not (len(batch.support) == len(batch.query) and batch.cell.shape == batch.query.shape[:1]):
        return f"yields a batch of shapes {said}, expected support [E, S], query [E, Q], cell [E], query_cell [E, Q]"
    if batch.query_cell.shape != batch.query.shape:
        return f"yields a batch of shapes {said}, expected query_cell of the shape of query"
    if int(batch.cell.max()) >= cell_lines or int(batch.query_cell.max()) >= cell_lines:
        return f"yields a batch with a cell line that is none of the {cell_lines} training cell lines"
    return ""
