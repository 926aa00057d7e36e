"""`python -m harness.bench.port SWEEP.yaml DATA OUT`: a grid as a straightforward port of a training script to Ray Tune.

Ray Tune as it is by default: a function trainable, a new process per trial, as many at once as there are cores. A trial
imports torch, reads all sequences as strings, and trains and evaluates one seed after the other. k-mers go through a
dictionary, sample by sample; the stem is Embedding -> Conv1d -> ReLU -> MaxPool1d; every support draw, and every epoch,
asks for U_I of its pairs anew; nothing is shared between trials. What is trained and measured is the harness's own: the
network behind the stem, losses, episodes, random streams and metrics. So its rows of `cells` are those of the harness's
sweep of the same YAML.
"""

import copy
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from ray import tune
from torch import Tensor

from analysis.schema import PREVALENCES
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.sweep import load_sweep
from harness.data.bases import decode_bases
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds, split
from harness.sweep.cluster.cluster import cluster
from harness.sweep.search.left import unplanned
from harness.trial.episodes.batches import Encoded
from harness.trial.episodes.cell_facts import presented_features
from harness.trial.episodes.sampler import EpisodeBatch, build_sampler, rng
from harness.trial.score.evaluate import CellRows, locus_bins, metric
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.selection import improves
from harness.trial.step.measure import Measured, Sides
from harness.trial.step.trainer import Trainer
from models.scoring import score_queries
from models.sequence.potential import SequenceOutput, SequencePotential
from models.sequence.stem import KmerStem
from models.sequence.tokens import KMER
from models.streams import Noise, other_streams

CPU = torch.device("cpu")
NULL = 4**KMER
VOCABULARY = {"".join(word): code for code, word in enumerate(itertools.product("ACGT", repeat=KMER))}
NOT_MEASURED = (
    "z_i", "r", "t", "z_e", "r_cell", "r_raw", "r_student", "r_teacher", "posterior", "places",
)  # fmt: skip
"""Of the scores of a split: no row of `cells` is made of it."""
Row = dict[str, Any]


