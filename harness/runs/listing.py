"""`list`: the runs of a folder as a table of 80 columns."""

import math
from collections.abc import Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.arms import arms
from analysis.errors import UserError
from analysis.output import counted
from analysis.store import Run, is_run
from harness.runs.choice import titled
from harness.runs.summary import RunSummary, size_text

STYLE = {"running": "cyan", "interrupted": "yellow", "unreadable": "red"}


def listing(folder: Path) -> Iterator[RenderableType]:
    """One row per run right below `folder`, the one that was last at work first.

    A run that cannot be read has a row and a sentence of its own; it hides no other.

    Raises
    ------
    UserError
        where there is no such folder, or it is a run itself.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; expected one that holds runs, such as runs")
    if is_run(folder):
        raise UserError(f"{folder} is a run itself: python -m harness.runs show {folder}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("run", overflow="fold", ratio=1)
    for name in ("status", "design"):
        table.add_column(name, no_wrap=True)
    for name in ("configs", "units", "best", "size", "age"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("tags", overflow="fold")
    rows, best_arms, sentences = [], [], []
    for path in sorted(path for path in folder.iterdir() if is_run(path) and not path.name.startswith(".")):
        try:
            run = RunSummary(Run.open(path))
            rows.append(_row(run))
            best_arms += _best_arm(run)
        except UserError as error:
            status = Text("unreadable", style=STYLE["unreadable"])
            rows.append((0.0, [Text(path.name), status, "", "", "", "", "", "", ""]))
            sentences.append(str(error))
    for _, cells in sorted(rows, key=lambda row: -row[0]):
        table.add_row(*cells)
    if not rows:
        yield Text(
            f"no runs in {folder}: a run is a folder with units/ and plan.json in it, as a sweep leaves it behind"
        )
        return
    yield table
    yield Text(
        f"\n{counted(len(rows), 'run')}; best: mean objective of the best configuration; "
        "python -m analysis RUN ranks",
        style="dim",
    )
    for line in best_arms:
        yield Text(line, style="dim")
    for sentence in sentences:
        yield Text(f"note: {sentence}", style="yellow")


def _best_arm(run: RunSummary) -> list[str]:
    """Which arm the best value of a run is of; nothing of a design without arms."""
    config, value, _ = run.best
    known = config in arms(run.run) and not math.isnan(value)
    return [f"best of {run.run.name}: {titled(run.run, config)}"] if known else []


def _row(run: RunSummary) -> tuple[float, list[RenderableType]]:
    _, value, _ = run.best
    status = run.status
    cells: list[RenderableType] = [
        Text(run.run.name),
        Text(status, style=STYLE.get(status, "")),
        run.design,
        str(run.configurations),
        f"{run.ended}/{run.planned}",
        "-" if math.isnan(value) else f"{value:.3f}",
        size_text(run.size),
        run.age,
        Text(", ".join(run.notes.tags)),
    ]
    return (run.last.timestamp() if run.last else 0.0), cells
