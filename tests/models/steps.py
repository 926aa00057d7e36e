"""Steps for the tests of loss terms: random where nothing is given, deterministic by seed."""

from collections.abc import Callable
from typing import Any

import torch

from models.episode import Step


def make_step(
    *, episodes: int = 4, queries: int = 6, features: int = 5, width: int = 3, seed: int = 0, **given: Any
) -> Step:
    """A step of float64 tensors; every field may be given instead, or left out (None). Cell lines are 0 .. E-1 unless
    given."""
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
        "r_raw": normal(episodes),
        "r_student": normal(episodes),
        "r_teacher": normal(episodes),
        "taught": torch.ones(episodes, dtype=torch.float64),
        "v": normal(episodes, 2),
        "v_decoded": normal(episodes, 2),
        "log_prior": normal(1)[0],
        "pseudo_unseen": torch.zeros(episodes, dtype=torch.float64),
        "kl": normal(episodes, queries).abs(),
        "channel_norm": normal(7).abs(),
        "channel_size": torch.arange(1.0, 8.0, dtype=torch.float64),
        "shallow": normal(episodes, 5, 6),
    }
    fields |= given
    if "r_heard" not in fields:
        fields["r_heard"] = fields["r_student"].detach().clone()
    fields.setdefault("energy_of", linear_energy(fields["u"]))
    return Step(**{name: value for name, value in fields.items() if value is not None})


def linear_energy(u: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """R [E, 1] -> sg U_I - R: the linear energy at T = 1, as a step carries it under isolated routing."""
    return lambda r: u.detach() - r
