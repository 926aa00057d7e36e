"""The environment side in a trial: every route, fusion and hidden names, resumption, extrapolation, refusals."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

import models.sequence
from analysis.errors import UserError
from harness.config.blocks.trial import ConfigurationBlock
from harness.trial.episodes.cell_facts import relation_matrix, standardised_features
from harness.trial.step.routing import WeightedTerm
from harness.trial.step.trainer import Trainer
from models.environment.cell_environment import CellEnvironment
from models.losses import LOSSES
from tests.harness.conftest import MakeUnit
from tests.harness.test_trial_trainer import norms_by_group
from tests.models.rows import REACH
from tests.narrow import instance, present

TEACHER = {
    "environment.teacher.kind": "gradient",
    "environment.fusion.alpha": 0.25,
    "environment.graph.kind": "gcn",
    "environment.graph.map": "attention",
    "environment.graph.prototypes": 2,
    "loss.distillation.weight": 0.5,
    "episode.pseudo_unseen": 0.4,
    "loss.gp_prior.weight": 0.5,
}
AVERAGE = {**TEACHER, "environment.teacher.kind": "ema", "environment.graph.kind": "random_walk"}
FEATURES = {
    "environment.source": "features",
    "loss.reconstruction.weight": 0.5,
    "environment.prior.over": "features",
    "environment.prior.extrapolate": "posterior",
}


def embeddings(run: Path) -> pd.DataFrame:
    return pq.read_table(run / "embeddings").to_pandas()


def measured(trainer: Trainer, batch: Any) -> tuple[list[WeightedTerm], Any]:
    _, boundary, step, *_ = trainer.measure(batch, warm=False)
    values = [(term, term(step, trainer.states[term.key])[0]) for term, _ in trainer.weighted]
    return [WeightedTerm(t.key, value, 1.0, t.reach, tuple(t.parameters())) for t, value in values], boundary


def warmed(make_unit: MakeUnit, changes: dict[str, Any], run: str = "run") -> tuple[Trainer, Any]:
    """A trainer after two steps, so that references and banks hold something, and its next batch."""
    unit_run = make_unit(changes, run=run)
    first, second, third = list(unit_run.sampler.epoch(1))[:3]
    for batch in (first, second):
        unit_run.trainer.step(batch, progress=0.0, probe=False)
    return unit_run.trainer, third


WEIGHTS = {
    term.weight: 0.5
    for term in LOSSES.terms().values()
    if term.weight not in term.chosen and "features" not in term.needs
}
EVERY = {
    **TEACHER,
    "environment.scope": "sample",
    "energy.form": "gated",
    "temperature.mode": "learned",
    **WEIGHTS,
    "loss.prototypes.kind": "pull",
    "loss.calibration.mean": 0.0,
    "loss.competition.warmup": 1,
}
"""Every loss term that a Student's environment can have, however many there are."""


def test_the_matrix_of_who_reaches_whom_cell_by_cell(make_unit: MakeUnit) -> None:
    rows: dict[str, dict[str, float]] = {}
    for run, changes in (("support", EVERY), ("features", FEATURES)):
        trainer, batch = warmed(make_unit, changes, run)
        terms, boundary = measured(trainer, batch)
        rows |= {
            term.name: norms_by_group(trainer, term, boundary) for term in terms if term.name not in rows
        }
    assert set(rows) == set(REACH), "a loss term that neither configuration builds"
    leaks = {
        f"{name} -> {group}": norm
        for name, row in rows.items()
        for group, norm in row.items()
        if norm > 0 and group not in REACH[name]
    }
    assert leaks == {}
    idle = {"competition", "speculation", "temperature", "calibration"}
    still = [name for name, row in rows.items() if sum(row.values()) == 0 and name not in idle]
    assert still == []
    assert all(rows["task"][group] > 0 for group in "SETG")
    assert rows["distillation"]["E"] > 0
    assert rows["distillation"]["T"] == 0


def test_shared_routing_entangles_what_isolation_keeps_apart(make_unit: MakeUnit) -> None:
    trainer, batch = warmed(make_unit, {**TEACHER, "routing": "shared"})
    terms, boundary = measured(trainer, batch)
    found = {term.name: norms_by_group(trainer, term, boundary) for term in terms}
    assert found["distillation"]["S"] > 0
    assert found["gp_prior"]["S"] > 0
    assert found["distillation"]["T"] > 0, "through the graph that the Student is placed on"


