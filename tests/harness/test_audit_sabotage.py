"""`python -m harness.audit sabotage`: what is said of a person's own patch of the harness."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.audit.outcome import RehearsalOutcome
from harness.audit.patch import Patch, patches_of
from harness.audit.rehearsal import DATA, Rehearsal
from harness.audit.sabotage import PatchVerdict, differences, judged
from tests.harness.command import command

CUT = '''"""The penalty on z_I has no gradient."""
from models.losses.regularisers import SparsityZi

SET = {"loss.sparsity.z_i": 0.5}
forward = SparsityZi.forward
SparsityZi.forward = lambda self, step, state: (forward(self, step, state)[0].detach(), {})
'''
NOTHING = '''"""Nothing at all."""
from models.losses.regularisers import SparsityZi

SET = {"loss.sparsity.z_i": 0.5}
SparsityZi.backward = None
'''
GONE = '''"""A name that is not there."""
from models.losses.regularisers import SparsityOfNothing

SET = {"loss.sparsity.z_i": 0.5}
'''
TRACES = {"weights": "a", "cells": "b"}
SOUND = RehearsalOutcome("done", epochs=3, steps=18, traces=TRACES)
OTHER = RehearsalOutcome(
    "done", epochs=3, steps=18, traces={**TRACES, "cells": "c"}, rules={"negative_loss": "fault"}
)
PATCH = Patch(Path("x.py"), "something", None, {})


def verdict(plain: RehearsalOutcome, audited: RehearsalOutcome) -> PatchVerdict:
    return judged(PATCH, SOUND, plain, lambda: audited)


@pytest.mark.parametrize(
    ("audited", "said"),
    [
        (
            RehearsalOutcome("stopped", "audit: R_E is inert", 0, 0),
            "caught before its first step: audit: R_E is inert",
        ),
        (RehearsalOutcome("stopped", "audit: mixed", 0, 2), "caught in its first epoch: audit: mixed"),
        (RehearsalOutcome("stopped", "audit: mixed", 1, 7), "caught in epoch 2: audit: mixed"),
        (
            RehearsalOutcome("stopped", "audit: another energy", 3, 18),
            "caught at the end: audit: another energy",
        ),
        (
            RehearsalOutcome("diverged", "epoch 1: the probe is not finite", 0, 0),
            "caught before its first step: epoch 1: ",
        ),
    ],
)
def test_an_end_by_the_audit_alone_is_caught(audited: RehearsalOutcome, said: str) -> None:
    result = verdict(OTHER, audited)
    assert (result.word, result.changes) == ("caught", ("cells",))
    assert result.sentence.startswith(said)
    assert result.fault_rules == ("negative_loss",)


def test_what_the_audit_lets_pass_is_missed() -> None:
    seen = RehearsalOutcome("done", epochs=3, steps=18, audit={"first": "3 mechanisms: 3 active"})
    result = verdict(OTHER, seen)
    assert (result.word, result.sentence) == (
        "missed",
        "MISSED: it ended done (first: 3 mechanisms: 3 active)",
    )
    late = RehearsalOutcome(
        "done", audit={"last": "1 mechanism: 1 inert"}, faults=("M12 gated is inert: u alone",)
    )
    assert "although the audit said: M12 gated is inert: u alone" in verdict(OTHER, late).sentence
    crashed = verdict(OTHER, RehearsalOutcome("failed", error="KeyError: 'x'"))
    assert (crashed.word, crashed.sentence) == ("missed", "MISSED: the audit itself fails: KeyError: 'x'")


def test_what_a_trial_ends_for_by_itself_is_not_counted() -> None:
    vanished = RehearsalOutcome("stopped", "the spread of logits vanished", 2, 12)
    assert verdict(vanished, vanished).word == "refused"
    raised = RehearsalOutcome("failed", error="IndexError: 7")
    assert verdict(raised, raised).sentence == "not counted: the trial ends by itself: IndexError: 7"
    assert verdict(raised, RehearsalOutcome("stopped", "audit: foreign pairs", 0, 1)).word == "caught"


def test_a_patch_that_changes_nothing_is_not_audited() -> None:
    def audited() -> RehearsalOutcome:
        raise AssertionError("the audit is not asked")

    result = judged(PATCH, SOUND, SOUND, audited)
    assert (result.word, result.changes) == ("unchanged", ())
    moved = RehearsalOutcome("failed", error="AttributeError: no attribute 'stp'", moved=True)
    assert judged(PATCH, SOUND, moved, audited).sentence == "NOT APPLIED: AttributeError: no attribute 'stp'"


def test_results_differ_bit_by_bit_and_by_their_end() -> None:
    assert differences(SOUND, SOUND) == ()
    assert differences(SOUND, OTHER) == ("cells",)
    assert differences(SOUND, RehearsalOutcome("diverged", traces={"weights": "a"})) == ("its end", "cells")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\n", "x.py: expected a docstring"),
        ('"""a"""\nSET = dict(a=1)\n', "x.py line 2: SET has to be written out"),
        ('"""a"""\nSET = [1]\n', "x.py: SET is [1]; expected"),
        ('"""a"""\nPRESET = 24\n', "x.py: PRESET is 24; expected a preset's name"),
        ('"""a"""\nx =\n', "x.py line 2: this is no Python"),
    ],
)
def test_a_file_that_is_no_patch_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.py"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        Patch.read(file)
    assert said in str(caught.value)


def test_patches_come_from_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no patches"):
        patches_of([tmp_path])
    with pytest.raises(UserError, match="there is no file"):
        patches_of([tmp_path / "y.py"])
    for name in ("b.py", "a.py", "_shared.py", "notes.txt"):
        (tmp_path / name).write_text(
            '"""Breaks a.\n\nMore."""\nPRESET = "rp24"\nSET = {"loss.task": "bce"}\n'
        )
    patches = patches_of([tmp_path, tmp_path / "a.py"])
    assert [patch.file.name for patch in patches] == ["a.py", "b.py"]
    assert (patches[0].breaks, patches[0].preset, patches[0].changes) == (
        "Breaks a.",
        "rp24",
        {"loss.task": "bce"},
    )


def test_schedules_of_a_preset_arrive_in_a_rehearsal(tmp_path: Path) -> None:
    config = Rehearsal("rp24", {"energy.form": "gated"}, 4, DATA, tmp_path).configuration()
    assert config.curriculum.phase1_epochs == 1
    assert config.model_dump()["balance"] == {"kind": "ramp", "epochs": 1.0}
    assert (config.model.width, config.energy.form, config.audit) == (8, "gated", "strict")


def test_patches_are_run_and_told_apart(tmp_path: Path) -> None:
    for name, text in (("cut", CUT), ("gone", GONE), ("nothing", NOTHING)):
        (tmp_path / f"{name}.py").write_text(text)
    ended = command("harness.audit", "sabotage", "--patch", tmp_path, "--epochs", 2)
    assert (ended.returncode, ended.stderr) == (2, "")
    assert "caught before its first step: audit: M39 sparsity_z_i is inert" in ended.stdout
    assert "without the audit it changes: weights, " in ended.stdout
    assert "NOT APPLIED: ImportError: cannot import name 'SparsityOfNothing'" in ended.stdout
    assert "(gone.py line 2)" in ended.stdout
    assert "nothing changed: weights, logits and rows are the same" in ended.stdout
    assert "3 patches: 1 caught of 1 counted (100%); 1 unchanged; 1 not applied" in ended.stdout
