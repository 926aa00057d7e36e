"""Figures of every scoring, made of the scores themselves and compared with what the store has of them in `cells`."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analysis.clustering import LOCUS_BP, design_effect
from analysis.ledger.figures import SAME, SCORES, Counts, figures_differ, macro_of
from analysis.schema import MACRO, POOLED, PREVALENCES
from harness.data.dataset import EncodedDataset
from harness.trial.score.evaluate import DOCUMENTED_BATCH, VALIDATION
from harness.trial.score.predict import SplitScores

Figures = dict[tuple[str, str, str, str], dict[str, float]]
"""Split, cell line, score and prevalence -> figures by column of `cells`."""
SPREAD, WIDENED = "aupr_support_sd", "auc_design_effect"


class ScoredFigures:
    """Every figure of the exact protocol, of each epoch and of the end's scorings, as the scores gave them then. Rows of
    scorings that were not seen here are passed over."""

    def __init__(self, dataset: EncodedDataset) -> None:
        self.cell_lines = np.asarray(dataset.cell_lines)
        bins = np.stack([dataset.promoter_chrom, np.asarray(dataset.promoter_start) // LOCUS_BP], 1)
        self.loci = np.unique(bins, axis=0, return_inverse=True)[1].reshape(-1)
        """Place [N] of every pair's promoter among the 2 Mb bins of the genome."""
        self.made: dict[tuple[bool, int], Figures] = {}

    def scored(self, scores: Mapping[str, SplitScores], epoch: int) -> None:
        """Scores with the weights of an epoch (1-based)."""
        end = "test" in scores
        modes = list(PREVALENCES) if end else ["as_found"]
        figures: Figures = {}
        for score in SCORES:
            counts = {name: self._counts(part, score) for name, part in scores.items()}
            temperature = counts[VALIDATION][POOLED].temperature()
            for mode in modes:
                _, threshold = counts[VALIDATION][POOLED].best_threshold(PREVALENCES[mode])
                for name, of_lines in counts.items():
                    made = {
                        line: each.figures(PREVALENCES[mode], threshold, temperature)
                        for line, each in of_lines.items()
                    }
                    lines = [values for line, values in made.items() if line != POOLED]
                    made[MACRO] = macro_of(lines, made[POOLED])
                    figures |= {(name, line, score, mode): values for line, values in made.items()}
        if end:
            self._add_spread(figures, scores)
            self._add_design(figures, scores)
        self.made[end, epoch] = figures

    def faults(self, cells: Iterable[Mapping[str, Any]]) -> list[str]:
        """The first row of `cells` of each selection that has another figure, or that is missing."""
        said: dict[str, str] = {}
        lacking = {("epoch", epoch): set(made) for (end, epoch), made in self.made.items() if not end}
        for row in cells:
            selection, epoch = str(row["selection"]), int(row["epoch"])
            made = self.made.get((selection != "epoch", epoch), {})
            place = f"{selection} {epoch}, split {row['split']}, {row['cell_line']}, score {row['score']}"
            if row["protocol"] == "documented":
                if not _is_documented(row):
                    said.setdefault(
                        "documented",
                        f"cells, {place}: it is no row of balanced batches of {DOCUMENTED_BATCH}",
                    )
                elif made and (row["split"], row["cell_line"]) not in {key[:2] for key in made}:
                    said.setdefault("documented", f"cells, {place}: that split has no such cell line")
                continue
            key = (row["split"], row["cell_line"], row["score"], row["prevalence_mode"])
            lacking.get((selection, epoch), set()).discard(key)
            if key not in made:
                continue
            text = figures_differ(row, made[key]) or _differs(SPREAD, row, made[key])
            text = text or _differs(WIDENED, row, made[key])
            if text:
                said.setdefault(selection, f"cells, {place}, prevalence {key[3]}: {text}")
        for (selection, epoch), keys in lacking.items():
            if keys:
                split, line, score, _ = min(keys)
                text = f"cells, {selection} {epoch}: there is no row of split {split}, {line}, score {score}"
                said.setdefault(selection, text)
        return list(said.values())

    def _counts(self, part: SplitScores, score: str) -> dict[str, Counts]:
        """By cell line, and of all pairs."""
        values = (part.u if score == "u_only" else part.logit).astype(np.float64)
        return self._counted(values, part)

    def _counted(self, values: np.ndarray, part: SplitScores) -> dict[str, Counts]:
        label = part.label.astype(np.int8)
        rows = {self.cell_lines[code]: part.cell == code for code in np.unique(part.cell)}
        made = {line: Counts.of(values[of_line], label[of_line]) for line, of_line in rows.items()}
        return {**made, POOLED: Counts.of(values, label)}

    def _add_spread(self, figures: Figures, scores: Mapping[str, SplitScores]) -> None:
        """The standard deviation of AUPR over support draws, of each cell line, their mean and all pairs."""
        for name, part in scores.items():
            if len(part.logits) < 2:
                continue
            draws = [self._counted(logit.astype(np.float64), part) for logit in part.logits]
            for mode, prevalence in PREVALENCES.items():
                aupr = [
                    {
                        line: each.figures(prevalence, np.nan, np.nan).get("aupr", np.nan)
                        for line, each in draw.items()
                    }
                    for draw in draws
                ]
                for draw in aupr:
                    defined = [v for line, v in draw.items() if line != POOLED and np.isfinite(v)]
                    draw[MACRO] = float(np.mean(defined)) if defined else np.nan
                for line in aupr[0]:
                    spread = float(np.std([draw[line] for draw in aupr], ddof=1))
                    figures[name, line, "corrected", mode][SPREAD] = spread

    def _add_design(self, figures: Figures, scores: Mapping[str, SplitScores]) -> None:
        """How far neighbours on the genome widen the variance of the AUC, of each cell line and of all pairs."""
        for name, part in scores.items():
            groups = {str(self.cell_lines[code]): part.cell == code for code in np.unique(part.cell)}
            for line, rows in {**groups, POOLED: np.ones(len(part.pairs), dtype=bool)}.items():
                facts = (part.label[rows], part.cell[rows], self.loci[part.pairs[rows]])
                for score, values in (("u_only", part.u), ("corrected", part.logit)):
                    figures[name, line, score, "as_found"][WIDENED] = design_effect(values[rows], *facts)


def _is_documented(row: Mapping[str, Any]) -> bool:
    """Whether as many positives as negatives were drawn, in whole batches."""
    return 2 * int(row["positives"]) == int(row["n"]) and int(row["n"]) % DOCUMENTED_BATCH == 0


def _differs(name: str, row: Mapping[str, Any], made: Mapping[str, float]) -> str:
    """A figure that is not made of counts alone, where it was made here."""
    stored, expected = row.get(name), made.get(name, np.nan)
    if np.isnan(expected) or (stored is not None and abs(stored - expected) <= SAME * (1 + abs(expected))):
        return ""
    return f"{name} is {stored}, and the scores give {expected:.6g}"
