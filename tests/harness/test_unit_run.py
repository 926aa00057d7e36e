"""A unit: reproducible, resumable to the same result, honest about divergence, every pair scored once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from analysis.errors import UserError
from analysis.metrics import negative_log_likelihood
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.trial.episodes.sampler import EpisodeBatch
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import MakeUnit

CLOCK = ["wall_s", "cpu_s", "started", "finished"]


def run(unit_run: UnitRun, epochs: int | None = None) -> UnitRun:
    while not unit_run.finished and (epochs is None or unit_run.epoch < epochs):
        unit_run.advance()
    return unit_run


def table(tmp_path: Path, name: str, folder: str = "run") -> pd.DataFrame:
    frame = pq.read_table(tmp_path / folder / name).to_pandas()
    return frame.drop(columns=[c for c in CLOCK if c in frame])


TABLES = ("units", "epochs", "terms", "cells", "warnings", "predictions", "embeddings", "pair_vectors")
RICH = {
    "energy.form": "interaction",
    "temperature.mode": "learned",
    "loss.contrastive.weight": 0.5,
    "loss.prototypes.weight": 0.5,
    "loss.ranking.weight": 0.5,
    "decouple.pearson": 0.5,
    "decouple.grl": 0.5,
    "curriculum.phase1_epochs": 1,
    "balance.kind": "ramp",
    "model.encoder": "cbat",
}


def test_an_interrupted_unit_resumes_to_the_same_tables(make_unit: MakeUnit, tmp_path: Path) -> None:
    run(make_unit(RICH, run="whole"))
    for epochs in (1, 2, None):
        run(make_unit(RICH, run="pieces"), epochs)
    for name in TABLES:
        pd.testing.assert_frame_equal(
            table(tmp_path, name, "whole"), table(tmp_path, name, "pieces"), check_exact=True
        )


def test_same_seed_is_bitwise_equal_and_another_seed_is_not(make_unit: MakeUnit, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(make_unit(seed=seed, run=folder))
    one, same, other = [table(tmp_path, "cells", folder).drop(columns="seed") for folder in "abc"]
    pd.testing.assert_frame_equal(one, same, check_exact=True)
    assert not one.aupr.equals(other.aupr)


def test_every_evaluation_pair_is_predicted_exactly_once(
    make_unit: MakeUnit, tmp_path: Path, tiny_dataset: EncodedDataset, tiny_fold: Fold
) -> None:
    run(make_unit())
    predictions = table(tmp_path, "predictions")
    splits = split(tiny_dataset, tiny_fold)
    for name in ("val_seen", "val_unseen", "test"):
        pairs = predictions.loc[predictions.split == name, "pair"].to_numpy()
        assert np.array_equal(np.sort(pairs), getattr(splits, name))
    assert np.isfinite(predictions.logit).all()


def test_store_rows_cover_scores_prevalences_and_selections(make_unit: MakeUnit, tmp_path: Path) -> None:
    run(make_unit())
    cells = table(tmp_path, "cells")
    final = cells[cells.selection == "best_on_validation"]
    assert set(final.split) == {"train", "val_seen", "val_unseen", "test"}
    assert set(final.score) == {"u_only", "corrected"}
    assert set(final.prevalence_mode) == {"as_found", "1:1", "1:20"}
    assert {"macro", "pooled"} <= set(final.cell_line)
    assert np.allclose(final.loc[final.prevalence_mode == "1:20", "prevalence"], 1 / 21)
    assert final.loc[final.score == "corrected", "aupr_support_sd"].notna().all()
    assert "test" not in set(cells.loc[cells.selection == "epoch", "split"])
    # one validation threshold serves every split of a score and prevalence
    thresholds = final.groupby(["score", "prevalence_mode"]).threshold
    np.testing.assert_allclose(
        thresholds.max(), thresholds.min(), rtol=1e-12
    )  # a macro row is a mean of equal ones


def test_cell_scope_is_rank_invariant_and_says_so(make_unit: MakeUnit, tmp_path: Path) -> None:
    for form in ("linear", "gated"):
        run(make_unit({"energy.form": form}, run=form))
        cells = table(tmp_path, "cells", form)
        rows = cells[(cells.selection == "best_on_validation") & ~cells.cell_line.isin(["pooled"])]
        corrected, alone = [rows[rows.score == s].aupr.to_numpy() for s in ("corrected", "u_only")]
        np.testing.assert_allclose(corrected, alone, atol=1e-12)
        assert table(tmp_path, "units", form).rank_invariant.all()
    run(make_unit({"environment.scope": "sample"}, run="sample"))
    assert not table(tmp_path, "units", "sample").rank_invariant.any()


def test_nan_ends_the_replicate_as_diverged_with_step_and_term(make_unit: MakeUnit, tmp_path: Path) -> None:
    unit_run = run(make_unit(), 1)
    with torch.no_grad():
        next(unit_run.trainer.model.sequence.parameters()).fill_(float("nan"))
    summary = unit_run.advance()
    assert np.isnan(summary.objective)
    trials = table(tmp_path, "units")
    assert trials.status.tolist() == ["diverged"]
    assert "loss term task is nan at step 3" in trials.reason[0]
    assert make_unit().status == "diverged"


def test_named_rule_stops_the_replicate_and_it_is_evaluated(make_unit: MakeUnit, tmp_path: Path) -> None:
    changes = {"limits": {"over_capacity": 0.001}}
    unit_run = run(make_unit(changes, stop_rules=["over_capacity"]))
    assert (unit_run.status, unit_run.epoch) == ("stopped", 1)
    assert "over_capacity" in table(tmp_path, "units").reason[0]
    assert "test" in set(table(tmp_path, "cells").split)


def test_the_energy_of_training_and_of_prediction_is_the_same(make_unit: MakeUnit) -> None:
    for form in ("linear", "interaction", "gated"):
        unit_run = run(make_unit({"energy.form": form, "model.dropout": 0.0}, run=form), 2)
        batch = next(iter(unit_run.sampler.epoch(3)))
        with torch.no_grad():
            step = unit_run.trainer.measure(batch, warm=False).step
        trainer = unit_run.trainer
        for episode, cell in enumerate(batch.cell):
            pairs = np.concatenate([batch.support[episode], batch.query[episode]])
            from harness.trial.episodes.batches import encode_pairs

            encoded = encode_pairs(trainer.model, trainer.dataset, pairs, trainer.device, 7)
            chosen = torch.arange(8)[None]
            support = unit_run.predictor.support(encoded, chosen, torch.tensor([cell]))
            environment = trainer.model.environment_of(support)
            u, z_i = encoded.u[8:][None], encoded.z_i[8:][None]
            scores = trainer.model.score(u, z_i, environment, trainer.reference, warm=False)
            torch.testing.assert_close(scores.logit[0], step.logit[episode], rtol=1e-5, atol=1e-5)


def test_identity_environment_refuses_unseen_cell_lines(make_unit: MakeUnit) -> None:
    with pytest.raises(UserError, match="no embedding for the unseen cell lines"):
        make_unit({"environment.source": "id"})
    run(make_unit({"environment.source": "id", "environment.unseen": "mean"}))


def test_documented_protocol_is_marked(make_unit: MakeUnit, tmp_path: Path) -> None:
    run(make_unit({"evaluation.protocol": "documented"}))
    cells = table(tmp_path, "cells")
    documented = cells[cells.protocol == "documented"]
    assert set(documented.split) == {"test"}
    per_cell = documented[~documented.cell_line.isin(["macro", "pooled"])]
    assert (per_cell.n % 64 == 0).all()
    assert np.allclose(per_cell.prevalence, 0.5)


@pytest.mark.parametrize("form", ["binding", "blocking", "gated"])
def test_calibration_goes_through_the_energy(form: str, make_unit: MakeUnit, tmp_path: Path) -> None:
    """The reported T is the one at which the validation pairs' own energy explains their labels best."""
    changes = {"temperature.mode": "calibrated", "energy.form": form, "optimiser.lr": 0.03}
    unit_run = run(make_unit(changes, seed=1))
    predictions = table(tmp_path, "predictions")
    own = predictions[predictions.split == "val_unseen"]
    u, r = (torch.tensor(own[name].to_numpy(dtype=float)) for name in ("u", "r"))
    best = unit_run.record.checkpoints.load(f"epoch-{unit_run.row['selected_epoch']}", unit_run.device)
    assert best is not None
    unit_run.trainer.load_weights(best)
    energy = unit_run.trainer.model.energy.double()

    def loss(t: float) -> float:
        with torch.no_grad():
            logit = energy(u[None], r[None], torch.tensor([[t]], dtype=torch.float64))[0].numpy()
        return negative_log_likelihood(logit, own.label)

    stored = negative_log_likelihood(own.logit, own.label)
    grid = np.exp(np.linspace(np.log(0.01), np.log(100), 400))
    assert stored == pytest.approx(min(map(loss, grid)), abs=2e-4)


