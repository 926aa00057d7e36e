"""Episodes that mix cell lines (meta_batch, random): what goes by a name goes by that of each query pair."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.nn.functional import softplus

from harness.audit.finding import FATAL
from harness.audit.probe import Probe
from harness.audit.same_energy import TOLERANCE, disagreement
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.store.writer import RunWriter
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from models.energy.temperature import PerCellTemperature
from models.environment.cell_environment import CellEnvironment
from models.environment.features import FeatureEnvironment
from models.environment.fusion import fuse
from models.environment.identity import IdEnvironment
from models.environment.teacher import GradientTeacher
from models.losses import LOSSES
from tests.audited import audited
from tests.harness.conftest import TINY, MakeUnit
from tests.narrow import instance, present

SAMPLERS = ("meta_batch", "random")
TEACHER = {
    "environment.teacher.kind": "gradient",
    "environment.fusion.alpha": 0.25,
    "loss.distillation.weight": 0.5,
    "energy.form": "gated",
}
AVERAGE = {**TEACHER, "environment.teacher.kind": "ema"}
GRAPH = {**TEACHER, "environment.graph.kind": "gcn", "environment.scope": "sample"}
BY_NAME: dict[str, dict[str, Any]] = {
    "id": {"environment.source": "id", "environment.unseen": "mean"},
    "features": {"environment.source": "features", "loss.reconstruction.weight": 0.5},
}


def warmed(unit_run: UnitRun) -> tuple[Trainer, EpisodeBatch]:
    """A trainer after two steps, so that reference and Teacher's memory hold something, and its next batch."""
    first, second, third = list(unit_run.sampler.epoch(1))[:3]
    for batch in (first, second):
        unit_run.trainer.step(batch, progress=0.0, probe=False)
    return unit_run.trainer, third


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("hidden", [0.0, 0.5])
def test_a_query_pair_is_answered_by_its_own_lines_teacher(
    make_unit: MakeUnit, sampler: str, hidden: float
) -> None:
    changes = {**GRAPH, "episode.sampler": sampler, "episode.pseudo_unseen": hidden}
    trainer, batch = warmed(make_unit(changes))
    model = trainer.model
    _, _, step, scores, hidden_names = trainer.measure(batch, warm=False)
    lines = torch.from_numpy(batch.query_cell)
    assert len(lines.unique()) > 1
    assert (step.cell == -1).all(), "an episode has no cell line of its own"
    environment = instance(CellEnvironment, model.environment)
    by_line = present(environment.teacher)(torch.arange(model.cell_lines), present(environment.graph)())
    units = environment.resistance.of_cell(by_line, trainer.reference)
    hides = torch.zeros(len(lines)) if hidden_names is None else step.pseudo_unseen
    torch.testing.assert_close(present(scores.r_teacher)[hides == 0], units[lines][hides == 0])
    share = 0.25 * (1 - hides).unsqueeze(1).expand_as(lines)
    fused = fuse(share, units[lines], scores.r_student.unsqueeze(1))
    torch.testing.assert_close(scores.r_cell, fused)
    assert scores.r.shape == step.logit.shape == lines.shape
    error = (scores.r_student.unsqueeze(1) - units[lines]).square()
    wanted = (error * (1 - hides).unsqueeze(1)).sum() / (1 - hides).sum().clamp(min=1) / lines.shape[1]
    torch.testing.assert_close(LOSSES.build("distillation")(step, {})[0], wanted)


def test_each_row_of_the_teacher_learns_from_its_lines_pairs(make_unit: MakeUnit) -> None:
    trainer, batch = warmed(make_unit({**TEACHER, "energy.form": "linear", "episode.sampler": "random"}))
    step = trainer.measure(batch, warm=False).step
    table = instance(
        GradientTeacher, instance(CellEnvironment, trainer.model.environment).teacher
    ).table.weight
    for line in range(trainer.model.cell_lines):
        own = (torch.from_numpy(batch.query_cell) == line).float()
        (moved,) = torch.autograd.grad((step.logit * own).sum(), [table], retain_graph=True)
        assert moved.abs().sum(1).nonzero().flatten().tolist() == [line]


def test_averaged_teacher_has_one_answer_for_a_mixture(
    make_unit: MakeUnit,
) -> None:
    trainer, batch = warmed(make_unit({**AVERAGE, "episode.sampler": "meta_batch"}))
    _, _, step, scores, _ = trainer.measure(batch, warm=False)
    r_teacher = present(scores.r_teacher)
    assert r_teacher.shape == step.logit.shape
    assert torch.equal(r_teacher, r_teacher[:, :1].expand_as(r_teacher))


