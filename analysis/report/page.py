"""The report as a page: every section's blocks in one template, written whole or not at all."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from analysis.errors import UserError
from analysis.ranking import Ranking
from analysis.report.answer import answer
from analysis.report.content import Content
from analysis.report.drawing import FONTS
from analysis.report.library import packed_library
from analysis.report.material import Material
from analysis.report.order import SECTIONS
from analysis.report.texts import texts

FILE = "report.html"
"""Name of the report in the folder of its run."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """Where a report was written, and its size in bytes."""

    file: Path
    size: int


def write_report(
    ranking: Ranking,
    out: Path | None = None,
    language: str = "en",
    *,
    progress: Progress = lambda section: None,
) -> Report:
    """Write the report of a ranked run to RUN/report.html, or to `out`; `progress` is told the title of every section.

    Raises UserError where the file cannot be written.
    """
    file = out or ranking.run.path / FILE
    if file.is_dir():
        raise UserError(f"{file} is a folder; expected the name of a file, e.g. {file / FILE}")
    content = report_html(ranking, language, progress=progress).encode()
    hidden = file.with_name(f".{file.name}.part")
    try:
        hidden.write_bytes(content)
        hidden.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise UserError(
            f"{file} cannot be written ({error.strerror}); --out FILE names another place"
        ) from None
    return Report(file, len(content))


def report_html(ranking: Ranking, language: str = "en", *, progress: Progress = lambda section: None) -> str:
    """The page as text: one file with its style, script and figures in it."""
    text = texts(language)
    material = Material(ranking, text)
    shown, absent = [], []
    for section in SECTIONS:
        title = text(f"{section.key}.title")
        progress(title)
        blocks = section.blocks(material)
        if blocks is None:
            absent.append(text("page.not_here_is", title=title, why=text(f"{section.key}.missing")))
        else:
            shown.append(Content(section.key, title, blocks))
    rows, counts = material.rows, ranking.counts
    configurations = text.count("configuration", counts.configurations)
    if len(rows) < counts.configurations:
        configurations = text("page.part", k=len(rows), configurations=configurations)
    unfinished = text("page.unfinished", left=counts.to_come, planned=text.count("unit", counts.planned))
    known = material.preregistration
    environment = Environment(
        loader=PackageLoader("analysis.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        text=text,
        fonts=FONTS,
        run=ranking.run.name,
        size=text(
            "page.size",
            configurations=configurations,
            folds=text.count("fold", int(rows["folds"].max())),
            seeds=text.count("seed", int(rows["seeds"].max())),
        ),
        question=known.first.get("question") if known else None,
        answer=answer(material),
        unfinished=unfinished if counts.to_come else "",
        sections=shown,
        absent=absent,
        plotly=packed_library(),
    )
