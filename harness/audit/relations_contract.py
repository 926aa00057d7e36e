"""The cell lines that a prototype graph joins, or a contrastive term spares, are those of the configured table."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from harness.audit.breach import Breach
from harness.config.blocks.environment import RelationBlock, SupportEnvironmentBlock
from harness.trial.inspection import Subject
from models.environment.graph import PrototypeGraph
from models.losses.contrastive import Contrastive


class RelationsContract:
    """Weights between training cell lines, by their names."""

    def __init__(self, subject: Subject) -> None:
        config, self.trainer = subject.config, subject.trainer
        self.lines = [subject.trainer.dataset.cell_lines[code] for code in subject.codes]
        environment = config.environment
        self.graph = environment.graph.relations if isinstance(environment, SupportEnvironmentBlock) else []
        self.contrastive = config.loss.contrastive.relations

    def breaches(self) -> Iterator[Breach]:
        for module in self.trainer.model.environment.modules():
            if isinstance(module, PrototypeGraph):
                each = module.prototypes.shape[1]
                yield from self._of(
                    module.get_buffer("joined")[::each, ::each], self.graph, "environment.graph"
                )
        for term, _ in self.trainer.weighted:
            if isinstance(term, Contrastive):
                related = dict(term.named_buffers()).get("related")
                weights = torch.zeros(len(self.lines), len(self.lines)) if related is None else related
                yield from self._of(weights, self.contrastive, "loss.contrastive")

    def _of(self, weights: Tensor, rows: Sequence[RelationBlock], path: str) -> Iterator[Breach]:
        """`weights` [C, C] against the table at `path`.relations."""
        table = {frozenset((row.a, row.b)): row.weight for row in rows}
        for i, a in enumerate(self.lines):
            for j, b in enumerate(self.lines):
                expected = table.get(frozenset((a, b)), 0.0) if i != j else 0.0
                if abs(float(weights[i, j]) - expected) > 1e-6:
                    text = f"{a} and {b} are related by {float(weights[i, j]):g}; {path}.relations says {expected:g}"
                    yield Breach(f"{path} relations", "data", text)
                    return