@pytest.mark.parametrize("source", sorted(BY_NAME))
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_environment_by_name_is_that_of_each_query_pair(
    make_unit: MakeUnit, source: str, sampler: str
) -> None:
    changes = {
        **BY_NAME[source],
        "energy.form": "gated",
        "environment.scope": "sample",
        "temperature.mode": "per_cell",
        "episode.sampler": sampler,
        "loss.contrastive.weight": 0.5,
        "decouple.pearson": 0.5,
    }
    trainer, batch = warmed(make_unit(changes))
    model, lines = trainer.model, torch.from_numpy(batch.query_cell)
    environment = instance(CellEnvironment, model.environment)
    per_cell = instance(PerCellTemperature, model.temperature)
    with torch.no_grad():
        _, _, step, scores, _ = trainer.measure(batch, warm=False)
        named = environment.source
        z_e = (
            named.table.weight
            if isinstance(named, IdEnvironment)
            else instance(FeatureEnvironment, named).encoder(trainer.v)
        )
    torch.testing.assert_close(step.z_e_of_queries(), z_e[lines])
    assert step.cell.tolist() == lines.unique().tolist(), (
        "a row of z_E per cell line, for terms that tell them apart"
    )
    temperature = softplus((z_e * per_cell.v).sum(1) + per_cell.t)
    torch.testing.assert_close(scores.temperature, temperature[lines])
    reference = trainer.reference
    resistance = environment.resistance
    cell = resistance.of_cell(resistance.raw_cell(z_e), reference)
    moved = resistance.a((z_e - reference.mean_z_e()) / reference.spread_z_e())
    wanted = cell[lines] + (resistance.b(step.z_i) * moved[lines]).sum(-1)
    torch.testing.assert_close(scores.r, wanted)
    torch.testing.assert_close(step.logit, model.energy(step.u, wanted, temperature[lines]))


@pytest.mark.parametrize("dual_stream", [False, True])
def test_reference_of_a_line_is_what_its_queries_were_given(make_unit: MakeUnit, dual_stream: bool) -> None:
    changes = {**TEACHER, "episode.sampler": "random", "decouple.dual_stream": dual_stream}
    trainer, batch = warmed(make_unit(changes))
    before = trainer.reference
    measured = trainer.measure(batch, warm=False)
    scores, after = measured.scores, trainer._reference_after(measured)
    lines = torch.from_numpy(batch.query_cell)
    for line in range(trainer.model.cell_lines):
        own = lines == line
        mean_r = scores.r_raw.detach()[own].mean()
        mean_z = scores.z_e.detach().unsqueeze(1).expand(-1, lines.shape[1], -1)[own].mean(0)
        torch.testing.assert_close(after.r[line], 0.9 * before.r[line] + 0.1 * mean_r)
        torch.testing.assert_close(after.z_e[line], 0.9 * before.z_e[line] + 0.1 * mean_z)


@pytest.mark.parametrize("changes", [GRAPH, AVERAGE, *BY_NAME.values()], ids=["graph", "ema", *BY_NAME])
def test_prediction_has_the_same_energy_and_accuses_nothing(
    make_unit: MakeUnit, changes: dict[str, Any]
) -> None:
    unit_run = make_unit({**changes, "episode.sampler": "meta_batch"})
    found, _ = audited(unit_run)
    assert {name: f.reason for name, f in found.items() if f.verdict in FATAL} == {}
    assert found["M40 meta_batch"].verdict == "active"
    with torch.random.fork_rng(devices=[]):
        probe = Probe(unit_run.subject)
        assert disagreement(probe, unit_run.predictor) < TOLERANCE


@pytest.mark.parametrize(
    "given",
    [
        {"loss": {"contrastive": {"weight": 0.1}}},
        {"loss": {"prototypes": {"weight": 0.1}}},
        {"loss": {"gp_prior": {"weight": 0.1}}},
        {"loss": {"competition": {"weight": 0.1}}, "episode": {"pseudo_unseen": 0.2}},
        {"environment": {"source": "support", "prior": {"extrapolate": "posterior"}}},
    ],
)
def test_what_compares_cell_lines_by_a_mixtures_z_e_is_refused(given: dict[str, Any]) -> None:
    mixed = {**given, "episode": {**given.get("episode", {}), "sampler": "meta_batch"}}
    with pytest.raises(ValueError, match=r"a support set of episode\.sampler: meta_batch is a mixture"):
        ConfigurationBlock.model_validate(mixed)
    ConfigurationBlock.model_validate(given)


def test_rp09_fails_as_documented(tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path) -> None:
    """Recall 1, precision at the prevalence and an R_E that does not vary, beside a Teacher that tells cell lines apart.

    The Student's support set is a mixture, so what it is distilled towards is the mean over cell lines.
    """
    own = {
        key: value
        for key, value in load_preset("rp09").items()
        if key in ("energy", "loss", "routing", "episode")
    }
    changes = {
        "environment.teacher.kind": "gradient",
        "environment.fusion.alpha": 1.0,
        "optimiser.epochs": 3,
        "optimiser.steps_per_epoch": 40,
        "optimiser.lr": 3e-3,
    }
    base = {**TINY, **own, "episode": {**own["episode"], **TINY["episode"]}}
    config = compose(base, changes).resolved()
    unit_run = UnitRun(
        config, tiny_dataset, tiny_fold, 0, RunWriter(tmp_path / "rp09"), inspector=AuditInspector
    )
    while not unit_run.finished:
        unit_run.advance()
    lines = pq.read_table(tmp_path / "rp09" / "embeddings").to_pandas()
    teacher = lines[lines.split == "train"].groupby("cell_line").r_teacher.mean()
    unseen = lines[lines.split.isin(["val_unseen", "test"])].groupby("cell_line").r_cell.mean()
    assert np.ptp(teacher) > 0.1
    assert np.ptp(unseen) < 0.05 * np.ptp(teacher)
    cells = pq.read_table(tmp_path / "rp09" / "cells").to_pandas()
    wanted = (cells.split == "val_unseen") & (cells.cell_line == "pooled") & (cells.score == "corrected")
    row = cells[wanted & (cells.prevalence_mode == "as_found") & (cells.protocol == "exact")].iloc[-1]
    assert row.recall > 0.9
    assert abs(row.precision - row.prevalence) < 0.15
