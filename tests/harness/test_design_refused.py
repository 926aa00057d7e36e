"""What a sweep's YAML gives twice, in vain or as no word is one sentence with its line, before anything runs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.criteria import CRITERIA
from analysis.errors import UserError
from analysis.pilot import default_spread
from harness.config import __main__ as config_command
from harness.config.sweep.sweep import load_sweep
from harness.data.folds import Fold
from harness.design.plan import Plan
from harness.sweep.driver import run_sweep, with_trials
from harness.sweep.options import parse
from harness.sweep.show.foreseen import sight

FOLD: dict[str, Any] = {"test": ["C1", "C2"], "val": ["C3"], "chromosomes": ["chr1"]}
SPACE = {
    "energy.form": {"choice": ["linear", "gated"]},
    "energy.w": {"uniform": [0.5, 2.0], "when": {"energy.form": "gated"}},
    "loss.ranking.weight": {"loguniform": [0.01, 1.0]},
}


def written(folder: Path, **keys: Any) -> Path:
    """A sweep's YAML with a line per key."""
    content: dict[str, Any] = {"name": "a", "base": "minimal", "data": {"synthetic": {}}, **keys}
    file = folder / "a.yaml"
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    file.write_text("\n".join(lines) + "\n")
    return file


def refusal(folder: Path, **keys: Any) -> str:
    """What is said after the name of the file: `LINE: sentence`."""
    file = written(folder, **keys)
    with pytest.raises(UserError) as refused:
        load_sweep(file)
    sentence = str(refused.value)
    assert sentence.startswith(f"{file}:")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{file}:")


@pytest.mark.parametrize("key", ["design", "sampler", "scheduler", "data", "trial", "resources", "objective"])
@pytest.mark.parametrize(
    "value", [["a", "b"], [["a"]], {"kind": ["a"]}, {"kind": {"a": 1}}, {"kind": None}, 1, True]
)
def test_no_word_where_a_name_belongs_is_one_sentence(key: str, value: Any, tmp_path: Path) -> None:
    refusal(tmp_path, space=SPACE, **{key: value})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"design": {"kind": "leave_one_out", "only": ["moments", "moments"]}}, "4: design leave_one_out: only names"),
        ({"design": {"kind": "leave_one_out", "placebos": ["streams", "streams"]}}, "placebos names 'streams' twice"),
        ({"design": {"kind": "factorial", "factors": ["moments", "moments"]}}, "factors names 'moments' twice"),
        ({"design": {"kind": "add_one_in", "of": "minimal"}}, "minimal has no mechanism that the base minimal has not"),
        ({"trial": {"seeds": [2**40, 2]}, "design": "grid"}, "expected at most 2147483647"),
        ({"trials": 1, "space": SPACE, "enqueue": [{"loss.ranking.weight": 0.1}, {"loss.ranking.weight": 0.2}]},
         "enqueue has 2 configurations to run first, and trials is 1"),
    ],
    ids=["only", "placebos", "factors", "of the base", "seeds", "trials"],
)  # fmt: skip
def test_what_is_given_twice_or_in_vain_is_refused(keys: dict[str, Any], said: str, tmp_path: Path) -> None:
    assert said in refusal(tmp_path, **keys)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"loss.ranking.weight": 5.0}, "loss.ranking.weight is 5.0, which the space cannot draw (loguniform"),
        ({"loss.ranking.weight": "0.1"}, "loss.ranking.weight is '0.1', which the space cannot draw"),
        ({}, "loss.ranking.weight is not named, and the base's is 0.0, which the space cannot draw"),
        ({"loss.ranking.weight": 0.1, "energy.form": "gated"}, "energy.w is not named, and the base has none"),
        ({"loss.ranking.weight": 0.1, "energy.w": 1.0}, "energy.w is 1.0, and it exists only when energy.form is gated"),
    ],
    ids=["outside", "a word", "nothing", "lacking", "when is false"],
)  # fmt: skip
def test_a_known_configuration_is_refused_for_its_own_key(
    entry: dict[str, Any], said: str, tmp_path: Path
) -> None:
    sentence = refusal(tmp_path, space=SPACE, enqueue=[entry])
    assert sentence.startswith("5: enqueue: ")
    assert said in sentence


def test_what_no_named_option_sets_beside_it_is_refused(tmp_path: Path) -> None:
    space = {"arm": {"choice": {"off": {}, "on": {"loss.ranking.weight": 0.5}}}}
    said = refusal(tmp_path, space=space, enqueue=[{"loss.ranking.weight": 0.1}])
    assert "loss.ranking.weight is 0.1, which no option of arm sets" in said


