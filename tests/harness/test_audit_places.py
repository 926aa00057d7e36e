"""Where a mechanism acts and what it reads: each way of breaking that is called by its name, and no intact one is."""

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.trial.score.predict import Predictor, SplitScores
from models.environment.cell_environment import CellEnvironment
from models.environment.fusion import fuse
from models.environment.resistance import ResistanceOutput
from models.environment.set_encoders import MomentsEncoder
from models.environment.student import SupportEnvironment
from models.episode import Step, Support
from models.losses.speculation import Speculation
from models.sequence.cnn import Cnn
from tests.audited import accused, audit_of, audited
from tests.harness.conftest import MakeUnit, replicates_of

Broken = Callable[..., Any]
STUDENT = "M22 support"
TEACHER = {"environment.teacher.kind": "gradient", "loss.distillation.weight": 0.5}


def student(change: Callable[[Support], Support]) -> Broken:
    """The Student reads another support set than its own."""
    forward = SupportEnvironment.forward
    return lambda self, support: forward(self, change(support))


def zeros(support: Support) -> Support:
    return replace(support, z_i=torch.zeros_like(support.z_i), u=torch.zeros_like(support.u))


def of_first(support: Support) -> Support:
    return replace(support, z_i=support.z_i[:1].expand_as(support.z_i), u=support.u[:1].expand_as(support.u))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (zeros, "it does not read its support set"),
        (
            lambda s: replace(s, z_i=torch.ones_like(s.z_i), u=torch.ones_like(s.u)),
            "it does not read its support set",
        ),
        (lambda s: replace(s, u=torch.zeros_like(s.u)), "it does not read U_I"),
        (lambda s: replace(s, z_i=torch.zeros_like(s.z_i)), "it does not read z_I"),
    ],
    ids=["zeros", "a constant", "no U_I", "no z_I"],
)
def test_a_student_that_does_not_read_is_named(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, change: Callable[[Support], Support], sentence: str
) -> None:
    monkeypatch.setattr(SupportEnvironment, "forward", student(change))
    finding = audited(make_unit(), first=False)[0][STUDENT]
    assert (finding.verdict, finding.check) == ("inert", "input")
    assert finding.reason.startswith(sentence)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (of_first, "another cell line's samples change z_E"),
        (lambda s: replace(s, z_i=s.z_i.roll(1, 0)), "another cell line's samples change z_E"),
        (lambda s: replace(s, z_i=s.z_i * torch.arange(s.u.shape[1])[:, None]), "z_E depends on the order"),
    ],
    ids=["the first episode's", "the next one's", "an order"],
)
def test_a_student_that_reads_what_it_may_not_leaks(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, change: Callable[[Support], Support], sentence: str
) -> None:
    monkeypatch.setattr(SupportEnvironment, "forward", student(change))
    found = [
        f for f in audit_of(make_unit(), first=False).findings if (f.id, f.mechanism) == ("-", "support")
    ]
    assert {(finding.verdict, finding.check) for finding in found} == {("leaking", "input")}
    assert any(finding.reason.startswith(sentence) for finding in found), found


def resisted(acts: Callable[[Any], bool]) -> Broken:
    """R_E is 0 wherever `acts` of the environment's output does not hold."""
    resist = CellEnvironment.resist

    def broken(self: CellEnvironment, environment: Any, *arguments: Any) -> ResistanceOutput:
        output = resist(self, environment, *arguments)
        return output if acts(environment) else output._replace(r=0 * output.r)

    return broken


@pytest.mark.parametrize(
    ("acts", "sentence"),
    [
        (lambda _: torch.is_grad_enabled(), "trained"),
        (lambda environment: bool((environment.cell >= 0).all()), "unseen"),
    ],
    ids=["only with gradients", "not for unseen lines"],
)
def test_resistance_that_no_prediction_sees_is_inert(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, acts: Callable[[Any], bool], sentence: str
) -> None:
    monkeypatch.setattr(CellEnvironment, "resist", resisted(acts))
    found, _ = audited(make_unit(), first=False)
    finding = found["M16 scope_cell"]
    assert (finding.verdict, finding.check) == ("inert", "effect")
    assert f"it does not act on predictions of {sentence} cell lines" in finding.reason


def predicting(change: Callable[[Predictor, SplitScores], SplitScores]) -> Broken:
    """The predictor gives other scores than it found."""
    predict = Predictor.predict
    return lambda self, *arguments, **named: change(self, predict(self, *arguments, **named))


def of_split(name: str) -> Callable[[Predictor, SplitScores], SplitScores]:
    """Logits of one split are U_I."""

    def change(_: Predictor, scores: SplitScores) -> SplitScores:
        u = np.broadcast_to(scores.u, scores.logits.shape)
        return dataclasses.replace(scores, logits=u.copy()) if scores.split == name else scores

    return change


