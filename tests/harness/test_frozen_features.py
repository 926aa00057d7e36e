"""Features of a frozen sequence side: made once, whole or not at all, checked when they are opened, and never mixed."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

import harness.trained.features as making
from analysis.audit_view import verdicts_of
from analysis.errors import UserError
from analysis.store import Run
from harness.audit.auditor import twins_of
from harness.audit.finding import MechanismFinding
from harness.audit.frozen_side import KEYS, TURNS, AskedByTwins
from harness.audit.unit_inspector import AuditInspector
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.frozen import FrozenComposer
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, split
from harness.data.frozen import META, Z_I, FrozenDataset, FrozenFeatures
from harness.store.writer import RunWriter
from harness.trained.features import FOLDER, features_of, kept_features, refuse_unfinished
from harness.trained.kept_units import KeptUnits
from harness.trial.episodes.batches import encode_pairs
from harness.trial.episodes.drawn import drawn
from harness.trial.score.null_sequences import score_nulls
from harness.trial.score.scoring import score_splits
from harness.trial.step.trainer import Trainer
from harness.trial.unit_run import UnitRun
from models.losses.ranking import PairwiseRanking
from tests.harness.conftest import TINY
from tests.narrow import present

CPU = torch.device("cpu")
BASE: dict[str, Any] = {
    **TINY,
    "model": {**TINY["model"], "dropout": 0.0},
    "loss": {"sparsity": {"z_i": 0.01}, "calibration": {"weight": 0.1}},
    "decouple": {"pearson": 0.1},
}


class Trained(NamedTuple):
    """A base that was trained in full in `run`, its features, and the dataset that shows them."""

    run: Path
    side: UnitRun
    composer: FrozenComposer
    features: FrozenFeatures
    dataset: FrozenDataset


@pytest.fixture(scope="module")
def trained(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path_factory: pytest.TempPathFactory
) -> Trained:
    run, composer = tmp_path_factory.mktemp("side"), FrozenComposer(BASE)
    side = UnitRun(composer.side(gpu=False), tiny_dataset, tiny_fold, 0, RunWriter(run))
    while not side.finished:
        side.advance()
    features = features_of(run, side.config.id, tiny_fold, 0, tiny_dataset, CPU)
    return Trained(run, side, composer, features, FrozenDataset(tiny_dataset, features))


def unit(
    trained: Trained, fold: Fold, run: Path, changes: dict[str, Any] | None = None, **options: Any
) -> UnitRun:
    config: ConfigurationBlock = trained.composer.resolved(changes or {}, gpu=False)
    return UnitRun(config, trained.dataset, fold, 0, RunWriter(run), **options)


def test_features_are_those_of_the_selected_weights(
    trained: Trained, tiny_dataset: EncodedDataset, tiny_fold: Fold
) -> None:
    (kept,) = KeptUnits.of(Run(trained.run), trained.side.config.id).units
    splits = split(tiny_dataset, tiny_fold)
    for pairs in (splits.train, splits.val_seen, splits.val_unseen, splits.test):
        expected = encode_pairs(kept.model, tiny_dataset, pairs, CPU, 64).z_i
        numbers = torch.from_numpy(trained.features.row[pairs]).long()
        torch.testing.assert_close(trained.features.of(numbers), expected, rtol=1e-6, atol=1e-6)


def test_a_cached_step_is_a_full_step_with_a_frozen_side(
    trained: Trained, tiny_fold: Fold, tmp_path: Path
) -> None:
    cached = unit(trained, tiny_fold, tmp_path / "cached", {"loss.ranking.weight": 0.3})
    content = {**cached.config.canonical(), "frozen": ""}
    whole = UnitRun(
        ConfigurationBlock.model_validate(content),
        trained.dataset.original,
        tiny_fold,
        0,
        RunWriter(tmp_path / "whole"),
    )
    (kept,) = KeptUnits.of(Run(trained.run), trained.side.config.id).units
    model, front = whole.trainer.model, []
    with torch.no_grad():
        for name, parameter in model.sequence.named_parameters():
            if not name.startswith("energy."):
                parameter.copy_(kept.model.sequence.get_parameter(name))
                front.append(parameter)
    trainer, there = whole.trainer, set(front)
    trainer.router.groups["S"] = tuple(p for p in trainer.router.groups["S"] if p not in there)
    trainer.parameters = [p for p in trainer.parameters if p not in there]
    for group in trainer.optimiser.param_groups:
        group["params"] = [p for p in group["params"] if p not in there]
    for epoch in (1, 2):
        for batch in drawn(whole.sampler, epoch):
            logs = [each.trainer.step(batch, progress=epoch - 0.5, probe=True) for each in (whole, cached)]
            assert logs[0].values == pytest.approx(logs[1].values, rel=1e-5, abs=1e-6)
            for term, share in logs[0].shares.items():
                assert share == pytest.approx(logs[1].shares[term], rel=1e-4, abs=1e-6)
    named = whole.trainer.named_parameters()
    moved = cached.trainer.named_parameters()
    assert moved.keys() == {name for name, parameter in named.items() if parameter not in there}
    for name, parameter in moved.items():
        torch.testing.assert_close(parameter, named[name], rtol=1e-6, atol=1e-6)


def test_a_strict_audit_passes_and_says_what_is_frozen(
    trained: Trained, tiny_fold: Fold, tmp_path: Path
) -> None:
    whole = unit(
        trained, tiny_fold, tmp_path, {"audit": "strict", "energy.form": "gated"}, inspector=AuditInspector
    )
    while not whole.finished:
        whole.advance()
    assert (whole.status, whole.row["reason"]) == ("done", "")
    said = {row["mechanism"]: row for row in whole.audited if row["moment"] == "first"}
    assert {name for name, row in said.items() if "frozen sequence side" in row["reason"]} >= {"stem", "cnn"}
    assert said["fourier_kan"]["verdict"] == "active"
    assert whole.row["features"] == trained.features.digest


def in_turns(trained: Trained) -> dict[int, dict[str, Any]]:
    """Settings of a configuration of every turn."""
    found: dict[int, dict[str, Any]] = {}
    for k in range(100):
        changes = {"audit": "strict", "loss.ranking.weight": 0.3, "optimiser.weight_decay": 0.001 * (k + 1)}
        turn = AskedByTwins.of(trained.composer.resolved(changes, gpu=False)).turn
        found.setdefault(present(turn), changes)
    assert sorted(found) == list(range(len(TURNS)))
    return found


def said_by_twins(trained: Trained, fold: Fold, run: Path, turn: int) -> dict[str, MechanismFinding]:
    made = unit(trained, fold, run, in_turns(trained)[turn], inspector=AuditInspector)
    return {finding.mechanism: finding for finding in twins_of(made.subject, "first").findings}


def test_keys_weights_and_promises_are_asked_in_turn(
    trained: Trained, tiny_fold: Fold, tmp_path: Path
) -> None:
    for turn, name in enumerate(TURNS):
        findings = said_by_twins(trained, tiny_fold, tmp_path / str(turn), turn)
        assert {each.verdict for each in findings.values()} <= {"active", "idle", "rank-invariant", "drowned"}
        assert f"beside these here {name};" in findings["turn"].reason
        assert findings["ranking_pairwise"].verdict == "active"
    paths = ["c", "a", "d", "b", "e"]
    assert sorted(path for turn in range(len(TURNS)) for path in AskedByTwins(turn).keys(paths)) == sorted(
        paths
    )
    assert AskedByTwins(None).keys(paths) == sorted(paths)
    assert not AskedByTwins(None).said()


def test_at_its_end_a_cached_unit_asks_no_twins(
    trained: Trained, tiny_fold: Fold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = unit(trained, tiny_fold, tmp_path, in_turns(trained)[0], inspector=AuditInspector)
    while not made.finished:
        made.advance()
    assert (made.status, made.row["reason"]) == ("done", "")
    last = {row["id"] for row in made.audited if row["moment"] == "last"}
    assert last == {"-"}  # contracts, real steps and stored scores
    view = verdicts_of(pd.DataFrame(made.audited).assign(config="a", fold=0, seed=0)).set_index("mechanism")
    assert view.loc["ranking_pairwise", "verdict"] == "active"
    assert view.loc["turn", "verdict"] == "idle"


def test_a_weight_that_is_read_and_not_used_is_met_in_its_turn(
    trained: Trained, tiny_fold: Fold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Trainer.__init__

    def begun(self: Trainer, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        self.weighted = [(term, 0.3 if term.key == "ranking" and w else w) for term, w in self.weighted]

    monkeypatch.setattr(Trainer, "__init__", begun)
    verdicts = [
        said_by_twins(trained, tiny_fold, tmp_path / str(turn), turn)["ranking_pairwise"]
        for turn in range(len(TURNS))
    ]
    assert [finding.verdict for finding in verdicts] == ["inert", "active", "active", "active"]
    assert "read and not used" in verdicts[0].reason


def test_a_key_that_nothing_reads_is_met_in_its_turn(
    trained: Trained, tiny_fold: Fold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = PairwiseRanking.__init__
    monkeypatch.setattr(PairwiseRanking, "__init__", lambda self, tau, **others: begin(self, 1.0, **others))
    accused = [
        turn
        for turn in range(len(TURNS))
        if "loss.ranking.tau" in said_by_twins(trained, tiny_fold, tmp_path / str(turn), turn)
    ]
    assert len(accused) == 1
    assert TURNS[accused[0]] in KEYS


def test_null_windows_have_features_of_their_own(trained: Trained, tiny_fold: Fold, tmp_path: Path) -> None:
    made = unit(trained, tiny_fold, tmp_path)
    pairs = made.subject.pairs["val_unseen"]
    scores, _ = score_splits(
        made.trainer, made.predictor, {"val_unseen": pairs}, ["val_unseen"], draws=1, epoch=3
    )
    nulls = score_nulls(made.trainer, made.predictor, scores["val_unseen"], epoch=3, calibration=None)
    null = torch.from_numpy(trained.features.z_i[-1:])
    assert nulls.u == pytest.approx(float(made.trainer.model.sequence.energy(null).detach()), rel=1e-6)


def test_pairs_of_no_split_and_strange_sides_are_refused(
    trained: Trained, tiny_fold: Fold, tmp_path: Path
) -> None:
    dataset = trained.dataset
    outside = np.flatnonzero(trained.features.row < 0)
    assert len(outside)
    with pytest.raises(IndexError):
        dataset.enhancer_bases(outside[:1])
    sequence = unit(trained, tiny_fold, tmp_path).trainer.model.sequence
    one, two = (
        torch.from_numpy(dataset.enhancer_bases(np.flatnonzero(trained.features.row == k)[:1]))
        for k in (0, 1)
    )
    with pytest.raises(LookupError, match="two sides of different ones"):
        sequence(one, two)


def test_a_changed_byte_is_refused(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    shutil.copytree(trained.features.path, folder)
    content = bytearray((folder / Z_I).read_bytes())
    content[-3] ^= 1
    (folder / Z_I).write_bytes(content)
    with pytest.raises(UserError, match=r"damaged .*digest.*delete that folder"):
        FrozenFeatures.open(folder)


def test_features_of_other_data_are_refused(
    trained: Trained, tiny_fold: Fold, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = EncodedDataset(trained.dataset.original.path)
    monkeypatch.setattr(other, "hash", "0" * 64)
    with pytest.raises(UserError, match="of other data"):
        features_of(trained.run, trained.side.config.id, tiny_fold, 0, other, CPU)


def test_features_of_another_unit_are_refused(trained: Trained, tiny_fold: Fold, tmp_path: Path) -> None:
    """Two folders that were swapped: each is whole, and of the other seed."""
    run, side = tmp_path / "run", trained.side.config.id
    shutil.copytree(trained.run, run)
    (run / FOLDER / f"{side}-{tiny_fold.id}-0").rename(run / FOLDER / f"{side}-{tiny_fold.id}-1")
    with pytest.raises(UserError, match=f"those of unit {side}-{tiny_fold.id}-0; delete that folder"):
        features_of(run, side, tiny_fold, 1, EncodedDataset(trained.dataset.original.path), CPU)


def test_what_was_computed_before_a_kill_is_kept(
    trained: Trained,
    tiny_dataset: EncodedDataset,
    tiny_fold: Fold,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.run, run)
    shutil.rmtree(run / FOLDER)
    asked: list[int] = []

    def killed(model: Any, dataset: Any, pairs: np.ndarray, *rest: Any) -> Any:
        asked.append(len(pairs))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return encode_pairs(model, dataset, pairs, *rest)

    monkeypatch.setattr(making, "CHUNK", 64)
    monkeypatch.setattr(making, "encode_pairs", killed)
    config = trained.side.config.id
    with pytest.raises(KeyboardInterrupt):
        features_of(run, config, tiny_fold, 0, tiny_dataset, CPU)
    (making_folder,) = (run / FOLDER).glob("*.making")
    before = {file: file.stat().st_mtime_ns for file in making_folder.iterdir()}
    again = features_of(run, config, tiny_fold, 0, tiny_dataset, CPU)
    chunks = -(-(len(trained.features.z_i) - 1) // 64)
    assert len(before) == 2
    assert len(asked) == 3 + chunks - 2
    torch.testing.assert_close(
        torch.from_numpy(again.z_i), torch.from_numpy(trained.features.z_i), rtol=1e-5, atol=1e-6
    )
    assert not making_folder.exists()


def test_features_of_other_weights_are_removed(trained: Trained, tiny_fold: Fold, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.run, run)
    assert kept_features(run) == {(tiny_fold.id, 0): trained.features.digest}
    (folder,) = (each for each in (run / FOLDER).iterdir() if each.is_dir())
    content = json.loads((folder / META).read_text())
    (folder / META).write_text(json.dumps({**content, "checkpoint": "other"}))
    assert kept_features(run) == {}
    assert not folder.exists()


def test_a_unit_goes_on_with_its_features_alone(
    trained: Trained, tiny_fold: Fold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit(trained, tiny_fold, tmp_path).advance()
    monkeypatch.setattr(trained.features, "digest", "f" * 64)
    with pytest.raises(UserError, match="trained anew; give another --out"):
        unit(trained, tiny_fold, tmp_path)


def test_a_side_that_did_not_end_well_is_not_frozen(
    trained: Trained, tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    begun = UnitRun(trained.side.config, tiny_dataset, tiny_fold, 0, RunWriter(tmp_path))
    begun.advance()
    with pytest.raises(UserError, match="cannot be frozen, since it is"):
        refuse_unfinished(tmp_path, begun.config.id)


def test_a_cached_unit_scores_no_new_pairs(trained: Trained, tiny_fold: Fold, tmp_path: Path) -> None:
    whole = unit(trained, tiny_fold, tmp_path)
    while not whole.finished:
        whole.advance()
    with pytest.raises(UserError, match="train the configuration in full"):
        KeptUnits.of(Run(tmp_path), whole.config.id)


def test_a_frozen_configuration_needs_its_features(
    trained: Trained, tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    config = trained.composer.resolved({}, gpu=False)
    with pytest.raises(UserError, match="a sweep with fidelity: cached trains it"):
        UnitRun(config, tiny_dataset, tiny_fold, 0, RunWriter(tmp_path))
    with pytest.raises(UserError, match="asks for no frozen side"):
        UnitRun(trained.side.config, trained.dataset, tiny_fold, 0, RunWriter(tmp_path))