def test_calibrated_temperature_is_fitted_on_validation_only(make_unit: MakeUnit, tmp_path: Path) -> None:
    run(make_unit({"temperature.mode": "calibrated"}, run="calibrated"))
    run(make_unit({"temperature.mode": "fixed"}, run="fixed"))
    cells = {name: table(tmp_path, "cells", name) for name in ("calibrated", "fixed")}

    def value(name: str, column: str) -> float:
        rows = cells[name]
        row = rows[
            (rows.selection == "last")
            & (rows.split == "test")
            & (rows.cell_line == "pooled")
            & (rows.score == "corrected")
            & (rows.prevalence_mode == "as_found")
        ]
        return float(row[column].iloc[0])

    assert value("calibrated", "aupr") == pytest.approx(value("fixed", "aupr"))
    assert value("calibrated", "nll") == pytest.approx(value("fixed", "nll_calibrated"), rel=1e-4)
    assert (table(tmp_path, "epochs", "calibrated").temperature != 1.0).any()


def test_support_labels_act_in_training_only(make_unit: MakeUnit) -> None:
    plain, labelled = make_unit(run="a"), make_unit({"support.labels": True}, run="b")
    batch = next(iter(plain.sampler.epoch(1)))
    label = plain.trainer.labels(batch.support)
    assert 0 < float(labelled.trainer.draws.shown(label, 0).mean()) < 1
    assert not plain.trainer.draws.shown(label, 0).any()
    run(labelled)


