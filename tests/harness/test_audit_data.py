"""The audit looks at the data themselves: what is on disk, what a fold makes of it, and what reaches a step."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from harness.audit.bounds import is_deviation, is_omission, is_other_share
from harness.audit.data_contract import DataContract
from harness.audit.fold_contract import FoldContract
from harness.audit.relations_contract import RelationsContract
from harness.data.dataset import EncodedDataset
from harness.trial.episodes.cell_facts import relation_matrix
from harness.trial.inspection import Subject
from harness.trial.step import measure, trainer
from harness.trial.step.draws import TrainingDraws
from harness.trial.step.measure import Measure
from models.episode import Support
from tests.harness.conftest import MakeUnit
from tests.harness.test_audit_contracts import STRICT
from tests.harness.test_unit_run import run


@pytest.fixture
def subject(make_unit: MakeUnit) -> Subject:
    """With a dataset of its own, which may be changed."""
    made = make_unit(STRICT, twins=False).subject
    made.trainer.dataset = EncodedDataset(made.trainer.dataset.path)
    return made


def said(contract: DataContract | FoldContract) -> str:
    return "; ".join(breach.sentence for breach in contract.breaches())


def test_a_sound_unit_has_its_fold_and_its_data(subject: Subject) -> None:
    assert said(FoldContract(subject)) == said(DataContract(subject)) == ""


@pytest.mark.parametrize("name", ["label", "cell", "promoter_row", "chrom", "enhancer_window"])
def test_a_column_that_is_not_on_disk_is_said(name: str, subject: Subject) -> None:
    dataset = subject.trainer.dataset
    vars(dataset)[name] = np.roll(vars(dataset)[name], 1)
    assert "not what is stored" in said(DataContract(subject))


def test_windows_that_are_not_on_disk_are_said(subject: Subject) -> None:
    subject.trainer.dataset.promoters = subject.trainer.dataset.promoters[:, ::-1]
    assert "windows of promoters are not what is stored" in said(DataContract(subject))


def copied(name: str) -> Callable[[EncodedDataset, int, int], None]:
    """A column of the data in which a training pair has what an evaluated one has."""

    def change(dataset: EncodedDataset, trained: int, evaluated: int) -> None:
        column = np.array(vars(dataset)[name])
        column[trained] = column[evaluated]
        vars(dataset)[name] = column

    return change


@pytest.mark.parametrize(
    "name", ["enhancer_content", "promoter_content", "enhancer_window", "promoter_window"]
)
def test_a_training_pair_with_evaluated_dna_is_said(name: str, subject: Subject) -> None:
    copied(name)(subject.trainer.dataset, int(subject.training[3]), int(subject.pairs["test"][0]))
    assert f"trains on pair {subject.training[3]}, which overlaps" in said(FoldContract(subject))


@pytest.mark.parametrize(("gap", "leaks"), [(-1, True), (0, False)], ids=["overlaps", "touches"])
def test_a_training_pair_that_overlaps_is_said(gap: int, leaks: bool, subject: Subject) -> None:
    dataset, trained = subject.trainer.dataset, int(subject.training[3])
    start, end = np.array(dataset.promoter_start), np.array(dataset.promoter_end)
    chrom, evaluated = np.array(dataset.promoter_chrom), int(subject.pairs["test"][0])
    chrom[evaluated], start[evaluated], end[evaluated] = chrom[trained], end[trained] + gap, end[trained] + 50
    dataset.promoter_start, dataset.promoter_end, dataset.promoter_chrom = start, end, chrom
    repeats = FoldContract(subject).repeats(np.arange(len(dataset)) == evaluated)
    assert repeats[trained] == leaks


def test_training_pairs_that_are_lost_are_said(subject: Subject) -> None:
    fewer = replace(subject, training=subject.training[5:])
    assert "5 training pairs of the fold are not trained on" in said(FoldContract(fewer))


def test_the_first_training_pairs_are_no_subset_by_chance(subject: Subject) -> None:
    size = len(subject.pairs["train"])
    first = replace(subject, pairs={**subject.pairs, "train": subject.training[:size]})
    assert "not drawn at random of the training pairs" in said(FoldContract(first))


RELATED: dict[str, Any] = {
    "environment.teacher.kind": "gradient",
    "environment.graph.kind": "gcn",
    "environment.graph.relations": [{"a": "C1", "b": "C2", "weight": 0.5}],
    "loss.contrastive.weight": 1.0,
    "loss.contrastive.relations": [{"a": "C2", "b": "C3", "weight": 0.25}],
}


@pytest.mark.parametrize("path", ["environment.graph", "loss.contrastive"])
def test_other_relations_between_cell_lines_are_said(
    path: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = relation_matrix

    def turned(*inputs: Any) -> Any:
        weights = made(*inputs)
        if (len(inputs) != 4) == (path == "loss.contrastive"):
            return weights
        assert weights is not None
        return weights.roll((1, 1), (0, 1))

    def sentences() -> list[str]:
        subject = make_unit({**STRICT, **RELATED}, twins=False).subject
        return [breach.sentence for breach in RelationsContract(subject).breaches()]

    assert sentences() == []
    monkeypatch.setattr(trainer, "relation_matrix", turned)
    assert [f"{path}.relations says" in one for one in sentences()] == [True]


chosen: Callable[..., Any] = TrainingDraws.shown
LABELS: dict[str, Any] = {"support.labels": True, "routing": "shared", "optimiser.steps_per_epoch": 12}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda self, label, index: label, "labels of support pairs are shown; "),
        (lambda self, label, index: torch.ones_like(label), "32 of 32 labels of support pairs are shown"),
        (
            lambda self, label, index: chosen(self, label, 0),
            "that the step's stream shows",
        ),
    ],
    ids=["positives", "all", "the same"],
)
def test_labels_shown_by_no_fair_coin_are_said(
    change: Callable[..., Any], sentence: str, make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingDraws, "shown", change)
    assert sentence in run(make_unit({**STRICT, **LABELS}, twins=False)).row["reason"]


def test_names_of_other_pairs_in_mixtures_are_said(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Measure.support_sets

    def rolled(self: Measure, *inputs: Any) -> Support:
        sets = made(self, *inputs)
        assert sets.owner is not None
        return replace(sets, owner=sets.owner.roll(1, 1))

    changes = {"episode.sampler": "random", "environment.source": "id", "environment.unseen": "mean"}
    assert run(make_unit({**STRICT, **changes}, twins=False, run="sound")).status == "done"
    monkeypatch.setattr(Measure, "support_sets", rolled)
    unit_run = run(make_unit({**STRICT, **changes}, twins=False))
    assert "a support set arrived as that of another cell line" in unit_run.row["reason"]


HIDDEN: dict[str, Any] = {"episode.pseudo_unseen": 0.5, "environment.teacher.kind": "gradient"}


def test_hidden_names_of_other_lines_are_said(make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    hiding = measure.without_names

    def rolled(named: Support, hidden: Any) -> Support:
        made = hiding(named, hidden)
        return made if made.hidden is None else replace(made, hidden=made.hidden.roll(1, 0))

    monkeypatch.setattr(measure, "without_names", rolled)
    unit_run = run(make_unit({**STRICT, **HIDDEN}, twins=False))
    assert "a hidden name is that of another cell line" in unit_run.row["reason"]


def test_bounds_hold_for_fair_draws_and_not_for_others() -> None:
    draw = np.random.default_rng(1)
    for chance in (0.02, 0.3, 0.5):
        for count in draw.binomial(500, chance, size=200).tolist():
            assert not is_other_share(count, 500, chance)
            assert not is_deviation(count - 500 * chance, 500 * chance * (1 - chance))
    assert is_other_share(0, 500, 0.1)
    assert is_deviation(100, 125)
    for _ in range(50):
        met = {int(x) for _ in range(30) for x in draw.choice(60, 8, replace=False)}
        assert not is_omission(60 - len(met), 60, 30 * float(np.log1p(-8 / 60)))
    assert is_omission(20, 60, 30 * float(np.log1p(-8 / 60)))
