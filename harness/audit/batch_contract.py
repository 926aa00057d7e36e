"""A batch as the sampler gives it: sizes, disjoint sets, cell lines and their names, and that it is a new one."""

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.audit.breach import Breach
from harness.audit.visits import Visits
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.inspection import Subject

EPOCHS_KEPT = 16
"""Epochs back in which the batches of an epoch are looked for."""


class BatchContract:
    """`begin` a step, then look `of_batch`; `of_epoch` when an epoch was trained. The epochs before are its state."""

    def __init__(self, subject: Subject) -> None:
        self.config, self.mixes = subject.config, subject.sampler.mixes
        dataset, episode, size = subject.trainer.dataset, subject.config.episode, len(subject.training)
        # An array of its own: reading a file map by a few indices costs more than all the rest.
        self.cell, self.lines = np.asarray(dataset.cell), dataset.cell_lines
        self.steps = subject.config.optimiser.steps_per_epoch or max(
            1, round(size / (episode.per_step * episode.query))
        )
        self.epoch = self.step = self.digest = self.digest_before = 0
        """Digests of the pairs of the epoch so far, and of the batch before."""
        self.earlier: list[int] = []
        """Digests of the latest epochs."""
        self.visits = Visits(subject)
        self.names = np.where(np.isin(self.cell, subject.codes), self.visits.line, -1 - self.cell)
        """Name of every pair's cell line: its index among those that are trained on; below 0 for others."""

    def begin(self, epoch: int) -> None:
        """A step of an epoch (1-based) is about to be taken."""
        if epoch != self.epoch:
            self.epoch, self.step, self.digest = epoch, 0, 0
            self.visits.begin()
        self.step += 1

    def of_batch(self, batch: EpisodeBatch) -> Iterator[Breach]:
        episode, size = self.config.episode, self.config.support.size
        shapes = (batch.support.shape, batch.query.shape, batch.query_cell.shape, batch.cell.shape)
        e, q = episode.per_step, episode.query
        if shapes != ((e, size), (e, q), (e, q), (e,)):
            text = f"support {shapes[0]} and query {shapes[1]} were drawn; {e} episodes of {size} and {q} are configured"
            yield Breach("sizes", "sampler", text)
            return
        pairs = np.concatenate([batch.support, batch.query], axis=1)
        ordered = np.sort(pairs, axis=1)
        if np.count_nonzero(ordered[:, 1:] == ordered[:, :-1]):
            both = [np.intersect1d(*sets) for sets in zip(batch.support, batch.query, strict=True)]
            shared = sum(map(len, both))
            text = f"{shared} pairs are in support and query alike" if shared else "an episode repeats a pair"
            yield Breach("disjoint", "sampler", text)
        names = self.names[pairs]
        if np.count_nonzero(batch.query_cell != names[:, size:]):
            yield Breach("names", "sampler", "a query pair goes by another cell line than its own")
        elsewhere = names != (names if self.mixes else names[:, :1])
        mixed = np.count_nonzero(elsewhere)
        if mixed:
            row, column = np.argwhere(elsewhere)[0]
            lines = self.cell[pairs]
            one, other = self._line(lines[row, 0]), self._line(lines[row, column])
            text = (
                f"an episode mixes cell lines {one} and {other}; {self.config.episode.sampler} promises one"
            )
            yield Breach("mixing", "sampler", text)
        named = np.full(e, -1) if self.mixes else names[:, 0]
        if not mixed and np.count_nonzero(batch.cell != named):
            yield Breach("names", "sampler", "an episode goes by another cell line than that of its pairs")
        content = zlib.crc32(pairs.data)
        if self.step > 1 and content == self.digest_before:
            yield Breach("same batch", "sampler", "the batch is that of the step before")
        self.digest_before = content
        self.digest = zlib.crc32(pairs.data, self.digest)
        yield from self.visits.of_batch(batch, pairs)

    def of_epoch(self, epoch: int) -> Iterator[Breach]:
        """An epoch that has just been trained: its length, and that its batches are new."""
        if epoch != self.epoch or self.step == 0:
            return
        if self.step != self.steps:
            yield Breach("steps", "sampler", f"there were {self.step} steps; {self.steps} are configured")
        if self.digest in self.earlier:
            back = len(self.earlier) - self.earlier.index(self.digest)
            yield Breach("same epoch", "sampler", f"the batches are those of epoch {epoch - back}")
        self.earlier = [*self.earlier, self.digest][-EPOCHS_KEPT:]
        self.step = 0
        yield from self.visits.of_epoch()

    def state(self) -> dict[str, Any]:
        return {"earlier": self.earlier, "visits": self.visits.state()}

    def resume(self, state: dict[str, Any]) -> None:
        self.earlier = list(state["earlier"])
        self.visits.resume(state["visits"])

    def _line(self, code: int) -> str:
        return self.lines[int(code)]
