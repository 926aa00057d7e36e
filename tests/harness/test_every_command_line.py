"""Every command line of the project: help that fits a terminal, and mistakes that name what was meant."""

import re
from pathlib import Path

import pytest

from analysis.__main__ import COMMANDS
from analysis.arguments import command_parser
from analysis.errors import UserError
from analysis.help_text import wrapped
from analysis.nearest_path import nearest_path
from harness.runs.__main__ import COMMANDS as RUNS
from tests.harness.command import command

ROOT = Path(__file__).parents[2]
STRAY = re.compile(r" {1,4}[a-z]{3,}")
"""A word by itself at the left of a help's table: what goes on there does not stand below its column."""
MODULES = sorted(file.parent.name for file in (ROOT / "harness").glob("*/__main__.py"))
EVERY = [
    *((f"harness.{module}",) for module in MODULES),
    *(("harness.runs", name) for name in RUNS),
    *(("harness.data", name) for name in ("describe", "report")),
    *(("harness.config", name) for name in ("schema", "paths", "check")),
    ("harness.audit", "sabotage"),
    ("analysis",),
    *(("analysis", name) for name in COMMANDS),
]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_fits_eighty_columns(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    helped = command(words[0], *words[1:], "--help")
    assert helped.returncode == 0
    lines = helped.stdout.splitlines()
    assert {line for line in lines if len(line) > 80} == set()
    assert {line for line in lines if STRAY.fullmatch(line)} == set()


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_an_unknown_option_is_one_sentence(words: tuple[str, ...]) -> None:
    refused = command(words[0], *words[1:], "--hlep")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: python -m ")
    assert "has no option --hlep; did you mean '--help'?" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("harness.sweep", "a.yaml", "--epochs", "3"), "did you mean '--set trial.epochs=3'?"),
        (("harness.sweep", "--epochs=3"), "did you mean '--set trial.epochs=3'?"),
        (("harness.sweep", "a.yaml", "--lr", "0.1"), "did you mean '--set optimiser.lr=0.1'?"),
        (("harness.sweep", "a.yaml", "--seeds"), "did you mean '--set trial.seeds=VALUE'?"),
        (("harness.sweep", "a.yaml", "--weight", "1"), "did you mean --set with one of loss."),
        (("harness.sweep", "a.yaml", "--resme"), "did you mean '--resume'?"),
        (("harness.sweep", "a.yaml", "optimiser.lr=0.1"), "did you mean '--set optimiser.lr=0.1'?"),
        (("harness.single", "minimal", "--kernel", "5"), "did you mean '--set model.kernel=5'?"),
        (("harness.single", "minimal", "--epoch", "5"), "did you mean '--epochs'?"),
        (("harness.sweep", "rp2.yaml"), "rp2.yaml: there is no such file; did you mean '"),
        (("harness.single", "rp2.yaml"), "there is no such file (expected a preset or sweep YAML, or a"),
        (("harness.single", "rp42"), "there is no preset 'rp42'"),
        (("harness.data", "describ", "x"), "did you mean 'describe'?"),
        (("harness.config", "pahts"), "did you mean 'paths'?"),
        (("harness.bench", "grwoth"), "did you mean 'growth'?"),
        (("harness.data", "describe", "tests/recorded/rn"), "did you mean 'tests/recorded/run'?"),
        (("harness.runs", "list", "tests/recorde"), "did you mean 'tests/recorded'?"),
        (("harness.runs", "shw", "x"), "did you mean 'show'?"),
        (
            ("analysis", "tests/recrded/run"),
            "tests/recrded/run: no such run; did you mean 'tests/recorded/run'?",
        ),
        (("analysis", "tests/recrded/qqqqq"), "did you mean 'tests/recorded' (it has run)?"),
        (
            ("analysis", "reprot", "tests/recorded/run"),
            "'reprot' is no command and no run; did you mean 'report'?",
        ),
        (("analysis", "effects", "tests/recorded/rum"), "did you mean 'tests/recorded/run'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_names_what_was_meant(
    words: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    refused = command(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_words_that_are_no_options_are_left_alone() -> None:
    parser = command_parser("p", "", settings=lambda: ["a.b"])
    parser.add_argument("text")
    parser.add_argument("--set", action="append")
    assert parser.parse_args(["--set", "a.b=1", "--x y"]).text == "--x y", "a space makes it a text"
    assert parser.parse_args(["--", "--x"]).text == "--x"
    with pytest.raises(
        UserError, match=r"^'three' is one argument too many \(p --help says what it takes\)$"
    ):
        parser.parse_args(["two", "three"])
    with pytest.raises(UserError, match=r"^p has no option --zzzz \(p --help says what it takes\)$"):
        parser.parse_args(["two", "--zzzz"])


def test_tables_and_commands_stay_what_they_are_when_wrapped() -> None:
    text = (
        "A paragraph of two\nlines.\n\nname   what it means, in more words than a narrow terminal has room for\n"
        "       and more\n  python -m harness.sweep search_spaces/rp24.yaml --trials 16   sixteen of them"
    )
    assert wrapped(text, 44).splitlines() == [
        "A paragraph of two lines.",
        "",
        "name   what it means, in more words than a",
        "       narrow terminal has room for and more",
        "  python -m harness.sweep \\",
        "      search_spaces/rp24.yaml --trials 16",
        "        sixteen of them",
    ]


def test_the_nearest_path_is_one_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "first").mkdir(parents=True)
    (tmp_path / "runs" / "firsts.txt").touch()
    assert nearest_path(Path("rns/firts")) == "; did you mean 'runs/first'?"
    assert nearest_path(Path("runs/firsts"), Path.is_dir) == "; did you mean 'runs/first'?"
    assert nearest_path(tmp_path / "runs" / "firsts.tx") == f"; did you mean '{tmp_path}/runs/firsts.txt'?"
    assert nearest_path(Path("else/where")) == ""
    also = [tmp_path / "deep" / "rp24.yaml"]
    assert nearest_path(Path("rp2.yaml"), also=also) == "; did you mean 'deep/rp24.yaml'?"
