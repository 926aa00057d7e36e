"""What changes a result is part of what it is: starts on other folds, rules, code or versions reuse and mix nothing."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.__main__ import print_ranking
from analysis.console import plain_console
from analysis.errors import UserError
from analysis.ranking import rank
from analysis.stamps import STAMPS
from analysis.store import Run
from harness.config.sweep.sweep import load_sweep
from harness.design.plan import Plan
from harness.stamp.code import Code
from harness.stamp.stamp import PACKAGES, Stamp, refuse_beside
from harness.store.compaction import Compactor
from harness.store.writer import replace_atomically
from harness.sweep.run.aside import complete_moves
from harness.sweep.run.verdict import Verdict
from harness.sweep.start import Start, prepare
from tests.harness.killed import Killed, killed_after
from tests.harness.without_ray import EACH, FOLDED, Small
from tests.narrow import present


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished runs on the default fold (`run`) and on another one (`other`), one killed after an epoch (`begun`)."""
    folder = tmp_path_factory.mktemp("ran")
    Small(folder).start()
    Small(folder, "other").start(yaml=FOLDED)
    Small(folder, "begun").start(epochs=1)
    return folder


@pytest.fixture
def small(tmp_path: Path, ran: Path) -> Small:
    """A copy of the finished run."""
    (tmp_path / "cache").symlink_to(ran / "cache")
    return _copied(Small(tmp_path), ran / "run")


@pytest.fixture
def begun(tmp_path: Path, ran: Path) -> Small:
    """A copy of the run that was killed."""
    (tmp_path / "cache").symlink_to(ran / "cache")
    return _copied(Small(tmp_path), ran / "begun")


def _copied(small: Small, run: Path) -> Small:
    shutil.copytree(run, small.path, dirs_exist_ok=True)
    return small


def _with(monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, str], code: str = "b" * 16) -> Code:
    """From now on the code has another hash, and the `changed` modules other contents."""
    today = Code.of()
    other = Code(code, {**today.modules, **changed})
    monkeypatch.setattr(Code, "today", classmethod(lambda cls: other))
    return other


def test_a_start_on_other_folds_gives_what_a_fresh_folder_gives(small: Small, ran: Path) -> None:
    before = small.trials()
    start = small.start(yaml=FOLDED)
    assert sum(map(len, start.pending.values())) == 2
    assert start.aside == ()
    assert any("1 fold new: fold0 (test C1; validation C2; held out chr2)" in s for s in start.sentences)
    assert any("1 fold no longer asked for: fold0 (test" in s for s in start.sentences)
    fresh = Small(ran, "other")
    pd.testing.assert_frame_equal(small.epochs(), fresh.epochs())
    assert small.trials()["objective_value"].tolist() == fresh.trials()["objective_value"].tolist()
    assert small.trials()["objective_value"].tolist() != before["objective_value"].tolist()
    here, there = (rank(Run.open(one.path), "pooled_aupr").configurations for one in (small, fresh))
    pd.testing.assert_frame_equal(here, there)
    assert set(here["units"]) == {2}
    assert set(here["folds"]) == {1}, "the mean is over the folds asked for"
    again = small.start(train=False)
    assert again.nothing, "the first fold's units are there still"
    assert small.trials()["objective_value"].tolist() == before["objective_value"].tolist()
    (aside,) = small.start("objective=val_unseen/macro/nll", resume=True, train=False).aside
    kept = Plan.load(small.path / "earlier" / aside.folder)
    assert kept is not None
    assert len(aside.units) == 4
    assert len(kept.known) == 2
    assert list(kept.folds) == [before["fold"][0]], "put aside, they are no mean over both"


def test_further_folds_run_alone_and_as_they_would_by_themselves(small: Small, ran: Path) -> None:
    """From one fold to all cell lines: what is there stays, and a fold's units do not depend on the folds beside it."""
    small.start(yaml=FOLDED)
    start = small.start(yaml=EACH)
    assert sum(map(len, start.pending.values())) == 5 * 2, "the listed fold is one of the six"
    assert any(sentence.startswith("5 folds new: C2 (test C2; validation C3") for sentence in start.sentences)
    assert len(small.trials()) == 6 * 2
    other = Small(ran, "other").epochs()
    fold = other["fold"][0]
    here = small.epochs()
    pd.testing.assert_frame_equal(here[here["fold"] == fold].reset_index(drop=True), other)
    assert small.start(yaml=EACH, train=False).nothing
    seeds = small.start("trial.seeds=3", yaml=EACH, resume=True, train=False)
    assert sorted({unit.seed for units in seeds.pending.values() for unit in units}) == [2]
    assert sum(map(len, seeds.pending.values())) == 6


