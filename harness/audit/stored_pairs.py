"""Stored predictions name the pairs of their split, embeddings are of the scores, and the unit's row has its own counts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.data.dataset import EncodedDataset
from harness.trial.inspection import Subject
from harness.trial.score.predict import SplitScores
from models.streams import other_streams

EMBEDDED = ("r_cell", "r_raw", "r_student", "r_teacher", "posterior", "gate")
"""Columns of `embeddings` with one number per cell line and support draw."""


def strange_pairs(
    predictions: pd.DataFrame, dataset: EncodedDataset, pairs: Mapping[str, np.ndarray]
) -> Iterator[str]:
    """A sentence per split whose rows are not those of its `pairs`, each once, with the data's cell line and label."""
    for split, expected in pairs.items():
        rows = predictions[predictions["split"] == split]
        stored = rows["pair"].to_numpy()
        if not np.array_equal(np.sort(stored), np.sort(expected)):
            other = np.setdiff1d(stored, expected)
            named = f"pair {other[0]} is none of them" if len(other) else "some lack or stand twice"
            yield f"split {split}: the stored pairs are not those of the split, {named}"
            continue
        lines = np.asarray(dataset.cell_lines)[dataset.cell[stored]]
        for name, real in (("cell_line", lines), ("label", np.asarray(dataset.label)[stored])):
            wrong = rows[name].to_numpy() != real
            if wrong.any():
                at = int(np.argmax(wrong))
                told = rows[name].iloc[at]
                yield f"split {split}, pair {stored[at]}: its {name} is stored as {told} in place of {real[at]}"
                break


def strange_embeddings(
    rows: Sequence[Mapping[str, Any]], scores: Mapping[str, SplitScores], cell_lines: Sequence[str]
) -> Iterator[str]:
    """A sentence on the first row of `embeddings` that is not that of its cell line, split and support draw in the scores
    that were stored."""
    code_of = {name: code for code, name in enumerate(cell_lines)}
    for row in rows:
        part, code, draw = scores.get(row["split"]), code_of.get(row["cell_line"], -1), row["draw"]
        where = f"split {row['split']}, cell line {row['cell_line']}, draw {draw}"
        if part is None or code not in part.z_e or not 0 <= draw < len(part.logits):
            yield f"{where}: it has a row of embeddings, and was not scored"
            return
        made: dict[str, Any] = {name: vars(part)[name] for name in EMBEDDED}
        wanted = {name: of[code][draw] for name, of in made.items() if of is not None and code in of}
        differ = [name for name in EMBEDDED if row[name] != wanted.get(name)]
        if not np.array_equal(row["z_e"], part.z_e[code][draw]):
            differ.append("z_e")
        if differ:
            yield f"{where}: {differ[0]} is not that of the scores that were stored"
            return


def strange_unit(row: Mapping[str, Any], subject: Subject) -> Iterator[str]:
    """A sentence per fact of the unit's row that is another one in its parts."""
    trainer, training = subject.trainer, subject.training
    expected = {
        "parameters": sum(p.numel() for p in trainer.named_parameters().values() if p.requires_grad),
        "train_pairs": len(training),
        "train_prevalence": float(np.asarray(trainer.dataset.label)[training].mean()),
        "config": subject.config.id,
        "fold": subject.fold.id,
    }
    for name, value in expected.items():
        if row[name] != value:
            yield f"{name} of the unit is stored as {row[name]}, and it is {value}"
    if other_streams(row["seed"], subject.config.streams) != trainer.seed:
        yield f"seed of the unit is stored as {row['seed']}, and its random numbers are not of that seed"
