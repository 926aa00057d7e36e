"""Steps for the tests of loss terms: random where nothing is given, deterministic by seed."""

from typing import Any

import torch

from models.episode import Step


def make_step(
    *, episodes: int = 4, queries: int = 6, features: int = 5, width: int = 3, seed: int = 0, **given: Any
) -> Step:
    """A step of float64 tensors; every field may be given instead. Cell lines are 0 .. E-1 unless given."""
    source = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    if "logit" in given:
        episodes, queries = given["logit"].shape
    if "z_e" in given:
        episodes, width = given["z_e"].shape
    if "z_i" in given:
        episodes, queries, features = given["z_i"].shape
    cell = given.get("cell", torch.arange(episodes))
    fields: dict[str, Any] = {
        "u": normal(episodes, queries),
        "z_i": normal(episodes, queries, features),
        "z_e": normal(episodes, width),
        "r": normal(episodes, 1),
        "logit": normal(episodes, queries),
        "temperature": torch.ones(episodes, 1, dtype=torch.float64),
        "label": (torch.rand(episodes, queries, generator=source) < 0.4).double(),
        "cell": cell,
        "query_cell": cell.unsqueeze(1).expand(episodes, queries),
        "seed": 0,
        "index": 0,
        "kl": normal(episodes, queries).abs(),
    }
    return Step(**{**fields, **given})
