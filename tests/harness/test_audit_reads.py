"""Keys that only a whole trial reads: a broken reader is named, no preset is accused, results stay the same."""

import copy
import importlib
import inspect
import pickle
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from harness.audit.unit_inspector import AuditInspector
from harness.audit.unrecorded import unrecorded_keys
from harness.config.blocks.paths import flatten
from harness.config.blocks.reads import Reads
from harness.config.blocks.training import GradNormBalanceBlock, RampBalanceBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.space.compose import compose, load_preset
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.store.writer import RunWriter
from harness.trial.unit_run import UnitRun
from tests.harness.conftest import TINY, MakeUnit

SHORT: dict[str, Any] = {"optimiser.epochs": 1, "optimiser.steps_per_epoch": 1, "evaluation.train_subset": 16}
EVERYTHING: dict[str, Any] = {
    "optimiser.epochs": 2,
    "curriculum.phase1_epochs": 1,
    "predict.mode": "branch_select",
    "evaluation.protocol": "documented",
    "limits": {"generalisation_gap": 0.2},
    "loss.contrastive.weight": 0.5,
    "balance.kind": "ramp",
}
GRAD_NORM = {"balance.kind": "grad_norm", "loss.contrastive.weight": 0.5}
TRIAL = "harness.trial.unit_run:UnitRun"
SAMPLER = "harness.trial.unit_run:build_sampler"
EVALUATION = "harness.trial.evaluation:Evaluation"
SCHEDULE = "harness.trial.step.schedule:Schedule.__init__"
BALANCE = "harness.trial.step.balance:GradNorm.arguments"
BROKEN: dict[str, tuple[str, str, str]] = {
    "evaluation.batch": ("harness.trial.evaluation:score_splits", "config.evaluation.batch", "256"),
    "evaluation.train_subset": (f"{EVALUATION}.__init__", "settings.evaluation.train_subset", "16"),
    "evaluation.protocol": (f"{EVALUATION}._of_selection", "self.settings.evaluation.protocol", "'exact'"),
    "support.draws": (f"{EVALUATION}._of_selection", "self.settings.support.draws", "2"),
    "support.size": (f"{TRIAL}.__init__", "settings.support.size", "8"),
    "predict.mode": (f"{EVALUATION}.__init__", "settings.predict.mode", "'unified'"),
    "limits": (f"{TRIAL}.__init__", "settings.limits", "None"),
    "episode.query": (SAMPLER, "settings.episode.query", "16"),
    "episode.per_step": (SAMPLER, "settings.episode.per_step", "4"),
    "episode.sampler": (SAMPLER, "settings.episode.sampler", "'random'"),
    "streams": (f"{TRIAL}.__init__", "first.streams", "''"),
    "permuted": ("harness.trial.step.trainer:Trainer.__init__", "config.permuted", "()"),
    "frozen": ("harness.trial.step.trainer:Trainer.__init__", "config.frozen", "''"),
    "optimiser.epochs": (f"{TRIAL}._is_trained", "self.settings.optimiser.epochs", "1"),
    "optimiser.steps_per_epoch": (SAMPLER, "settings.optimiser.steps_per_epoch", "1"),
    "routing": ("harness.trial.step.trainer:Trainer.__init__", "first.routing", "'isolated'"),
    "curriculum.phase1_epochs": (SCHEDULE, "curriculum.phase1_epochs", "0"),
    "balance.epochs": (SCHEDULE, "balance.epochs", "2.0"),
    "balance.momentum": (BALANCE, "block.momentum", "0.9"),
    "balance.warmup": (BALANCE, "block.warmup", "20"),
}
"""Key -> the function that reads it, what it asks for, and what it takes instead."""
AGAIN = {"support.size": (SAMPLER, "settings.support.size", "8")}
"""The second reader of a key that has two."""
ONLY_EVERYTHING = {"curriculum.phase1_epochs", "balance.epochs", "limits"}
ONLY_GRAD_NORM = {"balance.momentum", "balance.warmup"}


