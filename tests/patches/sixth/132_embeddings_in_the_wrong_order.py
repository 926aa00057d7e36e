"""z_E of the support draws is stored from the last draw to the first, beside R_E and gate from the first to the last. A
user who plots R_E against z_E, or looks up the environment that a prediction (draw 0) was made in, joins numbers of
different support sets."""

from dataclasses import replace

import harness.trial.evaluation
import harness.trial.score.rows

PRESET = "rp25"

embedding_rows = harness.trial.score.rows.embedding_rows


def broken(scores, cell_lines):
    turned = {
        name: replace(part, z_e={code: vectors[::-1] for code, vectors in part.z_e.items()})
        for name, part in scores.items()
    }
    return embedding_rows(turned, cell_lines)


harness.trial.score.rows.embedding_rows = broken
harness.trial.evaluation.embedding_rows = broken
