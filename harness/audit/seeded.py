"""Beginning, batches and support draws follow the trial's seed: the same for the same, and others for another seed."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.audit.batch_contract import BatchContract
from harness.audit.beginning import strange_beginning
from harness.audit.bounds import BY_CHANCE
from harness.audit.breach import Breach
from harness.audit.visits import AT_RANDOM
from harness.trial.episodes.sampler import SAMPLERS, EpisodeBatch, Sampler
from harness.trial.inspection import Subject
from harness.trial.score.predict import Predictor

PLACES = 65536
"""Pairs among which support draws are asked for: so many that no two draws are the same by chance."""

AHEAD = 240
"""Steps that a sampler is asked for before the first one, in two epochs at least: enough to see what it prefers."""


@dataclass(frozen=True)
class Seeded:
    """Asks samplers and predictors that are built anew as a unit builds them, so that those of the unit are not touched.
    Draws are named by seed, split, cell line and number, and any two of them differ."""

    subject: Subject

    def breaches(self) -> Iterator[Breach]:
        seed = self.subject.trainer.seed
        yield from strange_beginning(self.subject.trainer)
        if self.subject.config.episode.sampler in AT_RANDOM:
            yield from self._of_sampler(seed)
        drawn, again, others = (self._draws(each) for each in (seed, seed, seed + 1))
        if any(not np.array_equal(drawn[name], again[name]) for name in drawn):
            yield Breach("support by seed", "prediction", "support draws of one seed differ")
        for split in self.subject.pairs:
            if all(np.array_equal(drawn[name], others[name]) for name in drawn if name[0] == split):
                text = f"another seed gives the same support draws of split {split}"
                yield Breach("support by seed", "prediction", text)
        if math.comb(PLACES, self.subject.config.support.size) * BY_CHANCE < len(drawn) ** 2:
            return  # so few pairs are the same ones by chance
        first: dict[bytes, tuple[str, str, int]] = {}
        for name, draw in drawn.items():
            other = first.setdefault(np.sort(draw).tobytes(), name)
            if other != name:
                one, two = (
                    f"draw {k} of cell line {line}, split {split}" for split, line, k in (other, name)
                )
                yield Breach("support by name", "prediction", f"{one} and {two} choose the same pairs")
                return

    def _of_sampler(self, seed: int) -> Iterator[Breach]:
        first, again, other = (next(self._sampler(each).epoch(1)) for each in (seed, seed, seed + 1))
        if not _same(first, again):
            yield Breach("batches by seed", "sampler", "one seed gives other batches when it is asked again")
        if _same(first, other):
            yield Breach("batches by seed", "sampler", "another seed gives the same batches")

    def ahead(self) -> Iterator[Breach]:
        """What the sampler will give in the first epochs, before it is trained on."""
        subject = self.subject
        if subject.config.episode.sampler not in AT_RANDOM:
            return
        contract, sampler = BatchContract(subject), self._sampler(subject.trainer.seed)
        for epoch in range(1, 1 + max(2, -(-AHEAD // sampler.steps))):
            for batch in itertools.islice(sampler.epoch(epoch), AHEAD // 2):
                contract.begin(epoch)
                yield from contract.of_batch(batch)
            yield from contract.visits.of_epoch()

    def _sampler(self, seed: int) -> Sampler:
        subject, dataset = self.subject, self.subject.trainer.dataset
        config, cell = subject.config, np.asarray(dataset.cell)[subject.training]
        return SAMPLERS.build(
            config.episode.sampler,
            pools=[subject.training[cell == code] for code in subject.codes],
            names=[dataset.cell_lines[code] for code in subject.codes],
            support=config.support.size,
            query=config.episode.query,
            per_step=config.episode.per_step,
            steps_per_epoch=config.optimiser.steps_per_epoch,
            seed=seed,
        )

    def _draws(self, seed: int) -> Mapping[tuple[str, str, int], np.ndarray]:
        """Split, cell line and number of a support draw -> places of its pairs."""
        subject, size, count = (
            self.subject,
            self.subject.config.support.size,
            self.subject.config.support.draws,
        )
        lines = subject.trainer.dataset.cell_lines
        predictor = Predictor(lines, {}, support_size=size, seed=seed, device=subject.trainer.device)
        everything = np.arange(max(PLACES, 2 * size))
        return {
            (split, line, number): draw
            for split in subject.pairs
            for code, line in enumerate(lines)
            for number, draw in enumerate(predictor.support_positions(split, code, everything, count))
        }


def _same(one: EpisodeBatch, other: EpisodeBatch) -> bool:
    return np.array_equal(one.support, other.support) and np.array_equal(one.query, other.query)
