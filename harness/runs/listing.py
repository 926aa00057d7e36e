"""`list`: the runs of a folder as a table, or as paragraphs in a narrow terminal."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import RenderableType
from rich.text import Text

from analysis.arms import arms
from analysis.errors import UserError
from analysis.fidelity.record import SCREEN
from analysis.nearest_path import nearest_path
from analysis.output import counted
from analysis.store import Run, is_run
from harness.runs.choice import titled
from harness.runs.stacked import StackedTable
from harness.runs.summary import RunSummary, size_text

STYLE = {
    "running": "cyan",
    "interrupted": "yellow",
    "unknown": "yellow",
    "unreadable": "red",
    "damaged": "red",
}
HEADINGS = ("run", "status", "design", "configs", "units", "best", "size", "age", "tags")


@dataclass(frozen=True)
class Listing:
    """A row of cells per run right below `folder`, the one that was last at work first; `sentences` on what could not be
    read, the arms that `best` is of, and whether rows are `lost` that nothing else holds."""

    folder: Path
    rows: tuple[list[Text], ...]
    sentences: tuple[str, ...]
    best_arms: tuple[str, ...]
    lost: bool

    @classmethod
    def of(cls, folder: Path) -> "Listing":
        """The runs of a folder. One that cannot be read has a row and a sentence of its own; it hides no other.

        Raises
        ------
        UserError
            where there is no such folder, it cannot be read, or is a run itself.
        """
        if is_run(folder):
            raise UserError(f"{folder} is a run itself: python -m harness.runs show {folder}")
        if not folder.is_dir():
            hint = nearest_path(folder, Path.is_dir)
            raise UserError(
                f"{folder}: there is no such folder; expected one that holds runs, such as runs{hint}"
            )
        try:
            names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
        except OSError as error:
            raise UserError(f"{folder} cannot be read ({error.strerror})") from None
        rows: list[tuple[float, list[Text]]] = []
        sentences: list[str] = []
        best_arms: list[str] = []
        lost = False
        for name in _with_screens(folder, names):
            try:
                if not is_run(folder / name):
                    continue
                run = RunSummary(Run.open(folder / name))
                rows.append(_row(run, name))
                best_arms += _best_arm(run)
                sentences += [f"{name}: {problem}" for problem in run.run.problems]
                lost = lost or bool(run.run.lost)
            except UserError as error:
                status = Text("unreadable", style=STYLE["unreadable"])
                rows.append((0.0, [Text(name), status, *(Text("") for _ in HEADINGS[2:])]))
                sentences.append(str(error))
        ordered = sorted(rows, key=lambda row: -row[0])
        return cls(folder, tuple(cells for _, cells in ordered), tuple(sentences), tuple(best_arms), lost)

    def view(self) -> Iterator[RenderableType]:
        """The table, what `best` is, and the sentences."""
        if not self.rows:
            yield Text(
                f"no runs in {self.folder}: a run is a folder with units/ and plan.json in it, as a sweep leaves it behind"
            )
            return
        yield StackedTable(
            HEADINGS, self.rows, {"run": 5, "tags": 4}, ("status", "design"), ("status", "age")
        )
        yield Text(
            f"\n{counted(len(self.rows), 'run')}; best: mean objective of the best configuration; "
            "python -m analysis RUN ranks",
            style="dim",
        )
        for line in self.best_arms:
            yield Text(line, style="dim")
        for sentence in self.sentences:
            yield Text(f"note: {sentence}", style="yellow")


def _with_screens(folder: Path, names: Sequence[str]) -> Iterator[str]:
    """The names, and in place of one that is no run yet its screen, of which nothing has been promoted."""
    for name in names:
        screen = f"{name}/{SCREEN}"
        try:
            yield screen if not is_run(folder / name) and is_run(folder / screen) else name
        except UserError:
            yield name  # said where it is looked into


def _best_arm(run: RunSummary) -> list[str]:
    """Which arm the best value of a run is of; nothing of a design without arms."""
    config, value, _ = run.best
    known = config in arms(run.run) and not math.isnan(value)
    return [f"best of {run.run.name}: {titled(run.run, config)}"] if known else []


def _row(run: RunSummary, name: str) -> tuple[float, list[Text]]:
    """When the run was last at work, and its cells; `name` as below the folder that is listed."""
    _, value, _ = run.best
    status, tags = run.status, ", ".join(run.notes.tags)
    cells = [
        Text(name),
        Text(status, style=STYLE.get(status, "")),
        *map(Text, (run.design, str(run.configurations), run.counted)),
        *map(Text, ("-" if math.isnan(value) else f"{value:.3f}", size_text(run.size), run.age, tags)),
    ]
    return (run.last.timestamp() if run.last else 0.0), cells