def test_trials_cover_what_is_enqueued(tmp_path: Path) -> None:
    known = [{"loss.ranking.weight": 0.1}, {"loss.ranking.weight": 0.2}]
    sweep = load_sweep(written(tmp_path, space=SPACE, enqueue=known, trials=2))
    assert with_trials(sweep, "+3", tmp_path / "run", resume=False).trials == 3
    with pytest.raises(UserError, match="enqueue has 2 configurations to run first, and trials is 1"):
        with_trials(sweep, "1", tmp_path / "run", resume=False)


@pytest.mark.parametrize("base", ["complete", "rp24"])
def test_epochs_of_the_sweep_are_blamed_and_not_the_preset(base: str, tmp_path: Path) -> None:
    said = refusal(tmp_path, base=base, trial={"epochs": 2}, design="grid")
    assert said.startswith("4: ")
    assert "leaves no epoch of phase 2" in said


def test_only_what_can_be_taken_out_is_suggested(tmp_path: Path) -> None:
    said = refusal(tmp_path, design={"kind": "factorial", "factors": ["gcn", "moments"]})
    assert "the base has no mechanism 'gcn'" in said
    assert "cnn" not in said


def test_a_question_of_hexadecimal_letters_is_a_word(tmp_path: Path) -> None:
    file = written(tmp_path, design="grid")
    file.write_text(file.read_text() + f"question: {'a' * 100_000}\n")
    with pytest.raises(UserError, match=r"a.yaml:5: question is 'aaa.*at most 2000") as refused:
        load_sweep(file)
    assert len(str(refused.value)) < 300


def test_a_fold_that_is_given_twice_is_said_to_run_once(tmp_path: Path) -> None:
    folds = [FOLD, {**FOLD, "test": ["C2", "C1"]}]
    (said,) = load_sweep(written(tmp_path, data={"synthetic": {}, "folds": folds}, design="grid")).warnings
    assert said == "data.folds[1] is the same fold as data.folds[0], and runs once"


def test_stopping_rules_of_an_ablation_say_what_they_cost(tmp_path: Path) -> None:
    (said,) = load_sweep(written(tmp_path, design="leave_one_out", stop=["overfit_train"])).warnings
    assert said.startswith("stop: overfit_train ends units of some arms and not of others")
    assert load_sweep(written(tmp_path, design="leave_one_out")).warnings == ()
    assert load_sweep(written(tmp_path, design="grid", stop=["overfit_train"])).warnings == ()


def test_a_fold_that_the_data_have_not_is_placed_in_the_yaml(tmp_path: Path) -> None:
    tiny = {"cell_lines": 5, "pairs_per_cell": 60, "enhancer_bp": 80, "promoter_bp": 80, "chromosomes": 4}
    data = {"synthetic": tiny, "folds": [{**FOLD, "test": ["C9"]}]}
    file = written(tmp_path, data=data, design="grid", set={"model.enhancer_bp": 80, "model.promoter_bp": 80})
    options = parse(
        [str(file), "--dry-run", "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
    )
    with pytest.raises(
        UserError, match=r"data.folds\[0\].test: no cell line 'C9' in \S+ \(there: "
    ) as refused:
        run_sweep(options, Console(quiet=True))
    assert str(refused.value).startswith(f"{file}:3: ")


def test_what_can_be_seen_says_that_it_is_of_one_fold(tmp_path: Path) -> None:
    sweep = load_sweep(written(tmp_path, design="leave_one_out"))
    folds = [Fold(f"f{number}", (f"a{number}",), ("b",), ("chr1",)) for number in range(5)]
    spread = default_spread(CRITERIA["aupr"])
    several = list(sight(sweep, Plan.of(sweep, folds=folds, data="d" * 64), spread))
    assert "a seed is here the mean over 5 folds, which spreads less" in several[-1]
    alone = list(sight(sweep, Plan.of(sweep, folds=folds[:1], data="d" * 64), spread))
    assert alone[-1] == several[-2]


def test_every_file_is_checked_whatever_is_wrong_with_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = written(tmp_path, design="grid"), [tmp_path / "b.yaml", tmp_path / "c.yaml"]
    for file in bad:
        file.write_text("name: x\nbase: minimal\n")
    monkeypatch.setattr(sys, "argv", ["config", "check", str(bad[0]), str(good), str(bad[1])])
    assert config_command.main() == 2
    told = capsys.readouterr()
    assert told.err.splitlines() == [f"error: {file}:1: 'data' is needed and is not given" for file in bad]
    assert told.out.startswith(f"{good}: 1 configuration x")
