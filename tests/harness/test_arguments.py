"""Wrong numbers and settings of the command lines are one sentence with status 2, not a traceback and not silence."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.shell.arguments import whole
from harness.single.command import check_seeds, load
from tests.harness.command import command


def test_a_whole_number_in_its_range() -> None:
    read = whole("--threads", 1, 16)
    assert [read(text) for text in ("1", "16", " 7 ")] == [1, 16, 7]
    for odd in ("0", "17", "-1", "1.5", "1e3", "", "--", "٣", "9" * 5000, "1_0"):
        with pytest.raises(
            UserError, match=r"^--threads .*: expected a whole number from 1 to 16$"
        ) as refused:
            read(odd)
        assert len(str(refused.value)) < 150


@pytest.mark.parametrize(
    "arguments",
    [
        ("harness.single", "minimal", "--threads", "0"),
        ("harness.single", "minimal", "--seeds", str(2**31)),
        ("harness.single", "minimal", "--seeds", "-1"),
        ("harness.single", "minimal", "--seeds", "0", "1", "0"),
        ("harness.data", "describe", "synthetic:gated", "--enhancer-bp", "-5"),
        ("harness.data", "describe", "synthetic:gated", "--promoter-bp", "0"),
    ],
)
def test_a_wrong_number_ends_with_one_sentence(arguments: tuple[str, ...]) -> None:
    done = command(arguments[0], *arguments[1:])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(("error: --", "python -m"))
    assert len(done.stderr) < 2000
    assert "Traceback" not in done.stderr


def test_a_seed_that_is_given_twice_is_refused() -> None:
    check_seeds([0, 2, 1])
    with pytest.raises(UserError) as refused:
        check_seeds([0, 1, 0, 0])
    assert str(refused.value) == (
        "--seeds: 0 given more than once; expected every seed once, as in --seeds 0 1"
    )


def test_control_characters_of_names_are_spelt_on_one_line(tmp_path: Path) -> None:
    file = tmp_path / "odd\x1b[2J\n.yaml"
    text = "name: s\nbase: minimal\ndata: {synthetic: {form: gated}}\nspace: {episode.query: {choice: [8, 16]}}\n"
    file.write_text(text)
    done = command("harness.config", "check", file)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.startswith(f"{tmp_path}/odd\\x1b[2J\\n.yaml: ") for line in done.stdout.splitlines())
    file.write_text(text + '"\\e[31m\\a": 1\n')
    refused = command("harness.config", "check", file)
    assert refused.returncode == 2
    assert "\x1b" not in refused.stderr
    assert "\a" not in refused.stderr
    assert r"\x1b[31m\x07" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "setting", ["trial.seeds=3", "trials=4", "objective=val_unseen/pooled/nll", "stop=[]"]
)
def test_a_setting_that_one_trial_does_not_read_is_refused(tmp_path: Path, setting: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(
        "name: s\nbase: minimal\ndata: {synthetic: {form: gated}}\nspace: {episode.query: {choice: [8, 16]}}\n"
    )
    with pytest.raises(UserError, match="nothing reads it in one trial alone"):
        load(str(file), [setting], None)
    config, _ = load(str(file), ["trial.epochs=2", "optimiser.lr=0.5"], None)
    assert (config.optimiser.epochs, config.optimiser.lr) == (2, 0.5)


def test_a_long_setting_is_not_said_in_full() -> None:
    with pytest.raises(UserError) as refused:
        load("minimal", ["optimiser.lr=" + "9" * 5000], None)
    assert "a number of 5000 characters" in str(refused.value)
    assert len(str(refused.value)) < 250
