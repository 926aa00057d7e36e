"""M06: the convolutional baseline, stem and pooling only."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.registry import EVERYWHERE
from models.sequence.interaction import INTERACTIONS, Interaction
from models.sequence.masking import masked_max, masked_mean
from models.streams import Dropout, Noise


@INTERACTIONS.register(
    "cnn",
    id="M06",
    name="stem and pooling",
    equation="z_I = W_2 Dropout(GELU(W_1 [mean h_E; max h_E; mean h_P; max h_P]))",
    shapes="h_E [B, P_e, d], h_P [B, P_p, d], masks [B, P] -> z_I [B, d]",
    source="definitions, Baselines",
)
class Cnn(Interaction):
    """Masked mean and maximum of each side, joined by one hidden layer of width 2 d."""

    acts = EVERYWHERE
    reads = frozenset({"enhancer", "promoter"})
    keys = frozenset({"width", "dropout"})
    reads_every_window = True

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(4 * width, 2 * width)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(2 * width, width)

    def forward(
        self, h_e: Tensor, m_e: Tensor, h_p: Tensor, m_p: Tensor, noise: Noise | None = None
    ) -> Tensor:
        pooled = [pool(h, m) for h, m in ((h_e, m_e), (h_p, m_p)) for pool in (masked_mean, masked_max)]
        hidden = F.gelu(self.hidden(torch.cat(pooled, dim=-1)))
        return cast(Tensor, self.out(self.dropout(hidden, noise)))
