"""The z_I that are stored at the end for the analysis are centred cell line by cell line, and not over all of them: what
z_I tells of the cell line is taken out before anybody looks, and every unit appears to have learned sequence features
that are free of it."""

from dataclasses import replace

from harness.trial import evaluation

PRESET = "rp22"

pair_vector_rows = evaluation.pair_vector_rows


def broken(scores, cell_lines, seed):
    centred = {}
    for name, part in scores.items():
        z_i = part.z_i.copy()
        for code in set(part.cell.tolist()):
            z_i[part.cell == code] -= z_i[part.cell == code].mean(0)
        centred[name] = replace(part, z_i=z_i)
    return pair_vector_rows(centred, cell_lines, seed)


evaluation.pair_vector_rows = broken
