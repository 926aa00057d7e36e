"""The one live table of a sweep, or plain lines where there is no terminal."""

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from analysis.labels import KNOWN_BY
from analysis.reported import AUDIT_STOP
from analysis.sized import Name
from harness.shell.terminal import tell
from harness.sweep.show.board import Board, duration
from harness.sweep.show.board_row import BoardRow

SHOWN = 10
"""Ended configurations in the live table, best first; running ones are always shown."""
COLOURS = {
    "running": "cyan",
    "waiting": "dim",
    "done": "green",
    "stopped": "yellow",
    "pruned": "dim",
    "diverged": "red",
    "failed": "bold red",
}


class Display:
    """Shows a board: a live table on a terminal, one line per event elsewhere.

    Both say the same; the table is redrawn by itself twice a second.
    """

    def __init__(self, console: Console, board: Board, objective: str) -> None:
        self.console, self.board, self.objective = console, board, objective
        self.terminal = console.is_terminal
        self._lock = threading.RLock()
        self._best: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The Tuner pickles what its scheduler calls for a `restore` that this project does not use."""
        return {}

    @contextmanager
    def showing(self) -> Iterator[None]:
        if not self.terminal:
            yield
            return
        with Live(
            get_renderable=self.render,
            console=self.console,
            refresh_per_second=2,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        ):
            yield

    def epoch(self, row: BoardRow) -> None:
        """After every epoch: a line only where there is no table and the configuration is the new best."""
        best = self.board.best()
        if best is not None and best.config == row.config and self._best != row.config:
            self._best = row.config
            if not self.terminal:
                reached = f"at epoch {row.epoch}" if len(row.trials) == 1 else f"after {row.progress}"
                self.note(
                    f"best so far  {row.config}  {_number(row.objective)} {reached}  "
                    f"{self.board.label(row.config)}"
                )

    def ended(self, row: BoardRow, *folds: str) -> None:
        """Trials ended, and maybe their configuration with them: a line each for logs; on a terminal only what a person
        must not miss, what failed or diverged and what the audit stopped."""
        for fold in folds if len(row.trials) > 1 and not self.terminal else ():
            trial = row.trials[fold]
            named, reason = self.board.folds.get(fold, fold), f"  ({trial.reason})" if trial.reason else ""
            self.note(
                f"  {trial.status:<8} {row.config} on {named}  epoch {trial.epoch}/{trial.epochs}  "
                f"{_number(trial.objective)}{reason}"
            )
        missed = row.status in ("failed", "diverged") or row.reason.startswith(AUDIT_STOP)
        if row.ended and (missed or not self.terminal):
            self._configuration_ended(row)

    def withdrawn(self, key: str, folds: Sequence[str]) -> None:
        """Trials of a configuration on these folds were pruned, one of its units each or more; nothing without any."""
        if folds:
            self.ended(self.board.rows[key], *dict.fromkeys(folds))

    def _configuration_ended(self, row: BoardRow) -> None:
        left = self.board.time_left()
        tail = f"  ({row.reason})" if row.reason else f"  {self.board.label(row.config)}"
        warned = f"  warnings: {', '.join(sorted(row.warned))}" if row.warned else ""
        progress = f"{self.board.ended}/{self.board.total}" + (f", {duration(left)} left" if left else "")
        tell(
            self.console,
            f"{row.status:<8} {row.config}  {row.progress}  {_number(row.objective)}{tail}{warned}  [{progress}]",
            COLOURS[row.status] if self.terminal else None,
        )

    def aside(self, sentence: str) -> None:
        """What goes on beside the trials: a line for logs, part of the headline above the table."""
        if sentence != self.board.aside:
            self.board.aside = sentence
            if not self.terminal:
                self.note(sentence)

    def note(self, sentence: str) -> None:
        """What a person must not miss, in a log as above the table: broken between words where a terminal is narrow."""
        tell(self.console, sentence)

    def render(self) -> RenderableType:
        """Progress line and table; at most as many rows as help."""
        with self._lock:
            running = self.board.running()
            table = self._table([*running, *self.board.over(SHOWN)])
            hidden = len(self.board.rows) - len(running) - SHOWN
            parts: list[RenderableType] = [self._headline(), table]
            if hidden > 0:
                parts.append(Text(f"and {hidden} more that ended", style="dim"))
            return Group(*parts)

    def _table(self, rows: Sequence[BoardRow]) -> Table:
        """A row per configuration, which is called by its arm where all have one, else by the beginning of its identity and
        what differs, in at most two lines."""
        several = any(len(row.trials) > 1 for row in rows)
        arms = bool(rows) and all(row.arm for row in rows)
        table = Table(box=None, pad_edge=False, show_edge=False, expand=True, header_style="bold")
        # In 80 columns there is room for names, since headings stand in two lines.
        objective = self.objective.replace("val_unseen/", "").replace("/", "\n")
        if arms:
            table.add_column("arm", ratio=1)
        else:
            table.add_column("", no_wrap=True, style="dim", width=KNOWN_BY)
        table.add_column("state", no_wrap=True, width=8)
        if several:
            table.add_column("folds", justify="right", no_wrap=True, width=5)
        table.add_column("epoch", justify="right", no_wrap=True, width=7)
        table.add_column(objective, justify="right", no_wrap=True)
        table.add_column("train\nAUPR", justify="right", no_wrap=True)
        table.add_column("warnings", no_wrap=True, justify="right")
        if not arms:
            table.add_column("configuration", ratio=1)
        best = self.board.best()
        for row in rows:
            leads = best is not None and row.config == best.config
            ended_trials = sum(trial.ended for trial in row.trials.values())
            label = self.board.label(row.config)
            diverged = f"{row.diverged} of {row.units} diverged" if row.diverged else ""
            table.add_row(
                Name(f"{label} ({diverged})" if diverged else label) if arms else row.config[:KNOWN_BY],
                Text(row.status, style=COLOURS[row.status]),
                *([f"{ended_trials}/{len(row.trials)}"] if several else []),
                f"{row.epoch}/{row.epochs}",
                Text(_number(row.objective), style="bold green" if leads else ""),
                _number(row.metric("train_aupr")),
                Text(str(len(row.warned)) if row.warned else "", style="yellow"),
                *([] if arms else [Name(f"{diverged}; {label}" if diverged else label)]),
            )
        return table

    def _headline(self) -> Text:
        counts = self.board.counts()
        said = [f"{counts[status]} {status}" for status in COLOURS if counts[status]]
        left = self.board.time_left()
        best = self.board.best()
        line = Text.assemble(
            (f"{self.board.ended}/{self.board.total} configurations", "bold"),
            f"  {', '.join(said) or 'starting workers'}  elapsed {duration(self.board.elapsed())}",
            (f"  {self.board.aside}" if self.board.aside else "", "dim"),
        )
        if left:
            line.append(f"  about {duration(left)} left")
        if best is not None:
            line.append(f"  best {_number(best.objective)}", style="green")
        return line


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "-"
