"""`python -m harness.runs`: what it says of runs, and what its commands leave behind."""

import contextlib
import dataclasses
import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analysis.ranking import rank
from analysis.schema import LOCK
from analysis.store import Run
from harness.runs.notes import Notes, change_notes
from tests.harness.command import Ended, command
from tests.recorded.copies import COPIES, RUN, Copy, write_run, write_unit


def runs(*arguments: object) -> Ended:
    """The command line, run to its end."""
    return command("harness.runs", *arguments)


def said(*arguments: object) -> str:
    """What a command that goes well prints."""
    ended = runs(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def refused(*arguments: object, label: str = "error: ") -> str:
    """The sentence of one that does not, with its label, which is in the sentence's language."""
    ended = runs(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith(label)
    assert ended.stderr.count("\n") == 1
    return ended.stderr


@contextlib.contextmanager
def driven(run: Path) -> Iterator[None]:
    """A driver at work in a run."""
    with (run / LOCK).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def planned(path: Path, copies: list[Copy], seeds: tuple[int, ...] = (0, 1, 2), **changes: Any) -> Path:
    """A run of copies with a plan that asks for them."""
    write_run(path, copies, seeds)
    plan = json.loads((RUN / "plan.json").read_text())
    (fold,) = plan["folds"].values()
    plan |= {"folds": {"chr8": fold}, "seeds": list(seeds), "status": "finished"}
    plan |= {
        "configs": [{"id": c.config, "changes": dict(c.changes), "config": {}} for c in copies],
        **changes,
    }
    (path / "plan.json").write_text(json.dumps(plan))
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The recorded run in a folder of runs."""
    return shutil.copytree(RUN, tmp_path / "runs" / "recorded")


def checkpoint(run: Path, unit: str, size: int = 100) -> Path:
    """A unit's checkpoint folder."""
    folder = run / "checkpoints" / unit
    folder.mkdir(parents=True)
    (folder / "last.pt").write_bytes(bytes(size))
    return folder


def test_it_imports_neither_torch_nor_ray() -> None:
    code = "import sys, harness.runs.__main__; print({'torch', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_list_has_a_row_per_run_in_80_columns(run: Path) -> None:
    planned(run.parent / "a-run-with-quite-a-long-name-2026-11", list(COPIES), trials=4)
    write_run(run.parent / "single", COPIES[:1], seeds=(0,))
    runs("tag", run, "paper", "gated")
    (run.parent / "no-run").mkdir()
    (run.parent / "old" / "trials").mkdir(parents=True)
    (run.parent / "old" / "trials" / "x.parquet").touch()
    lines = said("list", run.parent).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["run", "status", "design", "configs", "units", "best", "size", "age", "tags"]
    (row,) = [line.split() for line in lines if line.startswith("recorded")]
    assert row[1:6] == ["finished", "grid", "4", "12/12", "0.572"]
    assert row[-1] == "gated,"
    assert "paper" in lines[2].split() + lines[3].split(), "tags go on below each other"
    (row,) = [line.split() for line in lines if line.startswith("single")]
    assert row[1:5] == ["single", "-", "1", "1/1"]
    (row,) = [line.split() for line in lines if line.startswith("old")]
    assert row == ["old", "unreadable"]
    assert "no-run" not in "".join(lines)
    assert "note: " in "\n".join(lines)
    assert "or an earlier one, and this program reads version" in " ".join(lines)


def test_list_says_which_runs_are_at_work_or_interrupted(run: Path) -> None:
    for name in ("driven", "killed"):
        planned(run.parent / name, [COPIES[0]], status="running")
        (run.parent / name / LOCK).touch()
    with driven(run.parent / "driven"):
        rows = {line.split()[0]: line.split()[1] for line in said("list", run.parent).splitlines()[1:4]}
    assert rows == {"recorded": "finished", "driven": "running", "killed": "interrupted"}


def test_list_of_no_runs_and_of_no_folder(tmp_path: Path, run: Path) -> None:
    assert said("list", tmp_path).startswith("no runs in ")
    assert "there is no such folder" in refused("list", tmp_path / "nowhere")
    assert "is a run itself" in refused("list", run)


def test_show_says_what_the_run_is(run: Path) -> None:
    runs("note", run, "seeds 0 to 2 [all]")
    shown = said("show", run)
    assert max(map(len, shown.splitlines())) <= 80
    for words in (
        "status            finished",
        "note              seeds 0 to 2 [all]",
        "grid, 4 configurations",
        "12 planned: 12 done",
        "fold0 (test C6; validation C4, C5; held out chr1)",
        "0.5717, 7a798bedff37: energy=linear, ranking=1",
        f"code              {Run.open(run).table('units').code.iloc[0]}",
        "torch 2.13.0+cpu",
        "predictions",
    ):
        assert words in shown, words


def test_show_counts_units_of_every_code(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [COPIES[0]])
    write_unit(run, dataclasses.replace(COPIES[0], unit={"code": "another"}), 3)
    assert "another (1 unit)" in said("show", run)


def test_a_configuration_of_a_design_is_called_by_its_arm(tmp_path: Path) -> None:
    copies, names = [COPIES[0], COPIES[1]], ("base", "without gated")
    run = planned(tmp_path / "runs" / "arms", copies, seeds=(0, 1), design="leave_one_out")
    plan = json.loads((run / "plan.json").read_text())
    for entry, name in zip(plan["configs"], names, strict=True):
        entry |= {"arm": name, "family": "base" if name == "base" else "removal"}
    (run / "plan.json").write_text(json.dumps(plan))
    shown, listed = said("show", run), said("list", run.parent)
    facts = [line.rstrip() for line in shown.splitlines()]
    assert "arm               aaa111  base" in facts
    assert "arm               bbb222  without gated" in facts
    assert any(line.startswith("best") and line.endswith(", bbb222: without gated") for line in facts)
    assert "best of arms: without gated (bbb222)\n" in listed
    trial = said("trial", run, "without gated")
    assert trial.startswith("Configuration without gated (bbb222) of run arms\n\nChanges of the base\n")
    assert trial == said("trial", run, "bbb")
    compared = said("diff", run, "base", "without gated")
    assert compared.startswith("without gated (bbb222) against base (aaa111) in run arms\n")
    assert "key" in compared.splitlines()[3]
    for text in (shown, listed, trial, compared):
        assert max(map(len, text.splitlines())) <= 80
    assert "it has aaa111 (base); bbb222 (without gated)" in refused("trial", run, "without nothing")


def test_trial_has_changes_units_warnings_and_audit(run: Path) -> None:
    shown = said("trial", run, "492c")
    for words in (
        "energy.form          linear",
        "done    3 (best 1)  0.539",
        "mode_collapse  fault in 1 of 3 units",
        "14 mechanisms, each by its gravest verdict: 13 active, 1 rank-invariant",
    ):
        assert words in shown, words
    assert max(map(len, shown.splitlines())) <= 80


def test_trial_says_why_a_unit_ended(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", COPIES[:1])
    write_unit(
        run, dataclasses.replace(COPIES[0], status="diverged", unit={"reason": "the loss is not finite"}), 1
    )
    assert "diverged 1 unit: the loss is not finite" in said("trial", run, "aaa")


def test_a_configuration_that_is_not_there_or_is_several(tmp_path: Path) -> None:
    copies = [dataclasses.replace(COPIES[0], config="ab12"), dataclasses.replace(COPIES[1], config="ab34")]
    run = write_run(tmp_path / "run", copies)
    assert "did you mean 'ab34'?" in refused("trial", run, "ab35")
    several = refused("trial", run, "ab")
    assert "'ab' stands for 2 configurations: ab12 (energy=linear" in several
    assert "no configuration ''" in refused("trial", run, "")


def test_diff_of_configurations_has_keys_and_paired_results(run: Path) -> None:
    shown = said("diff", run, "492c", "29cf")
    assert "energy.form           linear         gated" in shown
    table = rank(Run.open(run)).configurations.set_index("config")["value"]
    difference = table["29cff3c90ff6"] - table["492cab43b5ba"]
    (row,) = [line.split() for line in shown.splitlines() if line.startswith("macro AUPR")]
    assert row[2:5] == [f"{table[c]:.4f}" for c in ("492cab43b5ba", "29cff3c90ff6")] + [f"{difference:+.4f}"]
    assert "equal: data set, code" in shown
    assert "one configuration, 492cab43b5ba" in refused("diff", run, "492c", "492cab43b5ba")


def test_diff_of_codes_names_the_modules_that_differ(tmp_path: Path) -> None:
    runs_of = [
        write_run(tmp_path / name, [dataclasses.replace(COPIES[0], unit={"code": name})])
        for name in ("a", "b")
    ]
    for run, hashes in zip(
        runs_of, ({"models.x": "1", "models.y": "2"}, {"models.x": "1", "models.y": "3"}), strict=True
    ):
        (run / "code").mkdir()
        (run / "code" / f"{run.name}.json").write_text(json.dumps({"modules": hashes}))
    shown = said("diff", *runs_of)
    assert "code: a against b" in shown
    assert "b differs from a in 1 module: models.y" in shown
    assert "1 configuration in both, 0 in a alone, 0 in b alone" in shown


def test_diff_of_runs_has_their_plans(run: Path) -> None:
    other = planned(run.parent / "other", list(COPIES[:2]), seeds=(0, 1), design="search")
    shown = said("diff", run, other)
    assert "seeds            [0, 1, 2]" in shown
    assert "0 in both" not in shown
    assert "expected another run, or two configurations" in refused("diff", run, "492c")
    assert "are one run" in refused("diff", run, run)


def test_tags_and_a_note_are_kept_and_taken_away(run: Path) -> None:
    assert said("tag", run, "paper", "draft") == "tags  draft, paper\nnote  none\n"
    assert said("note", run, "first look") == "tags  draft, paper\nnote  first look\n"
    assert said("tag", run, "--", "-draft") == "tags  paper\nnote  first look\n"
    assert said("note", run, "") == "tags  paper\nnote  none\n"
    assert Notes.of(run) == Notes(("paper",), "")
    assert "has no tag 'draft' to take away (it has paper)" in refused("tag", run, "--", "-draft")
    assert "expected up to 40 letters" in refused("tag", run, "two words")
    (run / "notes.json").write_text("[]")
    assert "notes.json cannot be read" in refused("tag", run, "x")


def test_tags_of_two_commands_at_once_are_both_kept(run: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.runs.notes import *\n"
        "for n in range(20): change_notes(Path(sys.argv[1]), lambda notes: notes.tagged([f'{sys.argv[2]}{n}']))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(run), name]) for name in "ab"]
    assert [one.wait() for one in both] == [0, 0]
    assert len(change_notes(run, lambda notes: notes).tags) == 40


def test_a_run_at_work_can_be_tagged(run: Path) -> None:
    with driven(run):
        assert "paper" in said("tag", run, "paper")


def test_prune_removes_checkpoints_that_no_resume_needs(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [COPIES[0]])
    write_unit(run, dataclasses.replace(COPIES[0], status="running"), 1)
    write_unit(run, dataclasses.replace(COPIES[0], status="failed"), 2)
    ended, running, failed, unknown = (checkpoint(run, f"aaa111-chr8-{name}") for name in (0, 1, 2, 9))
    (run / "checkpoints" / "aaa111.pruned").write_text("{}")
    ranked = rank(Run.open(run)).configurations
    dry = said("prune", run, "--dry-run")
    assert str(ended) in dry
    assert "1 checkpoint folder of ended units would be removed: 100 B (100 bytes)" in dry
    assert "3 of unfinished or failed units kept (300 B)" in dry
    assert ended.exists()
    assert "removed: 100 B (100 bytes)" in said("prune", run)
    assert not ended.exists()
    assert all(
        folder.exists() for folder in (running, failed, unknown, run / "checkpoints" / "aaa111.pruned")
    )
    assert rank(Run.open(run)).configurations.equals(ranked)
    assert "0 checkpoint folders" in said("prune", run)


def test_prune_leaves_a_running_and_an_unreadable_run_alone(run: Path) -> None:
    folder = checkpoint(run, "492cab43b5ba-fb7c419a8e9-0")
    with driven(run):
        assert "a sweep is running in this folder" in refused("prune", run)
        assert "a sweep is running in this folder" in refused("prune", run, "--dry-run")
    (file,) = (run / "units").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    assert "nothing is pruned" in refused("prune", run)
    assert folder.exists()


def test_a_combined_run_is_ranked_as_one_of_all_units(tmp_path: Path) -> None:
    first = planned(tmp_path / "first", [COPIES[0], COPIES[1]])
    second = planned(tmp_path / "second", [COPIES[1], COPIES[2]])
    checkpoint(first, "aaa111-chr8-0")
    printed = said("combine", first, second, "--out", tmp_path / "both")
    assert f"{first}: 6 units" in printed
    assert f"{second}: 3 units" in printed
    assert "3 units that several runs have: taken from the first" in printed
    both = tmp_path / "both"
    expected = rank(Run.open(planned(tmp_path / "whole", list(COPIES[:3])))).configurations
    there = rank(Run.open(both)).configurations
    columns = ["rank", "config", "value", "low", "high", "complete", "test_aupr", "difference"]
    assert there[columns].equals(expected[columns])
    assert not (both / "checkpoints").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both", "first", "second", "whole"]
    assert said("show", both).splitlines()[1].split() == ["status", "finished"]


def test_configurations_that_lack_combined_seeds_are_incomplete(tmp_path: Path) -> None:
    first = planned(tmp_path / "first", [COPIES[0]], seeds=(0, 1, 2))
    second = planned(tmp_path / "second", [COPIES[1]], seeds=(0, 1))
    write_unit(second, dataclasses.replace(COPIES[1], status="running"), 1)
    printed = said("combine", first, second, "--out", tmp_path / "both")
    assert "1 configuration with fewer seeds or folds than others: ranked after those" in printed
    assert "1 unit unfinished or failed: left out" in printed
    table = rank(Run.open(tmp_path / "both")).configurations.set_index("config")
    assert (table.loc["aaa111", "complete"], table.loc["bbb222", "complete"]) == (True, False)


@pytest.mark.parametrize(
    ("changes", "unit", "sentence"),
    [
        ({"data": "other"}, {}, "has other data than"),
        ({"objective": "val_unseen/pooled/nll"}, {}, "has another objective than"),
        ({"folds": {}}, {}, "has other folds than"),
        ({}, {"code": "x", "stamp": "y"}, "in code; --reuse-older-code takes them together"),
        ({}, {"scheduler": "x", "stamp": "y"}, "in scheduler\n"),
    ],
)
def test_runs_that_mean_nothing_together_are_not_combined(
    tmp_path: Path, changes: dict[str, Any], unit: dict[str, str], sentence: str
) -> None:
    first = planned(tmp_path / "first", [COPIES[0]])
    second = planned(tmp_path / "second", [dataclasses.replace(COPIES[1], unit=unit)], **changes)
    assert sentence in refused("combine", first, second, "--out", tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_units_of_older_code_are_combined_where_a_person_asks(tmp_path: Path) -> None:
    first = planned(tmp_path / "first", [COPIES[0]])
    second = planned(tmp_path / "second", [dataclasses.replace(COPIES[1], unit={"code": "x", "stamp": "y"})])
    said("combine", first, second, "--out", tmp_path / "both", "--reuse-older-code")
    assert rank(Run.open(tmp_path / "both")).mixture is not None
    other = planned(
        tmp_path / "other", [dataclasses.replace(COPIES[2], unit={"scheduler": "x", "stamp": "z"})]
    )
    sentence = refused("combine", first, other, "--out", tmp_path / "more", "--reuse-older-code")
    assert sentence.endswith("in scheduler\n")


def test_mistakes_of_combine_leave_nothing(tmp_path: Path, run: Path) -> None:
    assert "two runs or more" in refused("combine", run, "--out", tmp_path / "x")
    assert "is there already" in refused("combine", run, run.parent / "recorded", "--out", run)
    single = write_run(tmp_path / "single", COPIES[:1])
    (single / "plan.json").unlink()
    assert "has no plan.json" in refused("combine", run, single, "--out", tmp_path / "x")
    with driven(run):
        assert "a sweep is running in it" in refused(
            "combine", run, planned(tmp_path / "p", [COPIES[0]]), "--out", tmp_path / "x"
        )
    assert not (tmp_path / "x").exists()


def test_what_a_killed_combination_left_is_removed(tmp_path: Path) -> None:
    runs_of = [planned(tmp_path / name, [copy]) for name, copy in zip("ab", COPIES, strict=False)]
    killed, at_work, other = (
        tmp_path / f".{name}" for name in (f"both.{'0' * 32}", f"both.{'1' * 32}", "both.x")
    )
    for folder in (killed, at_work, other):
        folder.mkdir()
    with driven(at_work):
        said("combine", *runs_of, "--out", tmp_path / "both")
    assert [folder.exists() for folder in (killed, at_work, other)] == [False, True, True]
    assert not (tmp_path / "both" / LOCK).exists()


def test_help_teaches_and_commands_are_named(run: Path) -> None:
    helped = runs("--help").stdout
    for name in (
        "list [FOLDER]",
        "diff RUN RUN2",
        "tag RUN TAG...",
        "prune RUN [--dry-run]",
        "combine RUN... --out RUN",
    ):
        assert name in helped
    assert "did you mean 'show'?" in refused("sho", run)
