"""The table of predictions names each pair by its place in the split instead of by its number in the data set.

Scores, labels and cell lines of a row are right and belong together. Whoever looks up the pair of a row finds another
enhancer and promoter. Only what is written is wrong.
"""
import harness.trial.evaluation as evaluation
import harness.trial.score.rows as rows

PRESET = "minimal"
SET = {}

_prediction_rows = rows.prediction_rows


def prediction_rows(scores, cell_lines, branches):
    written = _prediction_rows(scores, cell_lines, branches)
    place = dict.fromkeys(scores, 0)
    for row in written:
        row["pair"] = place[row["split"]]
        place[row["split"]] += 1
    return written


rows.prediction_rows = evaluation.prediction_rows = prediction_rows
