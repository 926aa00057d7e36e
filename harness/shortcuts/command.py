"""What `python -m harness.data report` does: measure, print, and write report.json, report.html and Parquet tables."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich import box
from rich.console import Console, Group
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from analysis.language.wrapping import Wrapped
from harness.config.blocks.data import DataBlock
from harness.config.blocks.trial import SIZES
from harness.data.store import open_dataset
from harness.shell.terminal import tell
from harness.shortcuts.page import page, shown
from harness.shortcuts.report import MEANING, DataReport, DataSection, data_report
from harness.shortcuts.words import Words, cell, spoken
from harness.store.storage import check_writable
from harness.store.writer import replace_atomically

SIZE = SIZES["small"]


def report_command(block: DataBlock, out: Path, cache: Path, console: Console, language: str = "en") -> int:
    """The report of a dataset, printed and written below `out` in a language; nothing is written before all of it is
    known. report.json and the Parquet files, which programs read, are English."""
    words = spoken(language)
    check_writable(out)
    dataset = open_dataset(
        block,
        enhancer_bp=SIZE["enhancer_bp"],
        promoter_bp=SIZE["promoter_bp"],
        cache=cache,
        progress=console.is_terminal,
    )
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)
        report = data_report(
            dataset, block, started=lambda what: progress.update(task, description=f"measuring: {what}")
        )
    print_report(report, console, words)
    write_report(report, out, words, language)
    said = words(f"written to {out}: report.html, report.json and a Parquet file per table")
    console.print(f"\n{said}", soft_wrap=True)
    return 0


def write_report(report: DataReport, out: Path, words: Words = str, language: str = "en") -> None:
    """report.json, report.html and SECTION.parquet below `out`, each in one step."""
    replace_atomically(out / "report.json", (json.dumps(report.plain(), indent=1) + "\n").encode())
    replace_atomically(out / "report.html", page(report, words, language).encode())
    for section in report.sections:
        if section.rows:
            buffer = pa.BufferOutputStream()
            pq.write_table(pa.Table.from_pandas(section.table, preserve_index=False), buffer)
            replace_atomically(out / f"{section.key}.parquet", buffer.getvalue().to_pybytes())


def print_report(report: DataReport, console: Console, words: Words = str) -> None:
    """Every section as a table, and the flags last, where they are read."""
    console.print(Text(report.origin, style="bold"))
    for section in report.sections:
        console.print(Text(f"\n{words(section.title)}", style="bold"))
        console.print(Group(_line(words(section.sentence), "dim")))
        if section.rows:
            console.print(_table(section, words))
    for note in report.notes:
        tell(console, words(f"read: {note}"))
    console.print()
    for flag in report.flags:
        tell(console, words(f"{flag}: {MEANING[flag]}"), "bold red")
    if not report.flags:
        console.print(words("no split and no shortcut is flagged"), style="green")


def _line(text: str, style: str) -> Text:
    """A text that is broken as its language has it; a group keeps that."""
    return Wrapped(text, style=style)


def _table(section: DataSection, words: Words) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    first = section.rows[0]
    for name, value in first.items():
        table.add_column(words(name), justify="left" if isinstance(value, str) else "right")
    for row in section.rows:
        cells = [
            cell(name, value, words) if isinstance(value, str) else shown(value)
            for name, value in row.items()
        ]
        table.add_row(*map(Text, cells))
    return table