def test_an_interrupted_fold_is_not_continued_as_another_one(begun: Small, ran: Path) -> None:
    assert begun.epochs()["epoch"].tolist() == [1, 1]
    begun.start(yaml=FOLDED, resume=True)
    pd.testing.assert_frame_equal(begun.epochs(), Small(ran, "other").epochs())


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        ("objective=val_unseen/macro/aupr", "another objective (val_unseen/pooled/aupr)"),
        ('stop=["mode_collapse"]', "other stop rules ([])"),
        ("scheduler.kind=asha", "another scheduler ({"),
    ],
)
def test_other_rules_run_anew_and_keep_what_there_was_apart(small: Small, sets: str, says: str) -> None:
    before = small.trials()
    start = small.start(sets, reuse=True, train=False)
    assert sum(map(len, start.pending.values())) == 2
    assert start.reached == {}
    (aside,) = start.aside
    (sentence,) = [s for s in start.sentences if "kept in" in s]
    assert sentence.startswith(f"2 finished units are of {says}")
    assert sentence.endswith("run anew")
    assert "--reuse-older-code" not in sentence, "it does not take these"
    kept = Run.open(small.path / "earlier" / aside.folder)
    assert sorted(kept.table("units")["objective_value"]) == sorted(before["objective_value"])
    assert small.trials().empty


def test_a_changed_direction_of_the_objective_selects_anew(small: Small) -> None:
    small.start("objective=val_unseen/pooled/nll")
    cells = Run.open(small.path).table("cells")
    own = cells[
        (cells["selection"] == "epoch") & (cells["split"] == "val_unseen") & (cells["score"] == "corrected")
    ]
    own = own[own["cell_line"] == "pooled"]
    assert len(small.trials()) == 2
    for trial in small.trials().to_dict("records"):
        mine = own[own["seed"] == trial["seed"]].set_index("epoch")["nll"]
        assert trial["objective"] == "val_unseen/pooled/nll"
        assert trial["objective_value"] == mine.min()
        assert trial["selected_epoch"] == mine.idxmin()


