"""Configurations and units of a run that goes on are counted once, and every view says those numbers."""

import fcntl
import json
import math
import shutil
from pathlib import Path

import pytest

from analysis.counts import FINISHED, counts
from analysis.next_step import next_step
from analysis.ranking import rank
from analysis.report.page import report_html
from analysis.schema import LOCK
from analysis.store import Run
from analysis.verdict import StandingVerdict
from harness.runs.summary import RunSummary
from harness.store.trial_lock import at_work
from tests.analysis.ranked_text import ranked_text
from tests.analysis.test_widths import lines
from tests.recorded.copies import Copy, write_run, write_unit

PLAN = {
    "version": 2, "name": "part", "status": "running", "design": "search", "objective": "val_unseen/macro/aupr",
    "trials": 4, "folds": {"chr8": {"name": "fold0", "test": [], "val": [], "chromosomes": []}}, "seeds": [0, 1, 2],
}  # fmt: skip


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of four configurations, of which three are proposed: one finished, one with a unit done and one running."""
    folder = write_run(
        tmp_path_factory.mktemp("counted") / "part", [Copy("aaa111", {"energy.form": "linear"})]
    )
    write_unit(folder, Copy("bbb222", {"energy.form": "gated"}), 0)
    write_unit(folder, Copy("bbb222", {"energy.form": "gated"}, status="running"), 1)
    configs: list[dict[str, object]] = [
        {"id": name, "changes": {}} for name in ("aaa111", "bbb222", "ccc333")
    ]
    (folder / "plan.json").write_text(json.dumps({**PLAN, "configs": configs}), encoding="utf-8")
    (folder / LOCK).touch()
    return folder


def test_units_are_counted_by_what_became_of_them(part: Path) -> None:
    told = counts(Run.open(part))
    assert told.states == {FINISHED: 4, "interrupted": 1, "not started": 7}
    assert (told.configurations, told.planned, told.begun, told.finished, told.to_come) == (4, 12, 5, 4, 8)
    assert told.of(["bbb222"]).states == {FINISHED: 1, "interrupted": 1, "not started": 1}


def test_every_view_says_the_same_numbers(part: Path) -> None:
    text = ranked_text(rank(Run.open(part)))
    assert "2 of 4 configurations x 1 fold x 3 seeds (4 of 12 units ranked)" in text
    assert "not ranked: 1 interrupted, 7 not started" in text
    assert "of 2 ranked configurations, " in text
    assert "of their 5 begun units" in text
    assert "of 5 begun units" in text
    page = report_html(rank(Run.open(part)))
    assert "8 of 12 units still to end" in page
    assert "2 of 4 configurations" in page
    assert "of their 5 begun units" in page
    summary = RunSummary(Run.open(part))
    assert (summary.configurations, summary.planned, summary.ended) == (4, 12, 4)


def test_going_on_is_advised_where_nothing_runs(part: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(part, tmp_path / "run"))
    assert "8 units have not ended: start the sweep again with --resume" in next_step(rank(Run.open(copy)))
    with (copy / LOCK).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        told = next_step(rank(Run.open(copy)))
    assert told == "the sweep is running, 8 of 12 units still to end: wait for it, then look again"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_trial_alone_is_told_to_wait_or_to_start_again(tmp_path: Path, lang: str) -> None:
    run = tmp_path / "run"
    write_unit(run, Copy("aaa111", {}), 0)
    write_unit(run, Copy("aaa111", {}, status="running"), 1)
    with at_work(run):
        summary = RunSummary(Run.open(run))
        assert summary.status == "running"
        (*_, working) = lines(run, 120, lang)
    (*_, ended) = lines(run, 120, lang)
    wait, again = {
        "en": (
            "next: a trial is running, 1 unit still to end: wait",
            "next: 1 unit has not ended: start the trial again",
        ),
        "zh": ("下一步：试验正在运行，还有 1 个单元没有结束", "下一步：1 个单元尚未结束：再次启动该试验"),
    }[lang]
    assert working.startswith(wait)
    assert ended.startswith(again)


@pytest.mark.parametrize("copies", [1, 2])
def test_one_configuration_alone_is_not_told_to_confirm(
    copies: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(copies):
        write_unit(tmp_path / "run", Copy(f"aaa{number}", {"energy.w": number}), 0)
    monkeypatch.setattr(
        "analysis.next_step.verdict", lambda _: StandingVerdict((), "", math.nan, 0, 0, "", False)
    )
    told = next_step(rank(Run.open(tmp_path / "run")))
    assert told.startswith("one configuration alone") == (copies == 1)


def test_what_every_row_carries_is_in_the_heading(tmp_path: Path) -> None:
    copies = [Copy(f"{name}1", {"energy.form": name}, train=0.98) for name in ("linear", "gated")]
    run = write_run(tmp_path / "run", copies)
    ranking, text = rank(Run.open(run)), ranked_text(rank(Run.open(run)))
    plain = ranking.findings[~ranking.findings["implied"]]
    everywhere = {str(mark) for mark, some in plain.groupby("mark")["config"] if some.nunique() == 2}
    assert "o" in everywhere
    assert set(text.split(" all: ")[1].split()[0]) == everywhere
