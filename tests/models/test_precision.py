"""Under bfloat16 autocast energies stay float32: pairs that differ are not tied."""

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.config.blocks.trial import ConfigurationBlock
from models.building import build_model
from models.environment.cell_environment import CellEnvironment
from models.episode import Support
from models.precision import at_least_float32
from models.sequence.kan import FourierKAN
from models.streams import initialise
from tests.typed import as_a

PAIRS = 1024


def distinct(values: Tensor) -> int:
    return len(values.flatten().unique())


def test_the_energy_head_ties_no_pairs_under_autocast() -> None:
    head, z_i = FourierKAN(32), torch.randn(PAIRS, 32, generator=torch.Generator().manual_seed(0))
    initialise(head, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        u = head(z_i)
        halved = head(z_i.bfloat16())
    assert u.dtype == halved.dtype == torch.float32
    assert torch.equal(u, head(z_i))
    assert distinct(u) > 0.98 * PAIRS
    assert distinct(u.bfloat16()) < 0.7 * PAIRS, "what a head in bfloat16 would tie"


@pytest.mark.parametrize(
    "changes",
    [{}, {"bottleneck": 2}],
    ids=["plain", "a narrow z_I"],
)
def test_potential_and_logit_are_float32_under_autocast(changes: dict[str, Any]) -> None:
    block = {"encoder": "cnn", "embedding": 4, "kernel": 5, "width": 8, "pool": 12, "dropout": 0.0, **changes}
    given = {
        "model": block,
        "energy": {"form": "gated"},
        "environment": {"source": "support", "scope": "sample"},
    }
    model = build_model(ConfigurationBlock.model_validate(given).resolved().model_dump(), 4)
    initialise(model, 0)
    with torch.no_grad():
        as_a(CellEnvironment, model.environment).resistance.a.weight.normal_(
            generator=torch.Generator().manual_seed(1)
        )
    source = torch.Generator().manual_seed(2)
    bases = [torch.randint(0, 4, (PAIRS, bp), generator=source, dtype=torch.uint8) for bp in (60, 90)]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        out = model.sequence(*bases)
        u, z_i = out.u.view(4, -1), out.z_i.view(4, PAIRS // 4, -1)
        zeros = torch.zeros(4, 16)
        support = Support(z_i[:, :16], u[:, :16], zeros, zeros, torch.arange(4))
        environment = model.environment_of(support)
        scores = model.score(u, z_i, environment, model.initial_reference(), warm=False)
    for part in (out.u, out.z_i, environment.z_e, scores.r, scores.temperature, scores.logit):
        assert part.dtype == torch.float32
    with torch.no_grad():
        again = model.score(u, z_i, model.environment_of(support), model.initial_reference(), warm=False)
    assert torch.equal(scores.logit, again.logit), "outside of autocast it is the same energy"
    assert distinct(out.u) > 0.98 * PAIRS
    assert distinct(scores.logit) > 0.98 * PAIRS


def test_only_half_precision_is_cast() -> None:
    for dtype, wanted in ((torch.bfloat16, torch.float32), (torch.float16, torch.float32)):
        assert at_least_float32(torch.ones(1, dtype=dtype)).dtype == wanted
    wide = torch.ones(1, dtype=torch.float64)
    assert at_least_float32(wide) is wide
