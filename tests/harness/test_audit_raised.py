"""An error inside the audit is a finding on what was judged; divergence and a machine without memory are none."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from harness.audit.audited import WITHOUT_EXAMPLES
from harness.audit.raised import answered
from harness.trial.score.predict import Predictor
from harness.trial.step.diverged import Diverged
from models.environment.set_encoders import MeanEncoder
from models.losses.speculation import Speculation
from tests.audited import accused
from tests.harness.conftest import MakeUnit


def raising(error: Exception) -> Callable[..., Any]:
    def ask(*_: Any, **__: Any) -> Any:
        raise error

    return ask


def test_an_error_is_said_of_the_term_that_raises_it(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Speculation, "parts", raising(KeyError("r_heard")))
    reasons = accused(make_unit({"loss.speculation.weight": 0.1}))
    assert [name.split()[1] for name in reasons] == ["speculation"]
    assert "KeyError: 'r_heard' (test_audit_raised.py line" in next(iter(reasons.values()))


def test_an_error_outside_a_mechanism_stops_a_strict_unit(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = make_unit({"audit": "strict"}, **WITHOUT_EXAMPLES)
    monkeypatch.setattr(Predictor, "predict", raising(TypeError("of another kind")))
    unit_run.advance()
    assert unit_run.status == "stopped"
    assert (
        "trial is broken: asked by the audit, it raised TypeError: of another kind" in unit_run.row["reason"]
    )


def test_what_is_no_fault_of_the_judged_is_raised(make_unit: MakeUnit) -> None:
    unit_run = make_unit({})
    for error in (ValueError("logits hold nan"), torch.OutOfMemoryError("full"), Diverged("exploded")):
        with pytest.raises(type(error), match=str(error)):
            answered(unit_run.subject, raising(error), str)
    assert answered(unit_run.subject, raising(IndexError("4")), str).startswith(
        "asked by the audit, it raised"
    )
    torch.nn.init.constant_(next(unit_run.trainer.model.parameters()), float("nan"))
    with pytest.raises(Diverged, match="is not finite"):
        answered(unit_run.subject, raising(ValueError("of another shape")), str)


def test_what_float64_cannot_do_is_said_of_its_mechanism(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = MeanEncoder.encode

    def single(self: MeanEncoder, x: torch.Tensor) -> torch.Tensor:
        if x.dtype == torch.float64:
            raise RuntimeError("expected Float but found Double")
        return encode(self, x)

    monkeypatch.setattr(MeanEncoder, "encode", single)
    reasons = accused(make_unit({"environment.encoder": "mean"}))
    assert reasons
    assert all(
        "mean cannot be computed again in float64: RuntimeError: expected Float" in r
        for r in reasons.values()
    )
