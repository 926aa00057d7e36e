"""`model.precision: bf16`: another configuration, near the same numbers, and everything that is kept in float32."""

from typing import Any

import pytest
import torch

from harness.audit.finding import FATAL
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.step.holdings import holdings
from tests.harness.conftest import MakeUnit

ENCODERS = ("cnn", "cross_attention", "cbat")
HALF: dict[str, Any] = {"model.precision": "bf16"}


def test_the_precision_is_part_of_the_identity() -> None:
    plain = ConfigurationBlock()
    said, half = (
        ConfigurationBlock.model_validate({"model": {"precision": name}}) for name in ("float32", "bf16")
    )
    assert said.id == plain.id
    assert half.id != plain.id
    assert "precision" not in plain.identity()["model"]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_bf16_is_near_float32_and_keeps_float32(make_unit: MakeUnit, encoder: str) -> None:
    changes = {"model.encoder": encoder, "model.dropout": 0.0}
    exact, half = (make_unit(changes | more, run=run) for more, run in (({}, "exact"), (HALF, "half")))
    batch = next(iter(exact.sampler.epoch(1)))
    one, other = (unit.trainer.measure(batch, warm=False).step for unit in (half, exact))
    for part in ("u", "z_i", "logit", "r"):
        value, expected = getattr(one, part).detach(), getattr(other, part).detach()
        assert value.dtype == torch.float32
        assert 0 < float((value - expected).norm() / expected.norm()) < 0.05, part
    logs = [unit.trainer.step(batch, progress=0.0, probe=True) for unit in (half, exact)]
    assert logs[0].loss == pytest.approx(logs[1].loss, rel=0.02)
    assert logs[0].grad_norm == pytest.approx(logs[1].grad_norm, rel=0.1)
    assert {value.dtype for value in holdings(half.trainer).values() if value.is_floating_point()} <= {
        torch.float32,
        torch.float64,
    }


@pytest.mark.parametrize("balance", ["fixed", "grad_norm", "pcgrad"])
def test_a_strict_audit_passes_a_bf16_unit(make_unit: MakeUnit, balance: str) -> None:
    """Gradients of several terms come through the sequence side, whose parts round otherwise than their sum."""
    terms = {
        "energy.form": "gated",
        "routing": "shared",
        "decouple.infonce": 0.5,
        "loss.prototypes.weight": 0.5,
    }
    short = {"optimiser.epochs": 1, "balance.kind": balance, "audit": "strict"}
    unit = make_unit({**HALF, **terms, **short}, twins=balance == "fixed")
    while not unit.finished:
        unit.advance()
    assert not [row["reason"] for row in unit.audited if row["verdict"] in FATAL]
    assert (unit.status, unit.row["reason"]) == ("done", "")