@pytest.mark.parametrize("split", ["train", "val_seen", "val_unseen", "test"])
def test_an_energy_dropped_on_one_split_is_inert(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    monkeypatch.setattr(Predictor, "predict", predicting(of_split(split)))
    finding = audited(make_unit({"energy.form": "gated"}), first=False)[0]["M12 gated"]
    assert (finding.verdict, finding.check) == ("inert", "effect")
    assert f"split {split}" in finding.reason


def counted(predictor: Predictor, scores: SplitScores) -> SplitScores:
    predictor.seen = vars(predictor).get("seen", 0) + 1  # type: ignore[attr-defined]  # hidden state is what is looked for
    return dataclasses.replace(scores, logits=scores.logits + 0.01 * predictor.seen)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda _, s: dataclasses.replace(s, logits=s.logits + 0.1 * s.label),
            "a prediction depends on the labels",
        ),
        (
            lambda _, s: dataclasses.replace(s, logits=s.logits - s.logits.mean()),
            "a prediction depends on which other pairs",
        ),
        (counted, "the same prediction twice gives other numbers"),
    ],
    ids=["labels", "other pairs", "hidden state"],
)
def test_a_prediction_of_more_than_its_pair_leaks(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, change: Any, sentence: str
) -> None:
    monkeypatch.setattr(Predictor, "predict", predicting(change))
    finding = audited(make_unit(), first=False)[0]["- prediction"]
    assert finding.verdict == "leaking"
    assert finding.reason.startswith(sentence)


def test_an_encoder_without_the_promoter_is_named(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Cnn.forward
    broken = lambda self, h_e, m_e, h_p, m_p, noise=None: forward(  # noqa: E731 - a method as it is patched
        self, h_e, m_e, 0 * h_p + h_e.mean() + 0 * self.hidden.weight.sum(), m_p, noise
    )
    monkeypatch.setattr(Cnn, "forward", broken)
    finding = audited(make_unit({"model.share_sides": True}), first=False)[0]["M06 cnn"]
    assert (finding.verdict, finding.check) == ("inert", "input")
    assert finding.reason.startswith("it does not read the promoter")


def test_a_constant_set_encoder_is_inert(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = MomentsEncoder.encode
    monkeypatch.setattr(MomentsEncoder, "encode", lambda self, x: encode(self, 0 * x) + self.rho[2].bias)
    finding = audited(make_unit(), first=False)[0]["M22 moments"]
    assert (finding.verdict, finding.check) == ("inert", "input")


def test_a_term_that_ignores_labels_is_named(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Speculation.forward

    def blind(self: Speculation, step: Step, state: Any) -> tuple[Tensor, Any]:
        return forward(self, Step(**{**vars(step.whole()), "label": torch.zeros_like(step.label)}), state)

    monkeypatch.setattr(Speculation, "forward", blind)
    finding = audited(make_unit({"loss.speculation.weight": 0.5}), first=False)[0]["M32 speculation"]
    assert (finding.verdict, finding.check) == ("inert", "input")
    assert "it does not read label" in finding.reason


def test_a_fusion_that_training_alone_knows_is_inert(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_training(share: Tensor, teacher: Tensor, of_student: Tensor) -> Tensor:
        return fuse(share if torch.is_grad_enabled() else 0 * share, teacher, of_student)

    monkeypatch.setattr("models.environment.resistance.fuse", only_training)
    found = accused(make_unit(TEACHER), first=False)
    assert "M23 gradient" in found


@pytest.mark.parametrize(
    "changes",
    [
        {"energy.form": "binding"},
        {"energy.form": "gated", "environment.scope": "sample"},
        {"energy.form": "threshold_gate", "environment.scope": "sample"},
        {**TEACHER, "environment.graph.kind": "gcn", "environment.fusion.alpha": 1.0},
        {"environment.teacher.kind": "ema", "loss.distillation.weight": 0.5, "environment.fusion.alpha": 0.0},
        {"environment.prior.extrapolate": "posterior", "temperature.mode": "calibrated"},
        {"environment.source": "id", "environment.unseen": "mean"},
    ],
    ids=str,
)
def test_what_is_intact_is_not_accused(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    assert accused(make_unit(changes), first=False) == {}


def test_keys_that_unseen_lines_alone_read_are_not_accused(make_unit: MakeUnit) -> None:
    assert accused(make_unit({"environment.prior.extrapolate": "posterior"})) == {}


def test_a_fit_on_two_cell_lines_is_not_accused(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    lines = [name for name in tiny_dataset.cell_lines if name not in tiny_fold.test]
    make_unit = replicates_of(tiny_dataset, replace(tiny_fold, val=tuple(lines[:2])), tmp_path)
    bare = {"environment.source": "none", "temperature.mode": "calibrated"}
    assert accused(make_unit(bare), first=False) == {}


def test_figures_stand_in_their_own_columns(make_unit: MakeUnit) -> None:
    found, cost = audited(make_unit({"energy.form": "gated"}))
    gated, task = found["M12 gated"], found["M30 immax"]
    assert min(gated.effect_known or 0.0, gated.effect_unseen or 0.0) > 0.0
    assert (gated.input_gap or 0.0) > 1e-3
    assert (gated.share, gated.route_gap, gated.step_gap) == (None, None, None)
    assert task.route_gap == 0.0
    assert (task.step_gap or 0.0) > 0.0
    assert task.effect_known is None, "a term is not there in a prediction"
    assert cost > 0
