"""Labels and cell lines that the loss terms see in a step, against those of its pairs in the data."""

from collections.abc import Iterator

import numpy as np

from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.measure import Measured
from harness.trial.step.trainer import Trainer


def other_names(trainer: Trainer, batch: EpisodeBatch, measured: Measured) -> Iterator[str]:
    """What of a step is not that of its batch, in words."""
    step = measured.step
    label = np.asarray(trainer.dataset.label[batch.query], dtype=np.float32)
    if not np.array_equal(step.label.cpu().numpy(), label):
        yield "they are not those of the query pairs in what the loss terms see"
    if not np.array_equal(step.query_cell.cpu().numpy(), batch.query_cell):
        yield "they name other cell lines than those of the query pairs in what the loss terms see"
    if not batch.mixed and not np.array_equal(step.cell.cpu().numpy(), batch.cell):
        yield "they name other cell lines than those of the episodes in what the loss terms see"
