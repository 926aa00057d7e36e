"""YAML that would end its reader is refused with its line, in files and on the command line."""

from pathlib import Path

import pytest

from analysis.errors import UserError
from harness.config.sweep.sweep import load_sweep
from harness.config.yaml.lines import parse_scalar, parse_yaml
from harness.sweep.options import parse

BASE = "name: s\nbase: minimal\ndata: {synthetic: {form: gated}}\n"
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x: 1\ny: 1" + "0" * 5000, 2, "a number of 5001 characters"),
        ("x: 1\ny:\n  - 0x" + "f" * 6000, 3, "a number of 6002 characters"),
        ("x: 1\ny: [1" + "0" * 5000 + "]", 2, "a number of 5001 characters"),
        ("x: 1\ny: " + "[" * 3000 + "]" * 3000, 2, "more than 50 blocks or lists"),
        ("x: 1\ny: " + "{a: " * 3000 + "1" + "}" * 3000, 2, "more than 50 blocks or lists"),
        ("".join(" " * n + "a:\n" for n in range(3000)), 51, "more than 50 blocks or lists"),
        (BOMB, 6, "those that aliases (*name) repeat included"),
        ("x: 1\ny: &y [*y]", 2, "the value '&y' contains itself"),
        ("x: 1\ny: &y {z: *y}", 2, "the value '&y' contains itself"),
    ],
)
def test_what_would_end_the_reader_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(UserError, match=r"^f\.yaml:\d+: ") as refused:
        parse_yaml(text, Path("f.yaml"))
    assert str(refused.value).startswith(f"f.yaml:{line}: ")
    assert said in str(refused.value)
    assert len(str(refused.value)) < 200


def test_what_a_person_writes_is_read() -> None:
    text = "a: &a {b: 1}\nc: *a\nd: " + "9" * 60 + "\ne: '" + "1" * 5000 + "'\n"
    assert parse_yaml(text, Path("f.yaml")).data == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": int("9" * 60),
        "e": "1" * 5000,
    }


@pytest.mark.parametrize("value", ["1" + "0" * 5000, "[" * 3000])
def test_a_setting_of_the_command_line_is_refused_alike(value: str) -> None:
    with pytest.raises(ValueError, match=r"a number of 5001 characters|more than 50 blocks"):
        parse_scalar(value)


@pytest.mark.parametrize(
    "number", ["9" * 5000, "+" + "9" * 5000, "99999999", "١٦", "0", "+0", "-1", "1e3", ""]
)
def test_an_endless_number_of_trials_is_refused_shortly(number: str) -> None:
    with pytest.raises(UserError, match=r"--trials .*such as 16") as refused:
        parse(["s.yaml", f"--trials={number}"])
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("trial: {seeds: [18446744073709551616]}", "trial.seeds"),
        ("sampler: {seed: 18446744073709551616}", "sampler.seed"),
        ("trials: 18446744073709551616", "trials"),
    ],
)
def test_numbers_that_the_store_cannot_hold_are_refused(tmp_path: Path, block: str, said: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(BASE + "space: {episode.query: {choice: [8, 16]}}\n" + block + "\n")
    with pytest.raises(UserError, match=f":5: {said} is 18446744073709551616, expected at most"):
        load_sweep(file)


def test_home_is_home_in_every_path_of_a_sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    given = parse(["~/s.yaml", "--out", "~/run", "--cache", "~/cache", "--data", "~/data"])
    assert (given.yaml, given.out) == (tmp_path / "s.yaml", tmp_path / "run")
    assert (given.cache, given.data) == (tmp_path / "cache", tmp_path / "data")
    for odd in ("~nobody-of-that-name/run", ""):
        with pytest.raises(UserError, match=r"no home folder of that name|a path is empty"):
            parse(["s.yaml", "--out", odd])
