"""Truncated plan, appended configurations and provenance: named, put aside, made again."""

import errno
import json
from pathlib import Path

import pytest

from analysis.errors import UserError
from analysis.schema import ADDED, PROVENANCE
from analysis.store import Run
from analysis.unit_log import UnitLog, log_file, rows_frame
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.data.folds import Fold
from harness.design.plan import FILE, Plan
from harness.store.exporting import export
from harness.store.log_writer import LogWriter
from harness.sweep.run.documents import mend_run
from harness.sweep.start import prepare

YAML = """
name: small
base: minimal
data: {synthetic: {form: gated}}
trial: {epochs: 3, seeds: 2}
space:
  episode.query: {choice: [8, 16, 32]}
trials: 3
"""
FOLD = Fold("fold0", ("a",), ("b",), ("chr1",))


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    (tmp_path / "small.yaml").write_text(YAML)
    return load_sweep(tmp_path / "small.yaml")


@pytest.fixture
def run(tmp_path: Path, sweep: Sweep) -> Path:
    """Two configurations with results, and a third that was only appended to the plan."""
    folder = tmp_path / "run"
    plan = Plan.of(sweep, folds=[FOLD], data="d" * 64)
    for query in (8, 16):
        plan = plan.add(sweep.resolved({"episode.query": query}, gpu=False), {"episode.query": query})
    plan.save(folder)
    for unit in plan.units():
        planned = plan.configs[unit.config_id]
        row = {"config": unit.config_id, "fold": unit.fold, "seed": unit.seed, "status": "done"}
        texts = {
            "config_json": json.dumps(planned.config.canonical(), sort_keys=True),
            "changes_json": json.dumps(dict(planned.changes)),
            "fold_json": json.dumps(FOLD.content()),
        }
        LogWriter(log_file(folder, unit.name)).append(rows_frame({**row, **texts}, {}))
        export(folder, UnitLog.read(log_file(folder, unit.name)))
    third = sweep.resolved({"episode.query": 32}, gpu=False)
    plan.add(third, {"episode.query": 32}).append(folder, third.id)
    (folder / PROVENANCE).write_text(json.dumps({"data": {"hash": "d" * 64}}))
    return folder


def _configs(run: Path) -> set[str]:
    plan = Plan.load(run)
    assert plan is not None
    return set(plan.configs)


def test_whole_documents_need_nothing(run: Path, sweep: Sweep) -> None:
    assert mend_run(run, sweep) == []
    assert mend_run(run / "none", sweep) == []


def test_a_truncated_plan_is_made_again_from_the_store(run: Path, sweep: Sweep) -> None:
    before = Plan.load(run)
    assert before is not None
    (run / FILE).write_text((run / FILE).read_text()[:300])
    assert Run(run).plan() == {}
    (said,) = mend_run(run, sweep)
    assert said.startswith("plan.json cannot be read and was put aside as plan.json.damaged")
    after = Plan.load(run)
    assert after is not None
    assert after.status == "interrupted"
    assert {**after.configs} == {**before.configs}
    assert after.data == before.data
    assert (after.folds, after.seeds, after.trials) == ((FOLD.id,), (0, 1), 3)
    assert after.known == before.known


def test_missing_plan_is_made_again_and_a_dry_run_sees_the_same(run: Path, sweep: Sweep) -> None:
    before = Plan.load(run)
    assert before is not None
    (run / FILE).unlink()
    fresh = Plan.of(sweep, folds=[FOLD], data="d" * 64)
    with pytest.raises(UserError, match=r"whose plan.json is missing beside 4 stored units \(.*add --resume"):
        prepare(sweep, fresh, run, resume=False, gpu=False)
    dry = prepare(sweep, fresh, run, resume=True, gpu=False)
    assert not (run / FILE).exists(), "nothing is written"
    assert dry.sentences[0] == "plan.json is missing beside 4 stored units: made again from the store"
    (said,) = mend_run(run, sweep)
    assert said == (
        "plan.json is missing beside 4 stored units: made again from the 3 configurations of the store"
    )
    after = Plan.load(run)
    assert after is not None
    assert after.status == "interrupted"
    assert {**after.configs} == {**before.configs}
    assert after.known == before.known
    start = prepare(sweep, fresh, run, resume=True, gpu=False)
    assert (start.pending, start.aside) == (dry.pending, dry.aside)
    assert len(start.aside) == 1
    assert len(start.aside[0].units) == 4, "they have no stamp at all"