def test_changed_code_runs_anew_and_is_never_averaged_with_old(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = small.trials()
    _with(monkeypatch, {"models.losses.task": "0" * 16})
    start = small.start("trial.seeds=3")
    (sentence,) = [s for s in start.sentences if "kept in" in s]
    folder = small.path / "earlier" / start.aside[0].folder
    assert sentence == (
        f"2 finished units are of other code (models.losses.task changed): kept in earlier/{folder.name}, run anew; "
        "--reuse-older-code takes the finished ones as they are"
    )
    assert small.trials()["code"].tolist() == ["b" * 16] * 3
    assert Run.open(folder).table("units")["code"].tolist() == old["code"].tolist()
    kept = Plan.load(folder)
    assert kept is not None
    assert kept.status == "finished"
    assert len(kept.units()) == 2
    print_ranking(folder, console=plain_console())
    print_ranking(small.path, console=plain_console())
    said = " ".join(capsys.readouterr().out.split())
    assert "1 configuration x 1 fold x 2 seeds (2 finished units)" in said
    assert "1 configuration x 1 fold x 3 seeds (3 finished units)" in said
    assert "kept apart: 2 units of other code (models.losses.task changed)" in said


def test_older_code_is_reused_only_when_asked_for_and_said(
    small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old = small.trials()
    _with(monkeypatch, {"models.losses.task": "0" * 16})
    start = small.start("trial.seeds=3", reuse=True)
    assert start.aside == ()
    assert [unit.seed for units in start.pending.values() for unit in units] == [2]
    assert "2 finished units are of older code or package versions and are taken as they are" in " ".join(
        start.sentences
    )
    trials = small.trials()
    assert sorted(trials["code"]) == sorted([*old["code"], "b" * 16])
    print_ranking(small.path, console=plain_console())
    said = " ".join(capsys.readouterr().out.split())
    assert "units that differ in code stand together: 2 and 1 units, as --reuse-older-code asked for" in said
    start = small.start("trial.seeds=3", train=False)
    assert small.trials()["code"].tolist() == ["b" * 16], "the next start was not asked to"
    assert sum(map(len, start.pending.values())) == 2


def test_unfinished_units_of_older_code_always_begin_anew(
    begun: Small, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = _with(monkeypatch, {"models.losses.task": "0" * 16})
    start = begun.start(resume=True, reuse=True)
    assert len(start.aside) == 1
    assert start.aside[0].ended == 0
    assert "2 unfinished units are of other code" in " ".join(start.sentences)
    assert begun.trials()["code"].tolist() == [other.hash] * 2
    pd.testing.assert_frame_equal(begun.epochs(), Small(ran).epochs())


def test_a_module_that_came_later_is_no_other_code(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, {"models.losses.later": "0" * 16})
    start = small.start("trial.seeds=3")
    assert start.aside == ()
    assert sum(map(len, start.pending.values())) == 1
    assert small.trials()["code"].nunique() == 2
    assert set(rank(Run.open(small.path)).configurations["seeds"]) == {3}


def test_other_versions_run_anew_and_are_named(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {**json.loads(small.trials()["versions"][0]), "numpy": "1.0"}
    assert set(versions) == {"python", *PACKAGES}
    real = json.loads(small.trials()["versions"][0])["numpy"]
    of = Stamp.of
    monkeypatch.setattr(
        Stamp,
        "of",
        classmethod(lambda cls, *a, **k: replace(of(*a, **k), versions=json.dumps(versions))),
    )
    start = small.start(train=False)
    (sentence,) = [s for s in start.sentences if "kept in" in s]
    assert f"2 finished units are of other package versions (numpy {real} and now 1.0)" in sentence
    assert sum(map(len, start.pending.values())) == 2


def test_a_store_of_several_codes_is_not_averaged(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    _with(monkeypatch, {"models.losses.task": "0" * 16})
    monkeypatch.setattr("tests.harness.without_ray.put_aside", lambda run, aside: None)
    monkeypatch.setattr("harness.trial.unit_run.refuse_other", lambda *given: None)
    small.start("trial.seeds=[0, 1, 2]")
    with pytest.raises(
        UserError, match=r"units that differ in code stand together: 2 and 1 units.*start its sweep"
    ):
        rank(Run.open(small.path))
    (small.path / "plan.json").unlink()
    with pytest.raises(UserError, match=r"stand together: 2 and 1 units.*harness.single CONFIG --out FOLDER"):
        rank(Run.open(small.path))


def test_a_checkpoint_of_another_stamp_is_not_continued(
    begun: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with(monkeypatch, {"models.losses.task": "0" * 16})
    monkeypatch.setattr("tests.harness.without_ray.put_aside", lambda run, aside: None)
    with pytest.raises(UserError, match=r"was begun with other code \(models.losses.task changed\)"):
        begun.start(resume=True)


def test_a_trial_alone_is_not_added_to_units_of_another_stamp(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = Stamp(**{name: small.trials()[name][0] for name in STAMPS})
    refuse_beside(stamp, small.path)
    refuse_beside(stamp, small.folder / "none")
    _with(monkeypatch, {"models.losses.task": "0" * 16})
    now = replace(stamp, code=Code.today().hash)
    with pytest.raises(
        UserError, match=r"2 units are of other code \(models.losses.task changed\), and no mean.*--out"
    ):
        refuse_beside(now, small.path)
    with pytest.raises(UserError, match="2 units are of another data set"):
        refuse_beside(replace(stamp, data="d" * 64), small.path)


@pytest.mark.parametrize("kill", range(1, 19, 3))
def test_a_kill_while_units_are_put_aside_loses_nothing(
    small: Small, monkeypatch: pytest.MonkeyPatch, kill: int
) -> None:
    """Killed before the `kill`-th change of a file, then started again with the code as it was before."""
    before = {name: Run.open(small.path).table(name) for name in ("units", "epochs", "cells", "predictions")}
    compactor = Compactor(small.path)
    compactor.collect_left([file.stem for file in (small.path / "units").glob("*-1.parquet")])
    compactor.finish()
    (config, *_) = present(Plan.load(small.path)).configs
    Verdict("pruned", "o", "s", ()).write(small.path, config)
    stumbling = killed_after(kill)
    with monkeypatch.context() as patch:
        _with(patch, {"models.losses.task": "0" * 16})
        patch.setattr("harness.store.moving.shutil.move", stumbling(os.replace))
        patch.setattr("harness.store.writer.replace_atomically", stumbling(replace_atomically))
        with pytest.raises(Killed):
            small.start(train=False)
    dry = _dry(small)
    assert any("2 units aside, which is completed first" in sentence for sentence in dry.sentences)
    complete_moves(small.path)
    complete_moves(small.path)
    (folder,) = [f for f in (small.path / "earlier").iterdir() if f.is_dir()]
    assert small.trials().empty
    assert not Verdict.file(small.path, config).exists()
    assert not (small.path / "earlier" / ".moving.json").exists()
    for name, table in before.items():
        kept = Run.open(folder).table(name)
        order = [c for c in ("config", "seed", "epoch", "selection", "split", "cell_line", "score", "prevalence_mode",
                             "pair") if c in kept]  # fmt: skip
        pd.testing.assert_frame_equal(
            kept.sort_values(order, ignore_index=True), table.sort_values(order, ignore_index=True)
        )
    assert len([*(folder / "checkpoints").glob("*/last.pt")]) == 2
    assert not [*(small.path / "checkpoints").glob("*/*")]


NLL = "objective=val_unseen/pooled/nll"


def test_an_objective_that_comes_back_finds_its_units_again(small: Small) -> None:
    before = small.trials()
    (aside,) = small.start(NLL).aside
    other = small.trials()
    assert (small.path / "earlier" / aside.folder).is_dir()
    start = small.start()
    assert start.nothing
    assert start.finished == 2
    assert (
        f"2 finished units are in earlier/{aside.folder} as this start would make them: moved back from there, not run anew"
        in start.sentences
    )
    (sentence,) = [s for s in start.sentences if "kept in" in s]
    assert "run anew" not in sentence
    pd.testing.assert_frame_equal(small.trials(), before)
    (kept,) = [folder for folder in (small.path / "earlier").iterdir() if folder.is_dir()]
    assert kept.name == start.aside[0].folder
    assert len(Run.open(kept).table("units")) == 2
    start = small.start(NLL)
    assert start.nothing
    pd.testing.assert_frame_equal(small.trials(), other)


def test_units_that_are_not_asked_for_stay_where_they_were_put(small: Small) -> None:
    small.start(NLL, train=False)
    start = small.start("trial.seeds=[1, 2]", resume=True)
    assert [unit.seed for units in start.pending.values() for unit in units] == [2]
    (folder,) = [folder for folder in (small.path / "earlier").iterdir() if folder.is_dir()]
    kept = Plan.load(folder)
    assert kept is not None
    assert [unit.seed for unit in kept.units()] == [0]
    assert Run.open(folder).table("units")["seed"].tolist() == [0]
    assert small.trials()["seed"].tolist() == [1, 2]


@pytest.mark.parametrize("kill", [1, 3, 6, 9, 12, 15])
def test_a_kill_while_units_are_taken_back_loses_nothing(
    small: Small, monkeypatch: pytest.MonkeyPatch, kill: int
) -> None:
    names = ("units", "epochs", "cells", "predictions")
    before = {name: Run.open(small.path).table(name) for name in names}
    small.start(NLL, train=False)
    with monkeypatch.context() as patch:
        patch.setattr("harness.store.moving.shutil.move", killed_after(kill)(shutil.move))
        with pytest.raises(Killed):
            small.start(resume=True, train=False)
    start = small.start(resume=True, train=False)
    assert start.nothing
    assert not start.aside
    assert [f.name for f in (small.path / "earlier").iterdir()] == [], "and nothing is left of them there"
    for name, table in before.items():
        order = [c for c in ("config", "seed", "epoch", "selection", "split", "cell_line", "score", "prevalence_mode",
                             "pair") if c in table]  # fmt: skip
        found = Run.open(small.path).table(name).sort_values(order, ignore_index=True)
        pd.testing.assert_frame_equal(found, table.sort_values(order, ignore_index=True))
    assert len([*(small.path / "checkpoints").glob("*/last.pt")]) == 2


def _dry(small: Small) -> Start:
    sweep = load_sweep(small.folder / "small.yaml")
    old = present(Plan.load(small.path))
    fresh = Plan.of(sweep, folds=list(old.known.values()), data=old.data)
    return prepare(sweep, fresh, small.path, resume=True, gpu=False)


def test_the_same_stamp_put_aside_twice_has_two_folders(
    small: Small, ran: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = small.trials()["stamp"][0]
    _with(monkeypatch, {"models.losses.task": "0" * 16})
    small.start(train=False)
    _copied(small, ran / "run")
    small.start(train=False)
    assert {folder.name for folder in (small.path / "earlier").iterdir()} == {first, f"{first}-2"}
    for name in (first, f"{first}-2"):
        assert len(Run.open(small.path / "earlier" / name).table("units")) == 2
