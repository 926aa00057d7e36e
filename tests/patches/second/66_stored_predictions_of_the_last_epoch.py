"""The stored predictions and embeddings are those of the last epoch, not of the selected one.

The scores of the first of two evaluations at the end are kept under the name that the second one should have taken. The
table `cells` is right for both; `predictions` and `embeddings` do not give the numbers that stand there as
best_on_validation, except where the last epoch is the selected one.
"""
import copy

from harness.trial.evaluation import Evaluation
from harness.trial.score.branch import branches
from harness.trial.score.rows import embedding_rows, prediction_rows

PRESET = "rp04"
SET = {}


def at_the_end(self, record, *, last, selected):
    last_weights = copy.deepcopy(self.trainer.weights())
    record.added.clear()
    try:
        cells, scores = self._of_selection("last", last)
        record.add("cells", cells)
        best = record.checkpoints.load(f"epoch-{selected}", self.trainer.device)
        if best is None:
            raise RuntimeError(f"{record.unit} has no checkpoint of its selected epoch {selected}")
        self.trainer.load_weights(best)
        cells, _ = self._of_selection("best_on_validation", selected)
        record.add("cells", cells)
        chosen = {}
        if self.chooses:
            chosen = branches(cells, "best_on_validation")
        record.add_whole("predictions", prediction_rows(scores, self.cell_lines, chosen))
        if self.trainer.model.environment.acts:
            record.add_whole("embeddings", embedding_rows(scores, self.cell_lines))
        return self._rank_invariant(scores, selected)
    finally:
        self.trainer.load_weights(last_weights)


Evaluation.at_the_end = at_the_end
