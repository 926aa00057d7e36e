"""One driver per run folder, from before the plan is read; a dry run refuses what the start would refuse."""

import errno
import fcntl
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from analysis.errors import UserError
from analysis.schema import LOCK
from harness.design.plan import Plan
from harness.stamp.code import Code
from harness.sweep.driver import run_sweep
from harness.sweep.options import Options, parse
from harness.sweep.run.lock import driver_running, only_driver
from tests.harness.without_ray import YAML, Small


@pytest.fixture
def options(tmp_path: Path) -> Options:
    file = tmp_path / "small.yaml"
    file.write_text(YAML)
    return parse([str(file), "--out", str(tmp_path / "deep" / "run"), "--cache", str(tmp_path / "cache")])


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that gets as far as Ray has not refused anything."""

    def refuse(**given: object) -> None:
        raise AssertionError("Ray would have been started")

    monkeypatch.setattr("harness.sweep.driver.cluster", refuse)


def _refusals(options: Options) -> list[str]:
    """What a start says, and what a dry run says."""
    said = []
    for dry in (False, True):
        with pytest.raises(UserError) as caught:
            run_sweep(replace(options, dry_run=dry), Console(quiet=True))
        said.append(str(caught.value))
    return said


def test_second_driver_is_refused_at_once_and_touches_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with only_driver(run):
        assert driver_running(run)
        with pytest.raises(UserError, match="another sweep is running in this folder"), only_driver(run):
            raise AssertionError("two drivers")
        assert driver_running(run)
        assert (run / LOCK).exists()
    assert not driver_running(run)
    assert not run.exists()


def test_the_lock_is_held_before_the_plan_is_read(
    options: Options, no_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    load = Plan.load

    def watched(cls: type[Plan], run: Path) -> Plan | None:
        held.append(driver_running(run))
        return load(run)

    monkeypatch.setattr(Plan, "load", classmethod(watched))
    with pytest.raises(AssertionError, match="Ray would"):
        run_sweep(replace(options, trials=None), Console(quiet=True))
    assert held
    assert all(held)
    assert options.out is not None
    assert not options.out.exists(), "nothing came to be in it"


def test_start_and_dry_run_refuse_a_folder_with_a_driver(options: Options) -> None:
    assert options.out is not None
    with only_driver(options.out):
        start, dry = _refusals(options)
    assert start == dry
    assert "another sweep is running" in dry
    assert not options.out.exists()
    assert not options.out.parent.exists(), "nor is what was made for it left"


def test_dry_run_refuses_in_the_words_of_a_start(
    options: Options, no_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tmp_path, "deep/run")
    (tmp_path / "file").write_text("a file")
    known: list[tuple[Options, str]] = [
        (replace(options, resume=True), "holds no run to continue"),
        (replace(options, out=tmp_path / "file" / "run"), "a file stands where a folder is needed"),
        (replace(options, sets=("resources.cpus_per_trial=1000",)), "this machine has .* CPUs; lower it"),
        (replace(options, sets=("support.size=900",)), "lower support.size"),
    ]
    for given, says in known:
        start, dry = _refusals(given)
        assert start == dry
        assert re.search(says, dry)
    small.start(epochs=1)
    before = sorted(str(file) for file in small.path.rglob("*") if file.name != LOCK)
    search = tmp_path / "search.yaml"
    search.write_text(YAML.replace("design: grid", "space: {energy.form: {choice: [linear, gated]}}"))
    for given, says in [
        (options, "holds an interrupted run"),
        (replace(options, sets=("data.synthetic.seed=7",)), "results on different data"),
        (replace(options, yaml=search), "has design grid and this start has design search"),
    ]:
        start, dry = _refusals(given)
        assert start == dry
        assert re.search(says, dry)

    def read_only(**given: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("harness.store.storage.tempfile.TemporaryFile", read_only)
    start, dry = _refusals(options)
    assert start == dry
    assert "its file system is read-only" in dry
    assert sorted(str(file) for file in small.path.rglob("*") if file.name != LOCK) == before


def test_dry_run_says_what_goes_aside_and_writes_nothing(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tmp_path, "deep/run")
    small.start()
    before = {file: file.read_bytes() for file in small.path.rglob("*") if file.is_file()}

    def said(given: Options) -> str:
        with (tmp_path / "said.txt").open("w") as stream, pytest.MonkeyPatch.context() as patch:
            patch.setattr("harness.sweep.driver.sys.stdout", stream)
            assert run_sweep(given, Console(width=200)) == 0
        return " ".join((tmp_path / "said.txt").read_text().split())

    other = parse([str(options.yaml), "--dry-run", "--set", "objective=val_unseen/macro/nll"])
    other = replace(other, out=options.out, cache=options.cache)
    assert (
        "difference: 2 finished units are of another objective (val_unseen/pooled/aupr): kept in earlier/"
        in said(other)
    )
    code = Code("b" * 16, {**Code.of().modules, "models.losses.task": "0" * 16})
    monkeypatch.setattr(Code, "today", classmethod(lambda cls: code))
    asked = replace(options, dry_run=True)
    assert "2 finished units are of other code (models.losses.task changed): kept in earlier/" in said(asked)
    assert "2 configurations" not in said(asked)
    assert "(2 units)" in said(asked)
    reuse = parse([str(options.yaml), "--dry-run", "--reuse-older-code"])
    taken = said(replace(reuse, out=options.out, cache=options.cache))
    assert "2 finished units are of older code or package versions and are taken as they are" in taken
    assert "to run 0 configurations" in taken
    assert {file: file.read_bytes() for file in small.path.rglob("*") if file.is_file()} == before


def test_a_lock_file_that_was_removed_in_between_guards_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, real = tmp_path / "run", fcntl.flock
    removed: list[Path] = []

    def flock(number: int, kind: int) -> None:
        real(number, kind)
        if not removed and (run / LOCK).exists():
            (run / LOCK).unlink()
            removed.append(run)

    monkeypatch.setattr("harness.sweep.run.lock.fcntl.flock", flock)
    with only_driver(run):
        assert (run / LOCK).exists()
        assert removed
        with (run / LOCK).open() as stream, pytest.raises(BlockingIOError):
            real(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not os.path.lexists(run)
