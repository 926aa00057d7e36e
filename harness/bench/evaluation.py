"""Scoring a split with all support draws: every distinct window and every pair once, against the plain way."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.bench.documented_data import PAIRS_OF_TEST, documented_data
from harness.bench.measurement import Measurement, Time, middle, relative_norm, timed
from harness.config.blocks.data import DataBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds, split
from harness.data.store import open_dataset
from harness.trial.episodes.batches import Encoded, windows_of
from harness.trial.episodes.cell_facts import presented_features
from harness.trial.score.predict import Predictor
from harness.trial.score.scoring import score_splits
from harness.trial.step.trainer import Trainer
from models.episode import Support
from models.scoring import score_queries
from models.sequence.potential import SequenceOutput

PRESET = "rp24"
BATCHES = 20
"""Batches of pairs that are scored of the split of documented size."""
PLAIN_BATCHES = 2
"""Of these the plain way takes so many, which all take it as long."""
ROUNDS = 3
EPOCH = 10**6
"""One in which every phase is over."""
LIMIT = 1e-5


def bench_evaluation(root: Path | None, *, quick: bool) -> Iterator[Measurement]:
    """Scoring the test split of the dataset in `root` (None: no such row) with a model of size small, and BATCHES batches
    of a generated test split of documented size with one of documented size (`quick`: tiny sizes of both).

    The plain way sends every pair through the sequence side again for every support draw, windows that pairs share and
    support pairs too, with the same stem. Logits of both ways are compared where the plain way takes the whole split.
    """
    if root is not None:
        config = _config({"model.size": "small"})
        model, data = config.model, DataBlock(root=root)
        assert model.enhancer_bp is not None
        assert model.promoter_bp is not None
        with tempfile.TemporaryDirectory() as folder:
            crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
            dataset = open_dataset(data, **crops, cache=Path(folder), progress=False)
            splits = split(dataset, make_folds(dataset, data)[0])
            codes = np.unique(dataset.cell[splits.train])
            scoring = _Scoring(config, dataset, codes, splits.test)
            yield scoring.measurement(f"scoring of the test split of {root.name}", len(splits.test))
    tiny = {"model.size": "small", "model.embedding": 4, "model.kernel": 5, "evaluation.batch": 8}
    config = _config({"model.size": "documented"} if not quick else tiny)
    size, model = config.evaluation.batch, config.model
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    with tempfile.TemporaryDirectory() as folder:
        dataset, test = documented_data(Path(folder), size * BATCHES, model.enhancer_bp, model.promoter_bp)
        codes = np.unique(dataset.cell[np.setdiff1d(np.arange(len(dataset)), test)])
        scoring = _Scoring(config, dataset, codes, test)
        name = f"scoring of {PAIRS_OF_TEST:,} generated test pairs of documented size"
        yield scoring.measurement(name, size * (1 if quick else PLAIN_BATCHES), of=PAIRS_OF_TEST)


class _Scoring:
    """Both ways of scoring `pairs` as a test split, with a model at its initialisation."""

    def __init__(
        self, config: ConfigurationBlock, dataset: EncodedDataset, codes: np.ndarray, pairs: np.ndarray
    ) -> None:
        cpu = torch.device("cpu")
        self.config, self.dataset, self.pairs = config, dataset, pairs
        self.trainer = Trainer(config, dataset, codes, 0, cpu)
        self.predictor = Predictor(
            dataset.cell_lines,
            {int(code): index for index, code in enumerate(codes)},
            support_size=config.support.size,
            seed=0,
            device=cpu,
            v=presented_features(config, dataset, codes, 0),
        )
        self.cell = np.asarray(dataset.cell[pairs])
        self._supports: dict[tuple[int, int], Support] = {}

    def measurement(self, name: str, plain_pairs: int, *, of: int | None = None) -> Measurement:
        """`plain_pairs`: pairs that the plain way scores; the times are of `of` pairs (None: of those there are)."""
        cpu, draws, kept = torch.device("cpu"), self.config.support.draws, {}

        def fast() -> None:
            kept["fast"] = self._fast(draws)

        def plain() -> None:
            kept["plain"] = self._plain(draws, plain_pairs)

        whole = plain_pairs >= len(self.pairs)
        if (
            not whole
        ):  # support sets are a small part of a whole split, and would be a large one of a few batches
            self._supports = self._support_sets(draws)
        rounds = ROUNDS if whole else 1
        times: dict[str, list[Time]] = {"fast": [], "plain": []}
        for _ in range(rounds):
            times["plain"].append(timed(plain, cpu))
            times["fast"].append(timed(fast, cpu))
        total = len(self.pairs) if of is None else of
        rows = (self.dataset.enhancer_row[self.pairs], self.dataset.promoter_row[self.pairs])
        shared = [len(self.pairs) / len(np.unique(each)) for each in rows]
        extrapolated = f"{total:,} pairs, from {len(self.pairs):,} fast and {plain_pairs:,} plain"
        return Measurement(
            name,
            middle(times["plain"]).times(total / plain_pairs),
            middle(times["fast"]).times(total / len(self.pairs)),
            None,
            (rounds, rounds),
            differences={"logits, norm": relative_norm([kept["fast"]], [kept["plain"]])} if whole else {},
            limits={"logits, norm": LIMIT} if whole else {},
            notes={
                "support draws": draws,
                "pairs per enhancer and promoter": " and ".join(f"{each:.2f}" for each in shared),
                "model": f"e = {self.config.model.embedding}, kernel {self.config.model.kernel}",
                "times are of": f"{total:,} pairs" if of is None else f"extrapolated to {extrapolated}",
            },
        )

    def _fast(self, draws: int) -> torch.Tensor:
        scores, _ = score_splits(
            self.trainer, self.predictor, {"test": self.pairs}, ("test",), draws=draws, epoch=EPOCH
        )
        return torch.from_numpy(scores["test"].logits)

    @torch.no_grad()
    def _plain(self, draws: int, most: int) -> torch.Tensor:
        """Logits [D, N] of the first `most` pairs of the split, line by line, draw by draw and batch by batch."""
        trainer, batch = self.trainer, self.config.evaluation.batch
        warm = trainer.schedule.phase(EPOCH) == 1
        logits = torch.full((draws, len(self.pairs)), torch.nan)
        supports = self._supports or self._support_sets(draws)
        done = 0
        for code in np.unique(self.cell):
            positions = np.flatnonzero(self.cell == code)[: most - done]
            done += len(positions)
            for draw in range(draws):
                for start in range(0, len(positions), batch):
                    here = positions[start : start + batch]
                    query = self._sequence(self.pairs[here])
                    scored = score_queries(
                        trainer.model,
                        supports[int(code), draw],
                        query.u[None],
                        query.z_i[None],
                        trainer.reference,
                        trainer.memory,
                        warm=warm,
                    )
                    logits[draw, here] = scored.scores.logit[0]
        return logits

    @torch.no_grad()
    def _support_sets(self, draws: int) -> dict[tuple[int, int], Support]:
        """Of every cell line and draw, each pair through the sequence side."""
        sets = {}
        for code in map(int, np.unique(self.cell)):
            positions = np.flatnonzero(self.cell == code)
            index = torch.full((1,), self.predictor.training_index.get(code, -1))
            v = None if self.predictor.v is None else self.predictor.v[code][None]
            for draw, chosen in enumerate(self.predictor.support_positions("test", code, positions, draws)):
                output = self._sequence(self.pairs[chosen])
                encoded = Encoded(output.u, output.z_i, output.stream)
                sets[code, draw] = self.predictor.support(encoded, torch.arange(len(chosen))[None], index, v)
        return sets

    def _sequence(self, pairs: np.ndarray) -> SequenceOutput:
        """The sequence side, every pair for itself."""
        sides = (side.of_pairs() for side in windows_of(self.dataset, pairs, torch.device("cpu")))
        output: SequenceOutput = self.trainer.model.sequence(*sides)
        return output


def _config(changes: dict[str, Any]) -> ConfigurationBlock:
    return compose(load_preset(PRESET), {**changes, "audit": "off"}).resolved(gpu=False)
