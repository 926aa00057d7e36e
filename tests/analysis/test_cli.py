"""The command line, by running it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from analysis.__main__ import main, print_ranking
from analysis.errors import UserError
from tests.harness.command import command
from tests.recorded.copies import Copy, write_run, write_unit

ROOT = Path(__file__).parents[2]


def test_ranking_of_a_run(run_path: Path) -> None:
    done = command("analysis", run_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    for expected in (
        "Run recorded",
        "4 configurations x 1 fold x 3 seeds (12 finished units)",
        "macro AUPR on val_unseen",
        "best_on_validation",
        "Student t over 3 seeds",
        "promoter_kmer_boosting",
        "rank-invariant",
        "cross_attention 0.685, rp04 0.701",
        "Warnings",
        "g generalisation_gap  documented, source document 004",
        "try:",
        "rank.ipynb",
    ):
        assert expected in done.stdout, expected
    ranked = [line for line in lines if line.strip()[:1].isdigit() and "energy=" in line]
    assert len(ranked) == 4
    assert {"gated" in line for line in ranked} == {True, False}


def test_comparison_of_a_key(planted: Path) -> None:
    done = command("analysis", "compare", planted, "--key", "energy.form", "--a", "linear", "--b", "gated")
    assert done.returncode == 0, done.stderr
    assert "gated is better than linear in pooled AUPR" in done.stdout
    assert "3 seeds cannot give a p below 0.25" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_rows_that_nothing_holds_any_more_are_an_exit_status(
    planted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(planted, run)
    file = min((run / "cells").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:100])
    keys = ["--key", "energy.form", "--a", "linear", "--b", "gated"]
    for arguments in ([str(run)], ["compare", str(run), *keys]):
        assert main(arguments) == 1
        said = " ".join(capsys.readouterr().out.split())
        assert f"not read: cells/{file.name} cannot be read" in said
        assert "incomplete: nothing else holds the rows of 1 file" in said


def test_help_teaches() -> None:
    done = command("analysis", "--help")
    assert done.returncode == 0
    for word in ("pooled_aupr", "val_unseen", "python -m analysis compare", "--healthy"):
        assert word in done.stdout


def test_a_file_that_nothing_replaces_is_status_1(run_path: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run_path, tmp_path / "run")
    next((run / "warnings").glob("*.parquet")).write_bytes(b"no table")
    done = command("analysis", run)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1  " in done.stdout, "what can be read is ranked"
    assert "warnings" in done.stdout


def test_a_run_without_a_finished_unit_is_a_mistake(run_path: Path, tmp_path: Path) -> None:
    run = shutil.copytree(run_path, tmp_path / "run")
    shutil.rmtree(run / "units")
    done = command("analysis", run)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no finished units, the table units is empty" in done.stderr


def test_a_mistake_is_one_sentence_and_status_2(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "analysis", str(tmp_path / "nothing")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"error: {tmp_path / 'nothing'}: no such run\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--by", "pooled"], "unknown metric 'pooled'; did you mean 'pooled_aupr'?"),
        (["--top", "0"], "--top must be at least 1"),
        (["--rope", "-1"], "--rope must be a number above 0, not -1"),
        (["--rope", "0"], "--rope must be a number above 0, not 0"),
        (["--rope", "inf"], "--rope must be a number above 0, not inf"),
        (["--rop", "1"], "python -m analysis has no option --rop; did you mean '--rope'?"),
    ],
)
def test_bad_options(run_path: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        main([str(run_path), *arguments])
    assert sentence in str(raised.value)


def test_bad_comparison_options(run_path: Path) -> None:
    base = ["compare", str(run_path), "--key", "energy.form", "--a", "linear", "--b", "gated"]
    for extra, sentence in (
        (["--metric", "aurp"], "did you mean 'aupr'"),
        (["--split", "tset"], "did you mean 'test'"),
    ):
        with pytest.raises(UserError, match=sentence):
            main([*base, *extra])


def test_nothing_finished(tmp_path: Path) -> None:
    (tmp_path / "empty" / "units").mkdir(parents=True)
    with pytest.raises(UserError, match="the table units is empty"):
        print_ranking(tmp_path / "empty")
    write_unit(tmp_path / "started", Copy("aaa111", {}, status="running"), 0)
    with pytest.raises(UserError, match=r"no finished units .*\(1 running\)"):
        print_ranking(tmp_path / "started")


def test_top_and_narrow_terminal(planted: Path) -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    print_ranking(planted, top=2, console=console)
    text = console.export_text()
    assert "2 more configurations are not shown" in text
    shown = [
        line.split()[0] for line in text.splitlines() if line.strip()[:1].isdigit() and "energy=" in line
    ]
    assert [number.rstrip("~") for number in shown] == ["1", "2"]


def test_many_changed_keys_still_fit(tmp_path: Path) -> None:
    keys = ("contrastive", "prototypes", "speculation", "ranking", "calibration", "sparsity")
    designs = [
        Copy(c * 12, {"energy.form": form, **{f"loss.{k}.weight": w + i for i, k in enumerate(keys)}})
        for c, form, w in (("a", "gated", 0.123456), ("b", "interaction", 0.3))
    ]
    run = write_run(tmp_path / "run", designs, seeds=(0,))
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    print_ranking(run, console=console)
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    assert "none: one seed says nothing about its own spread" in text
    assert " aaaaaa " in text, "what has no room is told by its identity"
    assert "loss.contrastive.weight=0.123456" in text, "the first one is said in full"
