"""The keys of placebos: other streams and permuted inputs are part of an identity only where they are asked for."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from analysis.errors import UserError
from harness.audit.unit_inspector import AuditInspector
from harness.config.space.compose import compose
from harness.trial.episodes.cell_facts import standardised_features
from models.episode import Step
from models.losses.permuted import PermutedInput
from models.streams import other_streams
from tests.harness.conftest import TINY, MakeUnit
from tests.narrow import present

OLD = "minimal"


def test_identities_of_before_stand() -> None:
    plain = compose(TINY, {})
    assert not {"streams", "permuted"} & plain.identity().keys()
    assert compose(TINY, {"streams": "", "permuted": []}).id == plain.id
    others = {compose(TINY, {"streams": word}).id for word in ("a", "b")}
    assert len({plain.id, *others}) == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"permuted": ["pearson"]}, "permuted: pearson is not there to be permuted: decouple.pearson is 0"),
        ({"permuted": ["immax"]}, "permuted: 'immax' is no mechanism with a placebo"),
        ({"permuted": ["pearsn"]}, "did you mean 'pearson'"),
        ({"permuted": ["pearson", "pearson"], "decouple.pearson": 0.1}, "permuted names a mechanism twice"),
        ({"permuted": ["features"]}, "features is not there to be permuted: environment.source is support"),
        ({"streams": "a b"}, "streams is 'a b', expected letters"),
    ],
)
def test_a_placebo_that_there_is_not_gets_one_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        compose(TINY, changes)


def test_the_empty_word_is_the_seed_itself() -> None:
    assert other_streams(5, "") == 5
    assert len({other_streams(5, "a"), other_streams(6, "a"), other_streams(5, "b"), 5}) == 4


def test_other_streams_change_every_draw_and_not_the_seed(make_unit: MakeUnit) -> None:
    plain, same, other = (
        make_unit(changes, run=name)
        for name, changes in (("a", {}), ("b", {"streams": ""}), ("c", {"streams": "placebo"}))
    )
    assert plain.row["seed"] == other.row["seed"]
    weights = [list(unit.trainer.model.parameters()) for unit in (plain, same, other)]
    assert all(torch.equal(one, two) for one, two in zip(weights[0], weights[1], strict=True))
    drawn = [(a, b) for a, b in zip(weights[0], weights[2], strict=True) if len(a.unique()) > 1]
    assert drawn
    assert not any(torch.equal(one, two) for one, two in drawn)
    batches = [next(iter(unit.sampler.epoch(1))).query for unit in (plain, same, other)]
    assert (batches[0] == batches[1]).all()
    assert (batches[0] != batches[2]).any()
    assert plain.predictor.seed == same.predictor.seed != other.predictor.seed


SOURCE = {"environment.source": "features", "permuted": ["features"]}


@pytest.mark.parametrize(
    "placebo",
    [
        {"permuted": ["contrastive", "pearson"]},
        {"streams": "placebo"},
        {
            **SOURCE,
            "loss.reconstruction.weight": 0.5,
            "environment.prior.over": "features",
            "loss.gp_prior.weight": 0.5,
        },
    ],
)
def test_a_placebo_trains_under_a_strict_audit(make_unit: MakeUnit, placebo: dict[str, object]) -> None:
    changes = {**placebo, "loss.contrastive.weight": 0.5, "decouple.pearson": 0.5}
    unit = make_unit({**changes, "audit": "strict"}, run="placebo", inspector=AuditInspector)
    while not unit.finished:
        unit.advance()
    assert unit.status == "done", unit.row["reason"]


def in_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PermutedInput, "seen", lambda self, step: step)


def in_one_order(patch: pytest.MonkeyPatch) -> None:
    seen = PermutedInput.seen
    patch.setattr(
        PermutedInput, "seen", lambda self, step: seen(self, Step(**{**vars(step.whole()), "index": 0}))
    )


def in_part(patch: pytest.MonkeyPatch) -> None:
    def seen(self: PermutedInput, step: Step) -> Step:
        content: Tensor = getattr(step, self.permutes)
        samples = content.flatten(0, -2)
        order = torch.cat([torch.arange(2), torch.arange(2, len(samples)).roll(step.whole().index + 1)])
        return step.with_input(self.permutes, samples[order].view(content.shape))

    patch.setattr(PermutedInput, "seen", seen)


def plain_term(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("models.losses.build.permuted", lambda cls: cls)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (in_order, "sees z_i in its order, and is to see it in another one"),
        (in_one_order, "it sees z_i in the same order at every step"),
        (in_part, "it leaves samples of z_i in their place, and is to move every one"),
        (plain_term, "is no placebo, and was to be one"),
    ],
)
def test_a_placebo_that_sees_its_input_as_it_is_is_broken(
    broken: Callable[[pytest.MonkeyPatch], None],
    sentence: str,
    make_unit: MakeUnit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(monkeypatch)
    unit = make_unit({"permuted": ["pearson"], "decouple.pearson": 0.5, "audit": "strict"}, run="broken")
    unit.advance()
    assert unit.status == "stopped"
    assert sentence in unit.row["reason"]


def test_a_placebo_of_features_sees_another_training_line(make_unit: MakeUnit) -> None:
    plain, placebo = (
        make_unit({**SOURCE, "permuted": names}, run=run) for run, names in (("a", []), ("b", ["features"]))
    )
    own, shown = (present(unit.predictor.v) for unit in (plain, placebo))
    codes = torch.as_tensor(plain.codes, dtype=torch.long)
    assert len(codes) > 2
    assert len(own[codes].unique(dim=0)) == len(codes)
    assert not (own[codes] == shown[codes]).all(1).any(), "none keeps its own"
    assert sorted(own[codes].tolist()) == sorted(shown[codes].tolist()), "none is lost"
    others = torch.ones(len(own), dtype=torch.bool).index_fill(0, codes, False)
    assert others.any()
    assert torch.equal(own[others], shown[others]), "nothing of other lines is trained on"
    assert torch.equal(present(placebo.trainer.v), shown[codes]), "training and scoring see the same"
    weights = [unit.trainer.model.state_dict() for unit in (plain, placebo)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0]), "the same module"


@pytest.mark.parametrize(
    ("twice", "sentence"),
    [
        (False, "sees those of a training cell line in their place"),
        (True, "sees those of one training cell line for two"),
    ],
)
def test_features_in_their_order_are_no_placebo(
    twice: bool, sentence: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(config: Any, dataset: Any, trained: Any, seed: int) -> Tensor:
        features = present(standardised_features(config, dataset, trained)).clone()
        if twice:
            features[trained] = features[trained].roll(1, 0)
            features[trained[0]] = features[trained[2]]
        return features

    for module in ("unit_run", "step.trainer"):
        monkeypatch.setattr(f"harness.trial.{module}.presented_features", broken)
    unit = make_unit({**SOURCE, "audit": "strict"}, run="broken", inspector=AuditInspector)
    unit.advance()
    assert unit.status == "stopped"
    assert sentence in unit.row["reason"]
