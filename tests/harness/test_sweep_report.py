"""What a sweep says at its end, and with which status it ends."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from analysis.criteria import criterion_of
from analysis.report.page import FILE
from analysis.store import Run
from harness.config.blocks.sweep import SweepBlock
from harness.config.space.compose import compose
from harness.data.folds import Fold
from harness.design.plan import Plan, Planned
from harness.store.writer import RunWriter
from harness.sweep.report import conclude
from harness.sweep.run.saved import Saved
from harness.sweep.run.unrun import Unrun
from harness.sweep.start import Start
from harness.sweep.tuning import Outcome
from tests.harness.boards import FOLD, board, row
from tests.recorded.copies import RUN


@pytest.fixture
def start() -> Start:
    """A grid without anything left to run."""
    plan = Plan("small", "grid", "val_unseen/macro/aupr", "0" * 64, 1, (), (0,))
    return Start(plan, {}, 0, False, 1, 1, [], [])


def outcome(
    start: Start, status: str = "done", *, finished: bool = True, without_baselines: bool = False
) -> Outcome:
    shown = board(1)
    shown.enter(row("aaa", {}, 1)).trials[FOLD].status = status
    return Outcome(start.plan, finished, shown, [], without_baselines=without_baselines)


GRID = SweepBlock.model_validate(
    {"name": "g", "base": "minimal", "data": {"synthetic": {}}, "design": "grid"}
)


def concluded(run: Path, start: Start, ended: Outcome | None, config: SweepBlock = GRID) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    status = conclude(console, run, config, start, ended)
    assert isinstance(console.file, io.StringIO)
    return status, console.file.getvalue()


@pytest.mark.parametrize("ran", [True, False], ids=["after trials", "nothing to run"])
def test_status_is_1_where_nothing_can_be_ranked(start: Start, tmp_path: Path, ran: bool) -> None:
    run = shutil.copytree(RUN, tmp_path / "run")
    ended = outcome(start) if ran else None
    status, said = concluded(run, start, ended)
    assert (status, "1  " in said) == (0, True)
    shutil.rmtree(run / "units")
    status, said = concluded(run, start, ended)
    assert status == 1
    assert "no finished units" in said
    assert f"rank again  python -m analysis {run} --by {criterion_of(start.plan.objective).key}\n" in said


def test_status_of_a_ranked_sweep_says_what_is_not_whole(start: Start, tmp_path: Path) -> None:
    run = shutil.copytree(RUN, tmp_path / "run")
    (run / FILE).mkdir()
    assert concluded(run, start, outcome(start, "failed"))[0] == 1
    assert concluded(run, start, outcome(start, without_baselines=True))[0] == 1
    assert concluded(run, start, outcome(start, finished=False))[0] == 3


def test_report_ends_a_sweep_and_fails_none(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(RUN, tmp_path / "run")
    status, said = concluded(run, start, outcome(start))
    assert status == 0
    assert f"report      {run / FILE} (" in said
    assert (run / FILE).stat().st_size < 5_000_000
    (run / FILE).unlink()
    (run / FILE).mkdir()
    status, said = concluded(run, start, outcome(start))
    assert status == 0
    assert "report      not written: " in said
    monkeypatch.setattr("analysis.report.command.report_of", lambda *_: 1 / 0)
    status, said = concluded(run, start, outcome(start))
    assert (status, "not written: ZeroDivisionError: division by zero" in said) == (0, True)


def test_what_early_stopping_saved_is_said(tmp_path: Path) -> None:
    config = compose({"optimiser": {"epochs": 10}}, {}).resolved(gpu=False)
    folds = [Fold(name, (name,), ("v",), ("chr1",)) for name in ("a", "b")]
    known = {fold.id: fold for fold in folds}
    configs = {config.id: Planned({}, config)}
    plan = Plan(
        "s", "search", "val_unseen/macro/aupr", "0" * 64, 1, tuple(known), (0, 1, 2), configs, known=known
    )
    ends = [("done", 10, ""), ("stopped", 7, "mode_collapse"), ("stopped", 0, "audit: inert")]
    for unit, (status, epochs, reason) in zip(plan.units()[:3], ends, strict=True):
        key = {"config": unit.config_id, "fold": unit.fold, "seed": unit.seed, "status": status}
        RunWriter(tmp_path).write("units", unit.name, [{**key, "epochs": epochs, "reason": reason}])
    unrun = Unrun(tmp_path, plan.objective, "cpu", None)
    unrun.prune(plan, plan.units()[3:], "pruned after epoch 2: worse")
    saved = Saved.of(tmp_path, plan)
    assert saved.sentence("asha", "mode_collapse") == (
        "early stopping saved 33 of 50 epochs (66 %): 30 by asha, 3 by mode_collapse"
    )
    rows = Run.open(tmp_path).table("units").set_index(["fold", "seed"]).loc[folds[1].id]
    assert set(rows["status"]) == {"pruned"}
    assert set(rows["reason"]) == {"pruned after epoch 2: worse"}
    assert set(rows["epochs"]) == {0}