@pytest.mark.parametrize("changes", [TEACHER, AVERAGE], ids=["gradient", "ema"])
def test_only_known_names_are_fused_with_the_teacher(make_unit: MakeUnit, changes: dict[str, Any]) -> None:
    trainer, batch = warmed(make_unit, changes)
    before = trainer.reference
    _, _, step, scores, _ = trainer.measure(batch, warm=False)
    hidden = step.pseudo_unseen > 0
    assert 0 < int(hidden.sum()) < len(hidden), "this seed hides some of the names"
    assert torch.equal(scores.r_cell[hidden], scores.r_student[hidden])
    fused = 0.25 * present(scores.r_teacher) + 0.75 * scores.r_student
    torch.testing.assert_close(scores.r_cell[~hidden], fused[~hidden])
    assert torch.equal(step.cell, torch.from_numpy(batch.cell)), "the step keeps the true cell lines"
    assert step.taught.tolist() == (~hidden).float().tolist(), "no Teacher has finished an epoch yet"
    trainer.step(batch, progress=0.0, probe=True)
    moved = (trainer.reference.r != before.r).nonzero().flatten().tolist()
    assert set(moved) == set(step.cell[~hidden].tolist())
    trainer.step(batch, progress=1.0, probe=False)
    later = trainer.measure(batch, warm=False).step
    assert later.taught.tolist() == [1.0] * len(hidden)


@pytest.mark.parametrize("changes", [TEACHER, AVERAGE], ids=["gradient", "ema"])
def test_resumed_trial_reaches_the_same_teacher_memory(
    make_unit: MakeUnit, tmp_path: Path, changes: dict[str, Any]
) -> None:
    changes = {**changes, "optimiser.epochs": 2}
    whole = make_unit(changes, run="whole")
    while not whole.finished:
        whole.advance()
    broken = make_unit(changes, run="broken")
    broken.advance()
    again = make_unit(changes, run="broken")
    assert again.epoch == 1
    while not again.finished:
        again.advance()
    assert {name.split("/")[0] for name in whole.trainer.memory} >= {"earlier", "ready"}
    for name, value in whole.trainer.memory.items():
        assert torch.equal(value, again.trainer.memory[name]), name
    one, other = [embeddings(tmp_path / run) for run in ("whole", "broken")]
    for column in ("r_cell", "r_student", "r_teacher"):
        np.testing.assert_array_equal(one[column], other[column])
    trained = one.r_teacher.notna()
    assert trained.any()
    assert not trained.all(), "only training cell lines have a Teacher"
    assert (one.r_cell[~trained] == one.r_student[~trained]).all(), "unseen cell lines: R_E = R_S"
    np.testing.assert_allclose(
        one.r_cell[trained], 0.25 * one.r_teacher[trained] + 0.75 * one.r_student[trained], rtol=1e-5
    )


def test_another_cell_lines_samples_never_change_the_student(make_unit: MakeUnit) -> None:
    trainer, batch = warmed(make_unit, TEACHER)
    for other in range(1, 4):
        moved = batch._replace(support=batch.support.copy(), query=batch.query.copy())
        moved.support[other] = batch.query[other][: batch.support.shape[1]]
        moved.query[other] = batch.query[other][::-1]
        with torch.no_grad():
            first, second = [trainer.measure(b, warm=False).step.r_student for b in (batch, moved)]
        same = torch.arange(len(first)) != other
        assert torch.equal(first[same], second[same])
        assert not torch.equal(first[other], second[other])


def test_unseen_cell_line_gets_the_posterior_mean_of_the_prior(make_unit: MakeUnit, tmp_path: Path) -> None:
    given = {**FEATURES, "loss.gp_prior.weight": 0.1, "optimiser.epochs": 1}
    make_unit({**given, "environment.prior.extrapolate": "own"}, run="own").advance()
    unit_run = make_unit(given, run="posterior")
    unit_run.advance()
    assert unit_run.finished
    trainer, name = unit_run.trainer, unit_run.fold.test[0]
    v = present(standardised_features(unit_run.config, unit_run.dataset, trainer_codes(unit_run)))
    place = v[unit_run.dataset.cell_lines.index(name)].unsqueeze(0)
    wanted = (
        present(instance(CellEnvironment, trainer.model.environment).prior)
        .posterior(place, trainer.reference)
        .mean.item()
    )
    tables = {run: embeddings(tmp_path / run) for run in ("posterior", "own")}
    rows = {run: t[(t.cell_line == name) & (t.split == "test")] for run, t in tables.items()}
    np.testing.assert_allclose(rows["posterior"].r_raw, wanted, rtol=1e-5)
    assert not np.allclose(rows["own"].r_raw, wanted, rtol=1e-3)


