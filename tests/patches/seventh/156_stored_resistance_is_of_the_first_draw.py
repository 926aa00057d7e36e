"""The table of embeddings holds the resistance of the first support draw beside z_E of every draw: an index was lost.
The spread of R_E over support sets is exactly 0 in the store, and a scientist reports that R_E does not depend on
which pairs of a cell line are seen."""

import harness.trial.evaluation as evaluation

PRESET = "rp24"

embedding_rows = evaluation.embedding_rows


def broken(scores, cell_lines):
    rows = embedding_rows(scores, cell_lines)
    for row in rows:
        part = scores[row["split"]]
        code = list(cell_lines).index(row["cell_line"])
        for name in ("r_cell", "r_raw", "r_student"):
            row[name] = float(getattr(part, name)[code][0])
    return rows


evaluation.embedding_rows = broken
