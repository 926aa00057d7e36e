"""Tables with a row per training cell line: does every row learn in a step that shows its line?"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from harness.audit.finding import MechanismFinding
from harness.audit.twins import Twins


def silent_rows(twins: Twins) -> list[MechanismFinding]:
    """A finding on each table in whose gradient the row of a shown cell line is 0, with whatever episodes, while others
    have one: as with a padding index. None where there is no table, or nothing arrives at it at all."""
    trainer, lines = twins.trainer, len(twins.probe.codes)
    roots = ((trainer.model, ""), (trainer.terms, "terms."))
    tables = [
        f"{prefix}{place}.weight"
        for root, prefix in roots
        for place, module in root.named_modules()
        if isinstance(module, nn.Embedding) and module.num_embeddings == lines
    ]
    learned: dict[str, set[int]] = {name: set() for name in tables}
    shown: set[int] = set()
    for met, rows in _steps(twins, tables) if tables else ():
        shown |= met
        for name in tables:
            learned[name] |= rows[name]
        if len(shown) == lines and not any(known and shown - known for known in learned.values()):
            break
    said = []
    for name, known in learned.items():
        silent = sorted(shown - known) if known else []
        if silent:
            line = twins.probe.dataset.cell_lines[twins.probe.codes[silent[0]]]
            text = (
                f"{name} has a row per cell line, and that of {line} gets no gradient in a step that shows it"
            )
            said.append(MechanismFinding("-", "table", "inert", text, "present"))
    return said


def _steps(twins: Twins, tables: list[str]) -> Iterator[tuple[set[int], dict[str, set[int]]]]:
    """Of the step that every twin takes, with the names of its episodes exchanged in turn: the cell lines whose name is
    shown, and by table the rows with a gradient."""
    probe, batch = twins.probe, twins.probe.batch
    lines = len(probe.codes)
    for shift in range(lines):
        query_cell = (batch.query_cell + shift) % lines
        cell = batch.cell if batch.mixed else (batch.cell + shift) % lines
        named = batch._replace(cell=cell, query_cell=query_cell)
        hidden = twins.trainer.hidden(named, int(probe.weights["index"]))
        shows = np.ones(len(cell), bool) if hidden is None else ~hidden.cpu().numpy()
        gradients = probe.gradients(probe.behind(probe.summed), batch=named)
        rows = {
            name: set(torch.nonzero(gradients[name].any(1)).flatten().tolist())
            if name in gradients
            else set()
            for name in tables
        }
        yield set((query_cell if batch.mixed else cell)[shows].flatten().tolist()), rows
