"""Every mechanism is broken in every kind of way or says why not, and a sabotage that changes nothing is no pass."""

import json
from pathlib import Path

import pytest
import torch

from harness.mechanisms.mechanism import Mechanism
from models.losses.regularisers import SparsityZi
from tests.harness.command import command
from tests.sabotage.__main__ import stamp
from tests.sabotage.catalogue import reasons, ways
from tests.sabotage.choice import ROWS, SINGLE, TOGETHER, way
from tests.sabotage.rules import SWITCHES
from tests.sabotage.tampering import Tampering, differs
from tests.sabotage.trial import Bench
from tests.sabotage.way import KINDS, Way


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_kind_applies_or_says_why_not(row: Mechanism) -> None:
    there = ways(row)
    assert there, "a mechanism that cannot be broken"
    assert {each.kind for each in there} | reasons(row).keys() == set(KINDS)
    assert len({(each.kind, each.text) for each in there}) == len(there), "two ways of one name"


def test_the_choice_has_every_mechanism_and_every_kind() -> None:
    chosen = [way(*pair) for part in (SINGLE, *TOGETHER) for pair in part.items()]
    keys = [key for part in (SINGLE, *TOGETHER) for key in part]
    assert sorted(keys) == sorted(ROWS)
    assert {each.kind for each in chosen} == set(KINDS)


def test_every_mechanism_fits_into_a_tiny_trial(bench: Bench) -> None:
    assert len({bench.configuration(row).id for row in ROWS.values()}) > len(ROWS) // 2


def test_a_name_that_moved_is_an_error() -> None:
    with Tampering() as tampering, pytest.raises(AttributeError, match="backwards"):
        tampering.replace(SparsityZi, "backwards", lambda true: true)


def test_what_is_replaced_is_put_back_and_counted() -> None:
    forward = SparsityZi.forward
    with Tampering() as tampering:
        way("sparsity_z_i", "its value is detached").install(tampering)
        assert SparsityZi.forward is not forward
        assert tampering.changes == 0
        tampering.noted(torch.ones(2), torch.ones(2))
        assert tampering.changes == 0
        tampering.noted(torch.ones(2), torch.zeros(2))
        assert tampering.changes == 1
    assert SparsityZi.forward is forward
    assert differs(torch.ones(2, requires_grad=True), torch.ones(2)), "a gradient that is cut"
    assert differs((torch.ones(2), 1), (torch.ones(2), 2))
    assert not differs({"a": torch.ones(2)}, {"a": torch.ones(2)})


def test_a_sabotage_that_changes_nothing_is_no_pass(bench: Bench) -> None:
    nothing = Way("late", "from the hundredth epoch on", lambda t: t.at_epoch(100, lambda trainer: None))
    assert bench.judge(ROWS["sparsity_z_i"], nothing).word == "UNCHANGED"


def test_a_ramp_that_is_over_is_no_sabotage(bench: Bench) -> None:
    trainer = bench.unit_run(bench.configuration(ROWS["ramp"])).trainer
    for index, changes in ((0, True), (2, True), (3, False)):
        trainer.index, trainer.schedule.ramp = index, 1.5
        assert SWITCHES["ramp"](trainer) == changes


def test_a_report_goes_on_where_it_was(tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    line = {"mechanism": "fixed", "kind": "key ignored", "way": "value is its default", "word": "MISSED"}
    rest = {"sentence": "", "accused": [], "seconds": 1.0}
    lines = [{"code": code, **line, **rest} for code in (stamp(), "other")]
    report.write_text("".join(json.dumps(each) + "\n" for each in lines) + '{"code": "cut o')
    told = command("tests.sabotage", "--only", "fixed", "--report", report, "--table")
    assert (told.returncode, told.stderr) == (1, "")
    assert "1 of 1 broken trials" in told.stdout
    assert "1 not caught" in told.stdout
    wrong = command("tests.sabotage", "--only", "gatd")
    assert (wrong.returncode, wrong.stderr.count("did you mean 'gated'?")) == (2, 1)