def broken(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """Make the real readers of these keys take a constant where they asked the configuration."""
    readers = [table[key] for table in (BROKEN, AGAIN) for key in keys if key in table]
    for place in dict.fromkeys(reader[0] for reader in readers):
        module_name, _, name = place.partition(":")
        holder: Any = importlib.import_module(module_name)
        *parents, last = name.split(".")
        for parent in parents:
            holder = getattr(holder, parent)
        function = getattr(holder, last)
        source = textwrap.dedent(inspect.getsource(function))
        for where, asked, instead in readers:
            assert where != place or asked in source, f"{place} does not ask for {asked} any more"
            source = source.replace(asked, instead) if where == place else source
        names: dict[str, Any] = {}
        exec(source, function.__globals__, names)
        monkeypatch.setattr(holder, last, names[last])


def ended(unit_run: UnitRun) -> list[str]:
    while not unit_run.finished:
        unit_run.advance()
    assert unit_run.status == "done"
    return unrecorded_keys(unit_run.reads)


@pytest.mark.parametrize("changes", [EVERYTHING, GRAD_NORM], ids=["everything", "grad_norm"])
def test_only_readers_that_ignore_their_keys_are_accused(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    config = compose(TINY, {**SHORT, **changes})
    asked = set(unrecorded_keys(Reads(config))) - {"audit"}  # who ignores `audit` never comes to the audit
    own = set(BROKEN) - (ONLY_GRAD_NORM if changes == EVERYTHING else ONLY_EVERYTHING)
    assert asked == own
    assert ended(make_unit({**SHORT, **changes}, run="intact")) == []
    broken(monkeypatch, *own)
    assert set(ended(make_unit({**SHORT, **changes}, run="broken"))) == own


@pytest.mark.parametrize("name", ["minimal", "cross_attention", "rp04", "rp24", "rp25"])
def test_no_preset_is_accused(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path, name: str
) -> None:
    preset = load_preset(name)
    small = flatten({key: TINY[key] for key in ("support", "episode")}) | {
        f"model.{key}": TINY["model"][key] for key in ("embedding", "kernel", "width", "pool")
    }
    small |= {**SHORT, "audit": "off", "optimiser.epochs": 3 if "curriculum" in preset else 1}
    if name != "cross_attention":
        small["environment.width"] = 4
    config = compose(preset, small).resolved()
    assert (
        ended(UnitRun(config, tiny_dataset, tiny_fold, 0, RunWriter(tmp_path), inspector=AuditInspector))
        == []
    )


def test_the_audit_of_the_end_names_the_key_and_no_other(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = {**SHORT, "environment.source": "none", "audit": "warn"}
    broken(monkeypatch, "evaluation.batch")
    make_unit(bare, run="broken").advance()
    rows = pq.read_table(tmp_path / "broken" / "audit").to_pandas()
    assert set(rows.moment) == {"first", "last"}
    (found,) = rows[rows.verdict == "inert"].to_dict("records")
    assert (found["moment"], found["id"], found["mechanism"]) == ("last", "-", "evaluation.batch")
    assert found["reason"].startswith("evaluation.batch is configured and nothing reads it")
    strict = make_unit({**bare, "audit": "strict"}, run="strict")
    strict.advance()
    assert (strict.status, strict.epoch) == ("stopped", 1), "never done with an inert mechanism at its end"
    assert (
        "evaluation.batch is inert (key): evaluation.batch is configured and nothing" in strict.row["reason"]
    )
    cells = pq.read_table(tmp_path / "strict" / "cells").to_pandas()
    assert "test" in set(cells.split), "the final evaluation is kept"


def test_resumed_trial_that_ends_at_once_is_not_accused(
    make_unit: MakeUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**SHORT, **EVERYTHING}
    make_unit(changes).advance()
    pruned = make_unit(changes)
    pruned.close("pruned", "behind")
    assert unrecorded_keys(pruned.reads) == []
    broken(monkeypatch, "support.draws")
    make_unit(changes, run="third").advance()
    resumed = make_unit(changes, run="third")
    assert ended(resumed) == ["support.draws"]
    resumed.reads.resume(None)
    assert unrecorded_keys(resumed.reads) == []  # a checkpoint that does not say what was read before


def test_a_trial_that_ends_in_its_first_epoch_is_not_accused(make_unit: MakeUnit) -> None:
    stopped = make_unit({**SHORT, "optimiser.epochs": 5}, stop_rules=("collapse",))
    stopped.live.see = lambda *_: ([], "told")  # type: ignore[method-assign]  # one unit's, not the class's
    stopped.advance()
    assert stopped.finished
    assert unrecorded_keys(stopped.reads) == []


def test_recording_changes_no_result(
    make_unit: MakeUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {**SHORT, **EVERYTHING, "optimiser.steps_per_epoch": 2}
    ended(make_unit(changes, run="recorded"))
    init = Reads.__init__

    def plain(self: Reads, config: ConfigurationBlock) -> None:
        init(self, config)
        self.view = config

    monkeypatch.setattr(Reads, "__init__", plain)
    assert "support.draws" in ended(make_unit(changes, run="plain"))
    for table in ("cells", "predictions", "terms"):
        one, other = (pq.read_table(tmp_path / run / table).to_pandas() for run in ("recorded", "plain"))
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_view_equals_the_configuration_and_notes_what_is_asked() -> None:
    config = compose(TINY, GRAD_NORM)
    reads = Reads(config)
    view = reads.view
    assert isinstance(view, ConfigurationBlock)
    assert isinstance(view.balance, GradNormBalanceBlock)
    assert not isinstance(view.balance, RampBalanceBlock)
    assert view.model_dump() == config.model_dump()
    assert (view.id, view.canonical(), repr(view)) == (config.id, config.canonical(), repr(config))
    assert view == config
    for plain in (copy.copy(view), copy.deepcopy(view), pickle.loads(pickle.dumps(view)), view.model_copy()):
        assert type(plain) is ConfigurationBlock
        assert plain.support.size == 8
    with reads.paused():
        assert view.support.size == 8
    assert reads.seen == set()
    assert getattr(view.environment, "nothing", None) is None
    assert view.support.draws == 3
    assert [name for name, _ in view.curriculum] == ["phase1_epochs", "ramp_epochs"]
    assert reads.seen == {"support.draws", "curriculum.phase1_epochs", "curriculum.ramp_epochs"}
    with pytest.raises(AttributeError):
        view.support.size = 9  # type: ignore[misc]  # it is refused, as mypy says


def test_phase_1_reads_all_of_a_block_that_it_takes_whole() -> None:
    def asked(ask: Any) -> set[str]:
        reads = Reads(compose(TINY, GRAD_NORM))
        ask(reads)
        assert reads.seen == reads.early - {"curriculum.phase1_epochs"}
        return reads.seen

    every = {f"balance.{name}" for name in GradNormBalanceBlock.model_fields}
    assert asked(lambda reads: reads.first.balance.model_dump()) == every
    assert asked(lambda reads: reads.first.balance == reads.config.balance) == every
    assert asked(lambda reads: pickle.dumps(reads.first.balance)) == every
    assert asked(lambda reads: reads.first.balance) == set()
    assert asked(lambda reads: reads.view.balance.model_dump()) == set()
    assert "environment.fusion.alpha" in asked(lambda reads: reads.first.environment.identity())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda part: pickle.loads(pickle.dumps(part))])
def test_a_copy_of_what_phase_1_is_built_of_reads_all_of_it(copied: Any) -> None:
    reads = Reads(compose(TINY, GRAD_NORM))
    content = copied(reads.plain["balance"])
    assert reads.early == {f"balance.{name}" for name in content} | {"curriculum.phase1_epochs"}
    assert content == reads.config.balance.model_dump()
