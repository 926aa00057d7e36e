"""Scores of splits -> rows of the table `cells`, with thresholds and calibration chosen on validation only."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analysis.clustering import LOCUS_BP
from analysis.metrics import best_f1_threshold, by_cell, fit_temperature
from analysis.ordered import OrderedCells
from analysis.schema import PREVALENCES
from harness.data.dataset import EncodedDataset
from harness.trial.episodes.sampler import rng
from harness.trial.score.predict import SplitScores

VALIDATION = "val_unseen"
DOCUMENTED_BATCH = 64
VANISHED = 1e-4
"""Standard deviation of logits under which a model that has trained for two epochs says the same of every pair."""

Row = dict[str, Any]


class CellRows:
    """Makes rows of `cells`: per cell line, macro and pooled; U_I alone and corrected; at every prevalence asked for.

    The threshold is the pooled best-F1 threshold of `val_unseen` for the same score and prevalence; the calibration
    temperature is fitted on `val_unseen` as found. Every other split only receives them.
    """

    def __init__(self, cell_names: list[str], seed: int, loci: np.ndarray) -> None:
        """`loci` [pairs of the dataset]: the 2 Mb bin of every pair, see `locus_bins`."""
        self.cell_names, self.seed, self.loci = np.asarray(cell_names), seed, loci

    def rows(
        self,
        scores: Mapping[str, SplitScores],
        *,
        epoch: int,
        selection: str,
        prevalences: Iterable[str],
        protocol: str,
    ) -> list[Row]:
        """Rows of every split; under protocol `documented` the test split gets rows of that protocol beside."""
        rows: list[Row] = []
        validation, prevalences = scores[VALIDATION], tuple(prevalences)
        spreads = {
            split.split: self._support_spreads(split, prevalences)
            for split in scores.values()
            if len(split.logits) > 1
        }
        for name in ("u_only", "corrected"):
            calibration = fit_temperature(_score(validation, name), validation.label)
            ordered = {
                split.split: OrderedCells(_score(split, name), split.label, self.cell_names[split.cell])
                for split in scores.values()
            }
            for mode in prevalences:
                prevalence = PREVALENCES[mode]
                threshold = best_f1_threshold(_score(validation, name), validation.label, prevalence)
                for split in scores.values():
                    cells = by_cell(
                        _score(split, name),
                        split.label,
                        self.cell_names[split.cell],
                        threshold_logit=threshold,
                        prevalence=prevalence,
                        temperature=calibration,
                        locus=None if prevalence is not None else self.loci[split.pairs],
                        ordered=ordered[split.split],
                    )
                    if name == "corrected" and split.split in spreads:
                        for row, spread in zip(cells, spreads[split.split][mode], strict=True):
                            row["aupr_support_sd"] = spread
                    rows += [
                        {
                            "split": split.split,
                            "score": name,
                            "prevalence_mode": mode,
                            "protocol": "exact",
                            **row,
                        }
                        for row in cells
                    ]
            if protocol == "documented":
                rows += self._documented(scores["test"], name)
        return [{"epoch": epoch, "selection": selection, **row} for row in rows]

    def _support_spreads(self, split: SplitScores, prevalences: Iterable[str]) -> dict[str, list[float]]:
        """By prevalence the standard deviation of AUPR over support draws, per cell line, macro and pooled."""
        names = self.cell_names[split.cell]
        auprs: dict[str, list[list[float]]] = {mode: [] for mode in prevalences}
        for logit in split.logits:
            draw = OrderedCells(logit, split.label, names)
            for mode, of_draws in auprs.items():
                of_draws.append(draw.auprs(PREVALENCES[mode]))
        return {mode: np.std(of_draws, axis=0, ddof=1).tolist() for mode, of_draws in auprs.items()}

    def _documented(self, split: SplitScores, name: str) -> list[Row]:
        """The documented protocol: balanced resampled batches of 64 per cell line, threshold chosen on those pairs."""
        logits = _score(split, name)
        picked = []
        for code in np.unique(split.cell):
            draw = rng(self.seed, "documented", self.cell_names[code])
            here = np.flatnonzero(split.cell == code)
            half = -(-len(here) // DOCUMENTED_BATCH) * DOCUMENTED_BATCH // 2
            picked += [draw.choice(here[split.label[here] == label], size=half) for label in (0, 1)]
        chosen = np.concatenate(picked)
        threshold = best_f1_threshold(logits[chosen], split.label[chosen])
        cells = by_cell(
            logits[chosen],
            split.label[chosen],
            self.cell_names[split.cell[chosen]],
            threshold_logit=threshold,
        )
        labels = {"split": "test", "score": name, "prevalence_mode": "as_found", "protocol": "documented"}
        return [{**labels, **row} for row in cells]


def locus_bins(dataset: EncodedDataset) -> np.ndarray:
    """A number [N] for the chromosome and 2 Mb bin of every pair's promoter, equal for pairs of one bin."""
    bins = np.asarray(dataset.promoter_start) // LOCUS_BP
    numbers: np.ndarray = np.asarray(dataset.promoter_chrom, dtype=np.int64) * (bins.max() + 1) + bins
    return numbers


def _score(split: SplitScores, name: str) -> np.ndarray:
    return split.u if name == "u_only" else split.logit


def metric(rows: Iterable[Row], path: str, *, score: str = "corrected") -> float:
    """The value of `split/cell line, macro or pooled/metric` among as-found, exact rows; NaN when absent."""
    split, cell_line, name = path.split("/")
    for row in rows:
        where = (row["split"], row["cell_line"], row["score"], row["prevalence_mode"], row["protocol"])
        if where == (split, cell_line, score, "as_found", "exact"):
            return float(row[name])
    return float("nan")


def vanished_spread(rows: Iterable[Row]) -> str | None:
    """A sentence where the spread of training logits within cell lines has been nothing for two epochs."""
    wanted = ("train", "macro", "corrected", "epoch")
    spread = [
        row["logit_sd"]
        for row in rows
        if (row["split"], row["cell_line"], row["score"], row["selection"]) == wanted
    ]
    if len(spread) < 2 or not max(spread[-2:]) < VANISHED:
        return None
    return f"the spread of logits vanished ({spread[-1]:.1e} within cell lines for two epochs)"
