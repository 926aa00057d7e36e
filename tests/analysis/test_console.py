"""What a person named is printed as it was named, on every terminal."""

import ast
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.__main__ import print_ranking
from analysis.console import plain_console
from tests.harness.command import command
from tests.recorded.copies import Copy, write_run

ROOT = Path(__file__).parents[2]
ODD = ("K[red]562", "[/bold]HM:star:EC")


@pytest.fixture
def odd_run(tmp_path: Path) -> Path:
    """A run whose folder, cell lines, paths and values look like markup."""
    odd = dict(zip(("C4", "C5"), ODD, strict=True))
    designs = [
        Copy("aaa111", {"energy.form": "[bold]"}, train=0.98, lines=odd),
        Copy("bbb222", {"energy.form": "T[naive]"}, train=0.98, lines=odd),
    ]
    return write_run(tmp_path / "[run] é", designs)


def test_names_that_look_like_markup_are_printed_as_they_are(odd_run: Path) -> None:
    said = " ".join(command("analysis", odd_run).stdout.split())
    for name in ("Run [run] é", "energy=[bold]", "energy=T[naive]", "energy.form=", "K[red]562"):
        assert name in said, name


def test_also_on_a_console_that_reads_markup(odd_run: Path) -> None:
    stream = io.StringIO()
    print_ranking(odd_run, console=Console(file=stream, width=200))
    assert "energy=[bold]" in stream.getvalue()
    assert "energy.form=[bold]" in stream.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "utf-8"])
def test_a_terminal_that_lacks_a_mark_gets_another(odd_run: Path, encoding: str) -> None:
    done = command("analysis", odd_run, encoding=encoding)
    assert done.returncode == 0, done.stderr
    assert ("test†" in done.stdout) == (encoding == "utf-8")
    assert ("test*" in done.stdout) == (encoding in ("ascii", "latin-1", "gbk"))


def test_an_error_names_what_the_terminal_cannot_show(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "analysis", str(tmp_path / "ломаный")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LANG": "C", "LC_ALL": "C"}
    done = subprocess.run(words, capture_output=True, cwd=ROOT, env=environment)
    assert done.returncode == 2
    assert b"\\u043b" in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_console_takes_text_and_cells_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[bold]", title="a:star:[/x]")
    table.add_row("T[naive] :smile: [/]")
    console = plain_console()
    console.print(table)
    console.print("[run] :smile:", style="bold")
    said = capsys.readouterr().out
    assert all(word in said for word in ("[bold]", "a:star:[/x]", "T[naive] :smile: [/]", "[run] :smile:"))


def test_control_characters_of_names_are_spelt_and_colours_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = plain_console()
    console.file = io.StringIO()
    table = Table("head\x07", title="title\x9b")
    table.add_row("cell\x1b[2J")
    console.print(table)
    console.print("text\x1b]0;x\x07\nsecond", style="red")
    console.print(Text("assembled\x1b[2J"))
    said = console.file.getvalue()
    for spelt in (
        r"head\x07",
        r"title\x9b",
        r"cell\x1b[2J",
        r"text\x1b]0;x\x07",
        r"assembled\x1b[2J",
        "second",
    ):
        assert spelt in said
    assert "\x1b[31mtext" in said
    assert "\x1b[2J" not in said.replace(r"\x1b[2J", "")
    assert "\x07" not in said


def test_consoles_are_made_in_one_place_without_markup() -> None:
    made, marked = set(), set()
    for path in (file for room in ("analysis", "harness") for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            options = {each.arg: ast.unparse(each.value) for each in node.keywords}
            function = ast.unparse(node.func)
            if function in ("Console", "LegibleConsole") and options.get("markup") != "False":
                made.add(path.name)
            if function.endswith("from_markup") or options.get("markup") == "True":
                marked.add(path.name)
    assert made == set()
    assert marked == set()
