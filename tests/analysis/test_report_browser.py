"""The report in a real browser: no complaint of its console at a desk, on a telephone and on paper."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.ranking import rank
from analysis.report.page import write_report
from analysis.store import Run
from tests.analysis.test_preregistration import CONTENT, write
from tests.browser import Page, browser, chromium
from tests.recorded.copies import write_run

REQUIRED = "CHROMIUM_REQUIRED"
"""Environment variable that makes a missing browser a failure."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("browsed") / "run")
    write(
        run, {**CONTENT, "question": "which energy ranks pairs in a cell line that it has never seen? " * 3}
    )
    return write_report(rank(Run.open(run))).file


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = chromium()
    if program is None:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and neither CHROMIUM nor the path has a browser")
        pytest.skip("no Chromium: neither the variable CHROMIUM nor the path has one")
    with browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_report_opens_with_the_answer_in_sight(page: Page, report: Path, width: int, height: int) -> None:
    page.open(report, width, height)
    assert page.value("document.querySelector('#answer').getBoundingClientRect().bottom") <= height
    assert page.value("document.documentElement.scrollWidth") <= width
    plots = "[...document.querySelectorAll('.plot')]"
    assert page.value(f"{plots}.length") > 5
    assert page.value(f"{plots}.every(plot => plot.querySelector('.main-svg'))")
    assert page.value(f"{plots}.every(plot => plot.querySelector('.main-svg').clientWidth <= {width})")
    assert (page.errors, page.requests) == ([], [])


def test_a_long_name_in_a_table_fits_a_telephone(page: Page, report: Path) -> None:
    page.open(report, 390, 844)
    cells = "document.querySelectorAll('.cards td.word:not(.unbroken) > span')"
    page.value(f"{cells}.forEach(cell => cell.append('sequence.stem.' + 'x'.repeat(60)))")
    assert page.value(f"{cells}.length") > 0
    assert page.value("document.documentElement.scrollWidth") <= 390


def test_report_prints(page: Page, report: Path) -> None:
    page.open(report, 1280, 800)
    assert page.printed().startswith(b"%PDF-")
    assert (page.errors, page.requests) == ([], [])


def test_console_errors_and_requests_are_seen(page: Page, tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<script src='http://127.0.0.1:9999/x.js'></script><script>undefined_name()</script>")
    page.open(bad, 390, 844)
    assert "undefined_name" in "".join(page.errors)
    assert page.requests == ["http://127.0.0.1:9999/x.js"]
    page.errors.clear()
    page.requests.clear()
