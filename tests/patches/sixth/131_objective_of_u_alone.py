"""The value of a metric is that of the first row of its split and cell line, whichever score it is of, and rows of U_I
alone come first. The objective, by which epochs are selected and trials are ranked, does not see the environment: at
sample scope a search over environments chooses by a number that none of them moves directly."""

import harness.trial.score.evaluate
import harness.trial.summary
import harness.trial.unit_run

PRESET = "complete"


def broken(rows, path, *, score="corrected"):
    split, cell_line, name = path.split("/")
    for row in rows:
        where = (row["split"], row["cell_line"], row["prevalence_mode"], row["protocol"])
        if where == (split, cell_line, "as_found", "exact"):
            return float(row[name])
    return float("nan")


harness.trial.score.evaluate.metric = broken
harness.trial.unit_run.metric = broken
harness.trial.summary.metric = broken
