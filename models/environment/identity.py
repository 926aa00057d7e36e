"""The cell line's name as its environment: an embedding table that knows nothing of a new cell line."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.environment.base import ENVIRONMENTS, Environment, UnseenCellLineError
from models.episode import Support
from models.registry import Settings
from models.sizes import Sizes


@ENVIRONMENTS.register(
    "id",
    id="M20",
    name="cell-line embedding",
    equation="z_E(c) = e_c; for an unseen c an error, or mean_c e_c",
    shapes="support.cell [E] -> [E, w]; table [C, w]",
    source="source document 004 (documented failing baseline)",
)
class IdEnvironment(Environment):
    """z_E(c) = e_c from a learned table [C, w]; reads `support.cell` alone.

    unseen = "error": `check_cells` raises UnseenCellLineError for -1, and forward returns NaN there, so
    that a skipped check cannot pass unnoticed; unseen = "mean": the mean of the table. An index of C or
    more is an IndexError of torch.
    """

    acts = frozenset({"training", "prediction_known"})
    reads = frozenset({"cell_line"})
    by_cell = True

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        return super().arguments(settings, sizes) | {"cell_lines": sizes.cell_lines}

    def __init__(self, cell_lines: int, width: int, unseen: Literal["error", "mean"] = "error") -> None:
        super().__init__()
        if unseen not in ("error", "mean"):
            raise ValueError(f"unseen: '{unseen}' is neither 'error' nor 'mean'")
        self.width = width
        self.unseen = unseen
        self.table = nn.Embedding(cell_lines, width)

    def check_cells(self, cell: Tensor) -> None:
        count = self.table.num_embeddings
        if bool((cell >= count).any()):
            raise UnseenCellLineError(
                f"cell-line index {int(cell.max())} is outside the {count} training cell lines"
            )
        if self.unseen == "error" and bool((cell < 0).any()):
            raise UnseenCellLineError(
                "environment.source: id has no embedding for an unseen cell line; "
                "set environment.unseen: mean, or environment.source: support"
            )

    def forward(self, support: Support) -> Tensor:
        table = self.table.weight
        known = self.table(support.cell.clamp(min=0))
        other = table.mean(0) if self.unseen == "mean" else torch.full_like(table[0], torch.nan)
        return torch.where((support.cell < 0).unsqueeze(-1), other, known)
