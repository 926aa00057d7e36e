"""F1, precision and recall of every split use the best threshold of that split, test included.

The threshold is found inside of the loop over splits. Scores and AUPR are right and validation is as it was; what is
reported of the test cell lines is chosen on their own labels.
"""
from analysis.metrics import best_f1_threshold, by_cell, fit_temperature
from analysis.schema import PREVALENCES
from harness.trial.score.evaluate import VALIDATION, CellRows, _score

PRESET = "cross_attention"
SET = {}


def rows(self, scores, *, epoch, selection, prevalences, protocol):
    rows = []
    validation = scores[VALIDATION]
    for name in ("u_only", "corrected"):
        calibration = fit_temperature(_score(validation, name), validation.label)
        for mode in prevalences:
            prevalence = PREVALENCES[mode]
            for split in scores.values():
                threshold = best_f1_threshold(_score(split, name), split.label, prevalence)
                cells = by_cell(
                    _score(split, name),
                    split.label,
                    self.cell_names[split.cell],
                    threshold_logit=threshold,
                    prevalence=prevalence,
                    temperature=calibration,
                    locus=None if prevalence is not None else self.loci[split.pairs],
                )
                if name == "corrected" and len(split.logits) > 1:
                    for row, spread in zip(cells, self._support_spreads(split, [mode])[mode], strict=True):
                        row["aupr_support_sd"] = spread
                where = {"split": split.split, "score": name, "prevalence_mode": mode, "protocol": "exact"}
                rows += [{**where, **row} for row in cells]
        if protocol == "documented":
            rows += self._documented(scores["test"], name)
    return [{"epoch": epoch, "selection": selection, **row} for row in rows]


CellRows.rows = rows