def test_a_damaged_plan_is_foreseen_by_a_dry_run(run: Path, sweep: Sweep) -> None:
    fresh = Plan.of(sweep, folds=[FOLD], data="d" * 64)
    (run / FILE).write_text("{")
    dry = prepare(sweep, fresh, run, resume=True, gpu=False)
    assert dry.sentences[0] == "plan.json cannot be read: made again from the store"
    mend_run(run, sweep)
    assert prepare(sweep, fresh, run, resume=True, gpu=False).pending == dry.pending


def test_a_plan_of_which_nothing_says_the_data_is_not_guessed(run: Path, sweep: Sweep) -> None:
    for name in (FILE, PROVENANCE):
        (run / name).write_text("{")
    with pytest.raises(
        UserError, match=r"plan.json cannot be read, and neither units nor provenance.json say"
    ):
        mend_run(run, sweep)


@pytest.mark.parametrize("text", ["", '{"command": [', "[]", "\x00\x00"])
def test_a_truncated_provenance_is_put_aside(run: Path, sweep: Sweep, text: str) -> None:
    (run / PROVENANCE).write_text(text)
    (said,) = mend_run(run, sweep)
    assert said.startswith("provenance.json cannot be read")
    assert not (run / PROVENANCE).exists()
    assert (run / f"{PROVENANCE}.damaged").read_text() == text


def test_damaged_appended_configuration_leaves_the_others(run: Path, sweep: Sweep) -> None:
    before, good = _configs(run), (run / ADDED).read_bytes()
    (run / ADDED).write_bytes(good[:200] + b"\n" + good)
    opened = Run(run)
    assert len(opened.plan()["configs"]) == 3
    assert f"{ADDED}, line 1" in opened.problems[0]
    (said,) = mend_run(run, sweep)
    assert "1 of its 2 configurations are kept" in said
    assert _configs(run) == before
    (run / ADDED).write_bytes(good[:200])
    assert mend_run(run, sweep) == []
    assert len(_configs(run)) == 2, "half a line is a driver that was killed"


@pytest.mark.parametrize("name", [FILE, PROVENANCE, ADDED])
def test_a_folder_in_place_of_a_document_is_put_aside(run: Path, sweep: Sweep, name: str) -> None:
    before = _configs(run)
    (run / name).unlink()
    (run / name).mkdir()
    (said,) = mend_run(run, sweep)
    assert said.startswith(f"{name} cannot be read and was put aside as {name}.damaged")
    assert (run / f"{name}.damaged").is_dir()
    assert len(before - _configs(run)) == (name == ADDED)
    assert mend_run(run, sweep) == []


@pytest.mark.parametrize("name", [FILE, PROVENANCE, ADDED])
def test_a_document_that_may_not_be_read_is_said_and_stays(
    run: Path, sweep: Sweep, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def denied(file: Path) -> bytes:
        if file.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(file)

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(UserError, match=rf"{name} cannot be read \(Permission denied\)"):
        mend_run(run, sweep)
    assert (run / name).exists()


def test_a_plan_that_is_a_folder_or_no_text_is_one_sentence(run: Path) -> None:
    (run / FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="this is not the plan of a run"):
        Plan.load(run)
    (run / FILE).unlink()
    (run / FILE).mkdir()
    with pytest.raises(UserError, match=r"the plan of the run cannot be read \(Is a directory\)"):
        Plan.load(run)