def trainer_codes(unit_run: Any) -> np.ndarray:
    return np.array(sorted(unit_run.predictor.training_index))


def test_features_are_standardised_over_training_lines_alone(make_unit: MakeUnit) -> None:
    unit_run = make_unit(FEATURES)
    codes = trainer_codes(unit_run)
    v = present(standardised_features(unit_run.config, unit_run.dataset, codes))
    np.testing.assert_allclose(v[codes].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(v[codes].std(0, correction=0), 1, rtol=1e-5)
    assert len(v) == len(unit_run.dataset.cell_lines)
    blind = copy.copy(unit_run.dataset)
    blind.features = None
    with pytest.raises(UserError, match=r"environment\.source: features reads features.*has none"):
        standardised_features(unit_run.config, blind, codes)
    assert standardised_features(ConfigurationBlock(), blind, codes) is None


def test_relations_are_laid_over_the_training_cell_lines(make_unit: MakeUnit) -> None:
    unit_run = make_unit(TEACHER)
    codes, names = trainer_codes(unit_run), unit_run.dataset.cell_lines
    known = [names[code] for code in codes]

    def table(*rows: dict[str, Any]) -> torch.Tensor | None:
        graph = {"kind": "gcn", "map": "attention", "relations": list(rows)}
        config = ConfigurationBlock.model_validate({"environment": {"source": "support", "graph": graph}})
        return relation_matrix(config, unit_run.dataset, codes)

    assert table() is None
    found = table({"a": known[0], "b": known[2], "weight": 0.5}, {"a": known[0], "b": unit_run.fold.test[0]})
    wanted = torch.zeros(len(codes), len(codes))
    wanted[0, 2] = wanted[2, 0] = 0.5
    assert torch.equal(present(found), wanted)
    with pytest.raises(UserError, match="which is no cell line of the data"):
        table({"a": known[0], "b": known[1] + "x"})
    with pytest.raises(UserError, match="joins no two training cell lines"):
        table({"a": known[0], "b": unit_run.fold.test[0]})
    with pytest.raises(UserError, match="to itself"):
        table({"a": known[0], "b": known[0]})


def test_the_sequence_side_never_sees_the_environment_side() -> None:
    files = sorted(Path(models.sequence.__path__[0]).glob("*.py"))
    assert len(files) > 10
    imports = {
        file.name: [
            line
            for line in file.read_text().splitlines()
            if line.startswith(("from models.env", "import models.env"))
        ]
        for file in files
    }
    assert {name: lines for name, lines in imports.items() if lines} == {}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"loss": {"distillation": {"weight": 1.0}}}, "distillation.weight needs a Teacher"),
        ({"episode": {"pseudo_unseen": 0.2}}, "hides a name from the Teacher"),
        ({"loss": {"reconstruction": {"weight": 1.0}}}, "needs environment.source: features"),
        (
            {"environment": {"source": "id", "unseen": "mean"}, "loss": {"gp_prior": {"weight": 1.0}}},
            "loss.gp_prior.weight needs",
        ),
        ({"environment": {"graph": {"kind": "gcn"}}}, "is read by nobody"),
        ({"environment": {"graph": {"map": "attention"}}}, "needs a graph"),
        (
            {"environment": {"teacher": {"kind": "gradient"}, "fusion": {"alpha": 0.0}}},
            "without any gradient",
        ),
        ({"environment": {"teacher": {"kind": "ema"}, "fusion": {"alpha": 0.0}}}, "without any effect"),
        (
            {"environment": {"teacher": {"kind": "ema"}, "fusion": {"alpha": 1.0}}},
            "leaves the Student, which answers for unseen cell lines, without a gradient",
        ),
    ],
)
def test_what_could_not_act_is_refused_with_a_sentence(given: dict[str, Any], sentence: str) -> None:
    if "environment" in given:
        given = {**given, "environment": {"source": "support", **given["environment"]}}
    with pytest.raises(ValueError, match=sentence):
        ConfigurationBlock.model_validate(given)
    assert list(ConfigurationBlock().faults()) == []
