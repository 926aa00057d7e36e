"""What was asked before the first step: quoted, and every change after the fact seen."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.preregistration import FILE, entry_hash, preregistration, preregistration_view
from analysis.ranking import rank
from analysis.report.content import Paragraph
from analysis.report.material import Material
from analysis.report.sections.question import Question
from analysis.report.texts import texts
from analysis.store import Run
from tests.recorded.copies import Copy, write_run

CONTENT = {
    "question": "which are missed?",
    "families": {"removal": {"base": ["without x", "without y"]}},
    "criterion": "val_unseen/macro/aupr",
    "rope": 0.005,
    "seeds": [0, 1],
    "folds": {"f1": "C1"},
    "date": "2026-01-01",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "plan.json").write_text("{}")
    write(tmp_path, CONTENT)
    return tmp_path


def write(run: Path, *contents: dict[str, Any]) -> str:
    entries: list[dict[str, Any]] = []
    for content in contents:
        previous = entries[-1]["sha256"] if entries else ""
        entries.append({"content": content, "previous": previous, "sha256": entry_hash(content, previous)})
    (run / FILE).write_text(json.dumps({"entries": entries}))
    return str(entries[0]["sha256"])


def quoted(run: Path) -> str:
    console = Console(file=StringIO(), width=300)
    for part in preregistration_view(Run(run)):
        console.print(part)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_question_family_and_region_are_quoted(run: Path) -> None:
    text = quoted(run)
    assert "question: which are missed?" in text
    assert "family removal (2) against base: without x, without y" in text
    assert "within ±0.005; 2 seeds, 1 fold" in text
    assert "changed" not in text


def test_one_that_came_after_units_says_so(run: Path) -> None:
    assert "before the first step" in quoted(run)
    write(run, {**CONTENT, "units_before": 4})
    assert "when 4 units had run already" in quoted(run)
    assert "before the first step" not in quoted(run)


def test_a_run_without_one_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    assert quoted(tmp_path) == ""


def edit(document: dict[str, Any]) -> None:
    document["entries"][0]["content"]["question"] = "which did best?"


def unchain(document: dict[str, Any]) -> None:
    entry = document["entries"][0]
    entry["previous"] = "0" * 64
    entry["sha256"] = entry_hash(entry["content"], entry["previous"])


@pytest.mark.parametrize("change", [edit, unchain])
def test_an_entry_that_was_edited_is_seen(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((run / FILE).read_text())
    change(document)
    (run / FILE).write_text(json.dumps(document))
    assert "entry 1 of preregistration.json is not what was written" in quoted(run)


def test_a_file_that_was_written_anew_is_seen_by_the_provenance(run: Path) -> None:
    first = write(run, CONTENT)
    (run / "provenance.json").write_text(json.dumps({"preregistration": first}))
    assert "changed" not in quoted(run)
    write(run, {**CONTENT, "question": "which did best?"})
    assert "it was replaced after the fact" in quoted(run)


def test_a_later_question_is_said_and_the_first_one_quoted(run: Path) -> None:
    write(run, CONTENT, {**CONTENT, "question": "which did best?", "seeds": [0, 1, 2]})
    known = preregistration(Run(run))
    assert known is not None
    assert (known.entries, known.first["question"]) == (2, "which are missed?")
    text = quoted(run)
    assert "the question was changed by a later start; it is now: which did best?" in text
    assert "a later start changed seeds" in text


def test_a_file_that_cannot_be_read_is_a_problem_of_the_run(run: Path) -> None:
    (run / FILE).write_text('{"entries": [1]}')
    opened = Run(run)
    assert preregistration(opened) is None
    assert "preregistration.json cannot be read" in opened.problems[0]


def test_a_report_says_of_a_lost_file_what_the_terminal_says(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", (Copy("aaa111"),))
    sha256 = write(folder, CONTENT)
    (folder / "provenance.json").write_text(json.dumps({"preregistration": sha256}))
    (folder / FILE).unlink()
    (paragraph,) = Question().blocks(Material(rank(Run.open(folder)), texts())) or ()
    assert isinstance(paragraph, Paragraph)
    assert "is gone or empty: what was asked before the first step is not known any more" in paragraph.text
    assert paragraph.text == quoted(folder).strip()
    (folder / "provenance.json").unlink()
    assert Question().blocks(Material(rank(Run.open(folder)), texts())) is None