class PortTrainer(Trainer):
    """The harness's trainer with a sequence side that is made the plain way."""

    def __init__(
        self, config: ConfigurationBlock, dataset: EncodedDataset, codes: np.ndarray, seed: int
    ) -> None:
        super().__init__(config, dataset, codes, seed, CPU)
        self.sequences = {
            "enhancer": [decode_bases(window).rstrip("N") for window in dataset.enhancers],
            "promoter": [decode_bases(window).rstrip("N") for window in dataset.promoters],
        }
        self.rows = {"enhancer": dataset.enhancer_row, "promoter": dataset.promoter_row}
        self.lengths = {"enhancer": dataset.enhancers.shape[1], "promoter": dataset.promoters.shape[1]}

    def measure(self, batch: EpisodeBatch, *, warm: bool, sides: Sides | None = None) -> Measured:
        if sides is None:
            with torch.set_grad_enabled(self.measuring.shared):
                support = self.sequence_side(batch.support)
            sides = Sides(support, self.sequence_side(batch.query, self.draws.noise(self.index)))
        states = (self.reference, self.memory)
        return self.measuring(batch, self.draws, self.index, *states, warm=warm, sides=sides)

    def sequence_side(self, pairs: np.ndarray, noise: Noise | None = None) -> SequenceOutput:
        """z_I and U_I of pairs (flattened), from their sequences on."""
        network, pairs = self.model.sequence, pairs.reshape(-1)
        assert isinstance(network, SequencePotential)
        h: dict[str, Tensor] = {}
        mask: dict[str, Tensor] = {}
        for side in ("enhancer", "promoter"):
            stem = network.stems[side]
            assert isinstance(stem, KmerStem)
            peaks, mask[side] = self.peaks(stem, self.tokens(side, pairs))
            h[side] = stem.finish(peaks, noise)
        for side, layers in (
            ("enhancer", network.enhancer_attention),
            ("promoter", network.promoter_attention),
        ):
            for layer in layers:
                h[side] = layer(h[side], mask[side], noise)
        z_i = network.interaction(h["enhancer"], mask["enhancer"], h["promoter"], mask["promoter"], noise)
        return SequenceOutput(z_i, network.energy(z_i), z_i, z_i.new_zeros(len(z_i)))

    def tokens(self, side: str, pairs: np.ndarray) -> Tensor:
        """k-mers [B, n], sample by sample and word by word, padded with nulls."""
        words, tokens = self.lengths[side] - KMER + 1, []
        for pair in pairs:
            sequence = self.sequences[side][self.rows[side][pair]]
            codes = [VOCABULARY.get(sequence[i : i + KMER], NULL) for i in range(len(sequence) - KMER + 1)]
            tokens.append(torch.tensor(codes + [NULL] * (words - len(codes))))
        return torch.stack(tokens)

    def peaks(self, stem: KmerStem, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """MaxPool(ReLU(Conv1d(Embedding(tokens)))) [B, P, d], and which windows hold a k-mer that is known [B, P]."""
        padded = F.pad(tokens, (0, stem.kernel - 1), value=NULL)
        embedded = F.embedding(padded, F.pad(stem.embedding, (0, 0, 0, 1))).transpose(1, 2)
        known = F.max_pool1d((padded != NULL).float().unsqueeze(1), stem.kernel, stride=1)
        activity = F.relu(F.conv1d(embedded, stem.weight, stem.bias)) * known
        peaks = F.max_pool1d(activity, stem.pool, ceil_mode=True).transpose(1, 2)
        return peaks, F.max_pool1d(known, stem.pool, ceil_mode=True).squeeze(1)


class PortUnit:
    """One seed of a configuration: its epochs, and its end."""

    trainer_class: type[PortTrainer] = PortTrainer

    def __init__(
        self, config: ConfigurationBlock, dataset: EncodedDataset, fold: Fold, seed: int, objective: str
    ) -> None:
        stream, splits = other_streams(seed, config.streams), split(dataset, fold)
        codes = np.unique(dataset.cell[splits.train])
        pools = [splits.train[dataset.cell[splits.train] == code] for code in codes]
        self.config, self.dataset, self.objective = config, dataset, objective
        self.sampler = build_sampler(config, pools, [dataset.cell_lines[code] for code in codes], stream)
        self.trainer = self.trainer_class(config, dataset, codes, stream)
        self.predictor = Predictor(
            dataset.cell_lines,
            {int(code): index for index, code in enumerate(codes)},
            support_size=config.support.size,
            seed=stream,
            device=CPU,
            v=presented_features(config, dataset, codes, stream),
        )
        size = min(config.evaluation.train_subset, len(splits.train))
        few = np.sort(rng(stream, "train_subset").choice(splits.train, size=size, replace=False))
        self.pairs = {
            "train": few,
            "val_seen": splits.val_seen,
            "val_unseen": splits.val_unseen,
            "test": splits.test,
        }
        self.cell_rows = CellRows(dataset.cell_lines, stream, locus_bins(dataset))

    def run(self, report: Callable[[Row], object]) -> list[Row]:
        """Rows of `cells` of every epoch, of the last weights and of those that were best on validation."""
        rows: list[Row] = []
        best: Row = {"selected_epoch": None, "objective_value": float("nan"), "objective": self.objective}
        kept: dict[str, Any] = {}
        for epoch in range(1, self.config.optimiser.epochs + 1):
            self.train(epoch)
            cells = self.evaluate(epoch)
            rows += cells
            value = metric(cells, self.objective)
            if improves(best, value, epoch, self.trainer.schedule.phase):
                best |= {"selected_epoch": epoch, "objective_value": value}
                kept = copy.deepcopy(self.trainer.weights())
            report({"epoch": epoch, "objective": best["objective_value"]})
        rows += self.evaluate(self.config.optimiser.epochs, "last")
        self.trainer.load_weights(kept)
        return rows + self.evaluate(best["selected_epoch"], "best_on_validation")

    def train(self, epoch: int) -> None:
        """The steps of an epoch."""
        for position, batch in enumerate(self.sampler.epoch(epoch)):
            self.trainer.step(batch, progress=epoch - 1 + position / self.sampler.steps, probe=False)

    def evaluate(self, epoch: int, selection: str = "epoch") -> list[Row]:
        """Rows of `cells` with the present weights: of an epoch without the test split, at the end of all."""
        during = selection == "epoch"
        draws = 1 if during else self.config.support.draws
        splits = [name for name in self.pairs if name != "test" or not during]
        scores = {name: self.scores(name, epoch, draws) for name in splits}
        modes = ["as_found"] if during else list(PREVALENCES)
        return self.cell_rows.rows(
            scores, epoch=epoch, selection=selection, prevalences=modes, protocol="exact"
        )

    @torch.no_grad()
    def scores(self, name: str, epoch: int, draws: int) -> SplitScores:
        """U_I and logits of a split, cell line by cell line and support draw by support draw."""
        trainer, predictor, pairs = self.trainer, self.predictor, self.pairs[name]
        warm = trainer.schedule.phase(epoch) == 1
        cell, label = np.asarray(self.dataset.cell[pairs]), np.asarray(self.dataset.label[pairs])
        u, logits = np.empty(len(pairs), "float32"), np.empty((draws, len(pairs)), "float32")
        for code in np.unique(cell):
            here = np.flatnonzero(cell == code)
            v = None if predictor.v is None else predictor.v[int(code)].expand(1, -1)
            index = torch.tensor([predictor.training_index.get(int(code), -1)])
            for draw, chosen in enumerate(predictor.support_positions(name, int(code), here, draws)):
                shown = trainer.sequence_side(pairs[chosen])
                places = torch.arange(len(chosen)).unsqueeze(0)
                support = predictor.support(Encoded(shown.u, shown.z_i, shown.stream), places, index, v)
                queries = [trainer.sequence_side(pairs[part]) for part in self.batches(here)]
                u_here = torch.cat([query.u for query in queries])
                z_i = torch.cat([query.z_i for query in queries])
                inputs = (support, u_here.unsqueeze(0), z_i.unsqueeze(0), trainer.reference, trainer.memory)
                _, scored = score_queries(trainer.model, *inputs, warm=warm)
                u[here], logits[draw, here] = u_here.numpy(), scored.logit[0].numpy()
        nothing: dict[str, Any] = {name: {} for name in NOT_MEASURED}
        return SplitScores(
            split=name, pairs=pairs, label=label, cell=cell, u=u, logits=logits, **nothing, gate=None
        )

    def batches(self, positions: np.ndarray) -> Iterator[np.ndarray]:
        """As many positions as one forward pass takes."""
        for first in range(0, len(positions), self.config.evaluation.batch):
            yield positions[first : first + self.config.evaluation.batch]


def train(trial: dict[str, Any]) -> None:
    """What Tune runs: every seed of one configuration, one by one."""
    begun = {"clock": time.time(), "processor": time.process_time()}
    config = ConfigurationBlock.model_validate(trial["settings"])
    dataset, fold = EncodedDataset.open(trial["data"]), Fold.stored(trial["fold"])
    rows: list[Row] = []
    for seed in trial["seeds"]:
        unit = PortUnit(config, dataset, fold, seed, trial["objective"])
        key = {"config": config.id, "fold": fold.id, "seed": seed}
        rows += [{**key, **row} for row in unit.run(tune.report)]
    out = Path(trial["out"])
    pd.DataFrame(rows).to_parquet(out / f"{config.id}.parquet")
    ended = {"clock": time.time(), "processor": time.process_time()}
    (out / f"{config.id}-trial.json").write_text(json.dumps({"begun": begun, "ended": ended}))


def main() -> None:
    yaml, data, out = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]).absolute()
    sweep = load_sweep(yaml)
    out.mkdir(parents=True)
    dataset = EncodedDataset.open(data)
    facts = {
        "data": str(data),
        "fold": make_folds(dataset, sweep.config.data)[0].content(),
        "seeds": sweep.config.trial.seed_list,
        "objective": sweep.config.objective,
        "out": str(out),
    }
    grid = [config.canonical() for config, _ in unplanned(sweep, (), gpu=False) or ()]
    with cluster(address=None, gpus=0):
        began = time.time()
        tune.Tuner(
            train,
            param_space={**facts, "settings": tune.grid_search(grid)},
            run_config=tune.RunConfig(name="tune", storage_path=str(out.parent / "tune"), verbose=0),
        ).fit()
        seconds = time.time() - began
    (out / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main()