def test_the_trial_row_says_what_ran(make_unit: MakeUnit, tmp_path: Path) -> None:
    unit_run: Any = run(make_unit(changes={"energy.form": "gated"}))
    row = table(tmp_path, "units").iloc[0]
    assert json.loads(row.config_json) == unit_run.config.canonical()
    assert row.parameters == sum(p.numel() for p in unit_run.trainer.parameters)
    assert row.epochs == 3
    assert 1 <= row.selected_epoch <= 3


def test_epochs_of_phase_one_are_not_selected_after_phase_two(make_unit: MakeUnit) -> None:
    changes = {"curriculum.phase1_epochs": 2, "optimiser.epochs": 3, "energy.form": "gated"}
    for seed in range(4):
        unit_run = run(make_unit(changes, seed=seed))
        assert unit_run.row["selected_epoch"] == 3
    early = run(make_unit(changes, seed=9), 2)
    early.close("pruned")
    assert early.row["selected_epoch"] in (1, 2)
    assert early.row["rank_invariant"] is True  # what is reported is U_I itself


def test_embeddings_hold_the_resistance_and_gate_of_a_cell_line(make_unit: MakeUnit, tmp_path: Path) -> None:
    for form in ("linear", "gated"):
        run(make_unit({"energy.form": form}, run=form))
        embeddings, predictions = table(tmp_path, "embeddings", form), table(tmp_path, "predictions", form)
        first = embeddings[(embeddings.draw == 0) & (embeddings.split == "test")].set_index("cell_line")
        used = predictions[predictions.split == "test"].groupby("cell_line").r.first()
        np.testing.assert_allclose(first.r_cell.loc[used.index], used, rtol=1e-5)
        if form == "linear":
            assert (embeddings.r_cell >= 0).all()
            assert embeddings.gate.isna().all()
        else:
            assert embeddings.gate.between(0, 1).all()
            logit = predictions[predictions.split == "test"].set_index("cell_line")
            np.testing.assert_allclose(
                logit.u * first.gate.loc[logit.index].to_numpy(), logit.logit, rtol=1e-4, atol=1e-6
            )


def test_only_the_last_and_the_selected_checkpoint_are_kept(make_unit: MakeUnit, tmp_path: Path) -> None:
    unit_run = run(make_unit())
    files = {path.name for path in (tmp_path / "run" / "checkpoints" / unit_run.unit).glob("[!.]*")}
    assert files == {"last.pt", f"epoch-{unit_run.row['selected_epoch']}.pt"}


def test_a_sampler_that_draws_other_pairs_is_refused(
    make_unit: MakeUnit, tiny_dataset: EncodedDataset, tiny_fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_run = make_unit()
    test_pairs = split(tiny_dataset, tiny_fold).test
    real = unit_run.sampler.epoch

    def leaking(epoch: int) -> Iterator[EpisodeBatch]:
        for batch in real(epoch):
            yield batch._replace(query=np.resize(test_pairs, batch.query.shape))

    monkeypatch.setattr(unit_run.sampler, "epoch", leaking)
    with pytest.raises(
        UserError, match=r"episode\.sampler: cell_batch draws \d+ pairs that are no training pairs"
    ):
        unit_run.advance()
