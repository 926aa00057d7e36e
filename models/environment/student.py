"""The Student: a cell line's environment inferred from a support set of its own pairs."""

from typing import Any

import torch
from torch import Tensor

from models.environment.base import ENVIRONMENTS, Environment
from models.environment.set_encoders import SET_ENCODERS, SetEncoder
from models.episode import Support
from models.registry import EVERYWHERE, Settings
from models.sizes import Sizes


@ENVIRONMENTS.register(
    "support",
    id="M22",
    name="Student on the support set",
    equation="z_E(c) = encoder({[z_I(s), U_I(s) (, labelled_s (2 y_s - 1), labelled_s)] : s in S_c})",
    shapes="z_i [E, S, d], u [E, S], label [E, S], labelled [E, S] -> [E, w]",
    source="source documents 001 and 002",
)
class SupportEnvironment(Environment):
    """z_E(c) = set encoder over the support pairs' z_I and U_I, and with labels = True their known labels.

    A known label enters as (+1 or -1, 1), an unknown one as (0, 0), so that `label` is ignored where
    `labelled` is 0. The cell line's name is never read. S = 0 raises ValueError, as does an encoder that takes
    another number of inputs than a support pair has.
    """

    acts = EVERYWHERE
    reads = frozenset({"support", "z_i", "u", "labels"})

    def __init__(self, encoder: SetEncoder, features: int, labels: bool = False) -> None:
        super().__init__()
        if encoder.inputs != pair_inputs(features, labels):
            raise ValueError(
                f"a support pair has {pair_inputs(features, labels)} inputs, and its set encoder takes {encoder.inputs}"
            )
        self.width = encoder.width
        self.labels = labels
        self.encoder = encoder

    @classmethod
    def arguments(cls, settings: Settings, sizes: Sizes) -> dict[str, Any]:
        labels = settings["support"]["labels"]
        of_pairs = sizes._replace(inputs=pair_inputs(sizes.features, labels))
        encoder = SET_ENCODERS.choose(settings, of_pairs)
        return {"encoder": encoder, "features": sizes.features, "labels": labels}

    def forward(self, support: Support) -> Tensor:
        parts = [support.z_i, support.u.unsqueeze(-1)]
        if self.labels:
            known = support.labelled.to(support.u.dtype)
            sign = torch.where(known > 0, 2 * support.label.to(known.dtype) - 1, torch.zeros_like(known))
            parts += [sign.unsqueeze(-1), known.unsqueeze(-1)]
        return self.encoder(torch.cat(parts, -1))


def pair_inputs(features: int, labels: bool) -> int:
    """Numbers per support pair that a set encoder sees: z_I of d = features, U_I, and a label of two."""
    return features + 1 + 2 * labels
