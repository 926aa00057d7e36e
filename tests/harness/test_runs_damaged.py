"""`python -m harness.runs` of runs that are damaged, pruned or not to be entered: what it says, and to whom."""

import contextlib
import dataclasses
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from harness.runs.listing import Listing
from harness.runs.summary import elapsed, size_text
from tests.harness.test_runs import planned, refused, runs, said
from tests.recorded.copies import COPIES, write, write_unit


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of two configurations with three seeds on one fold, in a folder of runs."""
    return planned(tmp_path / "runs" / "copies", list(COPIES[:2]))


def row_of(folder: Path, name: str) -> list[str]:
    """The words of a run's row."""
    (row,) = [
        line.split() for line in runs("list", folder).stdout.splitlines() if line.startswith(f"{name} ")
    ]
    return row


def joined(text: str) -> str:
    """A text without its spaces and line breaks, which are where a path is folded too."""
    return "".join(text.split())


@contextlib.contextmanager
def shut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder that nobody may enter, for the superuser too."""
    stat = os.stat

    def refusing(path: object, *arguments: object, **options: object) -> os.stat_result:
        if isinstance(path, (str, Path)) and folder in Path(path).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", refusing)
        yield


def test_a_folder_that_may_not_be_entered_hides_no_other(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned(run.parent / "other", [COPIES[0]])
    with shut(run, monkeypatch):
        assert row_of(run.parent, "copies") == ["copies", "unreadable"]
        assert row_of(run.parent, "other")[1] == "finished"
        assert joined("copies cannot be read (Permission denied)") in joined(said("list", run.parent))
        assert "copies cannot be read (Permission denied)" in refused("show", run)
        assert "no such run" in refused("show", run.parent / "othre")


@pytest.mark.parametrize("content", ['{"version": 2, "na', "[]", None])
def test_a_damaged_plan_is_said_and_is_no_run_of_another_kind(run: Path, content: str | None) -> None:
    (run / "sweep.yaml").write_text("name: x\n")
    (run / "plan.json").unlink()
    if content is not None:
        (run / "plan.json").write_text(content)
    sentence = "plan.json is not there" if content is None else "plan.json cannot be read"
    assert row_of(run.parent, "copies")[1:5] == ["damaged", "-", "2", "6/?"]
    assert f"note: copies: {sentence}" in said("list", run.parent)
    shown = said("show", run)
    assert "status            damaged" in shown
    assert f"not read: {sentence}" in shown
    other = planned(run.parent / "other", [COPIES[0]])
    assert sentence in refused("combine", other, run, "--out", run.parent / "both")


def test_lost_rows_are_not_units_that_never_began(run: Path) -> None:
    for file in (run / "units").iterdir():
        file.write_bytes(b"")
    listed, shown = runs("list", run.parent), runs("show", run)
    assert (listed.returncode, shown.returncode) == (1, 1)
    assert "?/6" in listed.stdout
    assert "note: copies: units/aaa111-chr8-0.parquet cannot be read" in listed.stdout
    assert "6 planned: their rows cannot be read" in shown.stdout
    assert "not read: units/aaa111-chr8-0.parquet cannot be read" in refused("trial", run, "aaa")


def test_damaged_notes_hide_nothing_else(run: Path) -> None:
    (run / "notes.json").write_text("[")
    assert row_of(run.parent, "copies")[1] == "finished"
    assert joined("notes.json cannot be read as tags and a note") in joined(said("list", run.parent))
    assert joined("notes.json cannot be read as tags and a note") in joined(said("show", run))


def test_units_that_were_kept_from_beginning_have_no_result(tmp_path: Path) -> None:
    run = pruned_on_one_fold(tmp_path / "runs" / "pruned")
    assert row_of(run.parent, "pruned")[4] == "9/12"
    assert "3 pruned before it began" in said("show", run)


def test_a_search_that_goes_on_counts_what_it_will_propose(run: Path) -> None:
    planned(run, list(COPIES[:2]), design="search", trials=8, status="running")
    assert row_of(run.parent, "copies")[1:5] == ["interrupted", "search", "8", "6/24"]


def pruned_on_one_fold(path: Path) -> Path:
    """A run of two folds; the second configuration was pruned on the first, and never began on the other."""
    run = planned(path, [COPIES[0], dataclasses.replace(COPIES[1], status="pruned")])
    plan = json.loads((run / "plan.json").read_text())
    plan["folds"]["chr9"] = plan["folds"]["chr8"]
    (run / "plan.json").write_text(json.dumps(plan))
    for seed in (0, 1, 2):
        write_unit(run, COPIES[0], seed, "chr9")
        write_unit(run, dataclasses.replace(COPIES[1], status="pruned", unit={"epochs": 0}), seed, "chr9")
        write(run, "cells", f"bbb222-chr9-{seed}.parquet", [])
    return run


def test_diff_is_over_the_units_that_both_have_a_value_of(tmp_path: Path) -> None:
    run = pruned_on_one_fold(tmp_path / "run")
    shown = said("diff", run, "aaa", "bbb")
    (row,) = [line.split() for line in shown.splitlines() if line.startswith("macro AUPR")]
    assert float(row[3]) - float(row[2]) == pytest.approx(float(row[4]), abs=1e-4)
    words = " ".join(shown.split())
    assert "3 pairs of units of one fold and seed, fold fold0; t over 3 seeds" in words
    assert "3 units of aaa111 left out, without a partner" in words
    assert "censored: 3 units of bbb222 ended early" in words


@pytest.mark.parametrize("width", [60, 40])
def test_a_narrow_terminal_has_every_name_and_number(run: Path, width: int) -> None:
    planned(run.parent / "a-run-with-quite-a-long-name", [COPIES[0]])
    console = Console(width=width, record=True, file=io.StringIO())
    for part in Listing.of(run.parent).view():
        console.print(part)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for said_of in ("a-run-with-quite-a-long-name status finished", "units 6/6", "best 0."):
        assert said_of in words


def test_combine_says_where_runs_contradict_each_other(run: Path, tmp_path: Path) -> None:
    again = planned(tmp_path / "again", list(COPIES[:2]))
    whole = said("combine", run, again, "--out", tmp_path / "both")
    assert "6 units that several runs have: taken from the first\n" in whole
    for seed in (0, 1):
        write_unit(again, dataclasses.replace(COPIES[1], unit={"objective_value": 0.9, "epochs": 5}), seed)
    other = said("combine", run, again, "--out", tmp_path / "differing")
    assert (
        "taken from the first; 2 of them with other results there (epochs, objective_value; the objective by"
        in other
    )


def test_a_mistake_in_the_command_is_one_sentence_too() -> None:
    sentence = "error: the following arguments are required: RUN (python -m harness.runs show --help says what it takes)"
    assert refused("show") == f"{sentence}\n"
    assert runs("show", "--help").stdout.startswith(
        "usage: python -m harness.runs show [-h] [--lang LANG] RUN\n"
    )


def test_a_run_is_not_combined_into_another(run: Path, tmp_path: Path) -> None:
    again = planned(tmp_path / "again", list(COPIES[:2]))
    assert "is inside the run" in refused("combine", run, again, "--out", run / "inside")
    assert not (run / "inside").exists()


def test_sizes_and_ages_are_for_people() -> None:
    assert [size_text(n) for n in (0, 999, 3400, 123_456, 2_500_000)] == [
        "0 B",
        "999 B",
        "3.4 kB",
        "123 kB",
        "2.5 MB",
    ]
    assert [elapsed(n) for n in (-1, 119, 121, 7300, 200_000)] == ["0 s", "119 s", "2 min", "2 h", "2 d"]
