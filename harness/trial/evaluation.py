"""Scores of one unit's splits with its trainer's present weights, and the rows that are made of them."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from analysis.schema import PREVALENCES
from harness.config.blocks.trial import ConfigurationBlock
from harness.data.dataset import EncodedDataset
from harness.data.folds import Splits
from harness.trial.episodes.sampler import rng
from harness.trial.record import Record
from harness.trial.score.branch import branch_rows, branches
from harness.trial.score.evaluate import VALIDATION, CellRows, locus_bins
from harness.trial.score.ledger import ledger_row
from harness.trial.score.null_sequences import add_nulls, score_nulls
from harness.trial.score.pair_vectors import pair_vector_rows
from harness.trial.score.predict import Predictor, SplitScores
from harness.trial.score.rows import embedding_rows, prediction_rows
from harness.trial.score.scoring import score_splits
from harness.trial.selection import Selection
from harness.trial.step.trainer import Trainer

Row = dict[str, Any]
Scores = dict[str, SplitScores]
Scored = Callable[[Scores, int, int], None]
"""scored(scores, epoch, draws), called after every scoring."""


class Evaluation:
    """Evaluates `trainer` on a unit's splits: pairs by split, of training a fixed subset; rows of `cells`.

    `calibration` is the T that the last evaluation fitted on the validation split (mode `calibrated`; else 1). Every
    evaluation raises Diverged for a score that is not finite.
    """

    def __init__(
        self,
        settings: ConfigurationBlock,
        dataset: EncodedDataset,
        splits: Splits,
        trainer: Trainer,
        predictor: Predictor,
        scored: Scored,
    ) -> None:
        self.settings, self.trainer, self.predictor, self.scored = settings, trainer, predictor, scored
        self.cell_lines = dataset.cell_lines
        self.chooses = settings.predict.mode == "branch_select"
        self.pairs = {
            "train": _subset(splits.train, settings.evaluation.train_subset, trainer.seed),
            "val_seen": splits.val_seen,
            VALIDATION: splits.val_unseen,
            "test": splits.test,
        }
        self.calibration = 1.0
        self._cell_rows = CellRows(dataset.cell_lines, trainer.seed, locus_bins(dataset))

    def of_epoch(self, epoch: int) -> list[Row]:
        """Rows of `cells` after an epoch; the test split is not looked at."""
        scores = self._score(("train", "val_seen", VALIDATION), draws=1, epoch=epoch)
        return self._cell_rows.rows(
            scores, epoch=epoch, selection="epoch", prevalences=["as_found"], protocol="exact"
        )

    def at_the_end(self, record: Record, *, last: int, selected: int) -> bool:
        """Record the end of a unit: rows of `cells` of every split with the weights of the last and of the selected epoch,
        and of the selected predictions, embeddings and z_I of some pairs. Returns whether these order the pairs of a cell
        line as U_I does.
        """
        # A copy: the trainer's own tensors are overwritten when the selected weights are loaded.
        last_weights = copy.deepcopy(self.trainer.weights())
        record.added.clear()  # nothing is told twice of an evaluation that failed before
        try:
            record.add("cells", self._of_selection("last", last)[0])
            best = record.checkpoints.load(f"epoch-{selected}", self.trainer.device)
            if best is None:
                raise RuntimeError(f"{record.unit} has no checkpoint of its selected epoch {selected}")
            self.trainer.load_weights(best)
            cells, scores = self._of_selection("best_on_validation", selected)
            self._add_nulls(cells, scores[VALIDATION], selected)
            record.add("cells", cells)
            chosen = {}
            if self.chooses:
                chosen = branches(cells, "best_on_validation")
            predictions = prediction_rows(scores, self.cell_lines, chosen)
            record.add_whole("predictions", predictions)
            if self.trainer.model.environment.acts:
                record.add_whole("embeddings", embedding_rows(scores, self.cell_lines))
            record.add_whole("pair_vectors", pair_vector_rows(scores, self.cell_lines, self.trainer.seed))
            record.add("ledger", [self._ledger_row(record, selected, len(predictions))])
            return self._rank_invariant(scores, selected)
        finally:
            self.trainer.load_weights(last_weights)

    def _of_selection(self, selection: Selection, epoch: int) -> tuple[list[Row], Scores]:
        """Rows of `cells` of every split, prevalence and protocol, and the scores, with all support draws; `epoch` is the
        one that the present weights are of."""
        scores = self._score(tuple(self.pairs), draws=self.settings.support.draws, epoch=epoch)
        rows = self._cell_rows.rows(
            scores,
            epoch=epoch,
            selection=selection,
            prevalences=PREVALENCES,
            protocol=self.settings.evaluation.protocol,
        )
        if self.chooses:
            rows += branch_rows(rows, scores["test"], self.cell_lines, selection)
        return rows, scores

    def _add_nulls(self, cells: list[Row], scores: SplitScores, epoch: int) -> None:
        calibration = self._fitted(epoch)
        nulls = score_nulls(self.trainer, self.predictor, scores, epoch=epoch, calibration=calibration)
        add_nulls(cells, nulls, self.cell_lines)

    def _fitted(self, epoch: int) -> float | None:
        """T that the last evaluation fitted for the weights of an epoch; None where none is."""
        fitted = self.settings.temperature.mode == "calibrated" and self.trainer.schedule.phase(epoch) == 2
        return self.calibration if fitted else None

    def _ledger_row(self, record: Record, epoch: int, predictions: int) -> Row:
        calibration = self._fitted(epoch)
        row = ledger_row(self.trainer, epoch=epoch, calibration=calibration, predictions=predictions)
        return {**row, "checkpoint": record.checkpoints.digests[f"epoch-{epoch}"]}

    def _rank_invariant(self, scores: Scores, epoch: int) -> bool:
        if self.trainer.schedule.phase(epoch) == 1:
            return True
        r = torch.from_numpy(np.concatenate([split.r for split in scores.values()]))
        return self.trainer.model.rank_invariant(r.to(self.trainer.device))

    def _score(self, splits: Sequence[str], *, draws: int, epoch: int) -> Scores:
        scores, temperature = score_splits(
            self.trainer, self.predictor, self.pairs, splits, draws=draws, epoch=epoch
        )
        self.calibration = self.calibration if temperature is None else temperature
        self.scored(scores, epoch, draws)
        return scores


def _subset(train: np.ndarray, most: int, seed: int) -> np.ndarray:
    """A fixed subset of training pairs, in the proportions of the cell lines by chance, from its own stream."""
    size = min(most, len(train))
    return np.sort(rng(seed, "train_subset").choice(train, size=size, replace=False))
