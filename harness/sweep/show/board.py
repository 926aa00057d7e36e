"""What a running sweep looks like at this moment: every configuration's state, counts, best, and time left."""

import bisect
import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from analysis.labels import Labels
from harness.design.trial import Trial
from harness.sweep.show.board_row import BoardRow


class Board:
    """Counts configuration by configuration.

    Parameters
    ----------
    total : configurations that this start of the run is to end with, those of earlier starts included.
    larger_is_better : direction of the objective.
    folds : identity of each fold -> what a person calls it.
    before : objectives that configurations reached in earlier starts.
    """

    def __init__(
        self,
        *,
        total: int,
        larger_is_better: bool,
        folds: Mapping[str, str],
        before: Iterable[float] = (),
        clock: Any = time.monotonic,
    ) -> None:
        self.total, self.folds = total, folds
        self.larger_is_better = larger_is_better
        self.rows: dict[str, BoardRow] = {}
        self._open: dict[str, BoardRow] = {}
        """Rows that had not ended when they were last looked at: what a look costs does not grow with the others."""
        self._over: list[tuple[float, int, BoardRow]] = []
        """Those that had, best first: (merit turned so that less is better, number, row)."""
        self._counted: Counter[str] = Counter()
        self._longest = 0
        self._looking = threading.Lock()
        self.aside = ""
        """What goes on beside the trials, in a few words."""
        self._clock = clock
        self._began = clock()
        self._seconds, self._epochs = 0.0, 0
        self._labels = Labels()
        self._best: BoardRow | None = None
        self._merit_of_best = -math.inf
        merits = (value if larger_is_better else -value for value in before if math.isfinite(value))
        self._to_beat = max(merits, default=-math.inf)

    def enter(self, row: BoardRow) -> BoardRow:
        """Add a configuration, or leave what is known of it."""
        self._labels.add(row.config, row.changes)
        with self._looking:
            if row.config not in self.rows:
                self.rows[row.config] = self._open[row.config] = row
                self._longest = max(self._longest, row.epochs)
        return self.rows[row.config]

    def update(self, report: Mapping[str, Any]) -> BoardRow:
        """A worker's report after an epoch."""
        row = self.rows[report["configuration"]]
        trial = row.trials[report["fold"]]
        if report["epoch"] > trial.epoch:
            self._seconds += float(report["seconds"])
            self._epochs += int(report["epoch"]) - trial.epoch
        trial.take(report)
        if self._merit(row) > self._merit_of_best:
            self._best, self._merit_of_best = row, self._merit(row)
        row.warned |= set(report["warned"])
        return row

    def counts(self) -> Counter[str]:
        """Configurations by status."""
        running = self.running()
        return self._counted + Counter(row.status for row in running)

    @property
    def ended(self) -> int:
        return len(self.rows) - len(self.running())

    def running(self) -> list[BoardRow]:
        """Rows of configurations that have not ended, as they were entered; one that has ended stays so."""
        with self._looking:
            for row in [row for row in self._open.values() if row.ended]:
                del self._open[row.config]
                self._counted[row.status] += 1
                merit = (-1 if self.larger_is_better else 1) * row.objective
                place = merit if math.isfinite(merit) else math.inf
                bisect.insort(self._over, (place, len(self._over), row))
            return list(self._open.values())

    def over(self, most: int) -> list[BoardRow]:
        """Rows of configurations that have ended, best first."""
        self.running()
        return [row for _, _, row in self._over[:most]]

    def best(self) -> BoardRow | None:
        """The configuration with the best objective so far, of those that have one on every fold and did not fail or
        diverge; None while an earlier start has a better one."""
        if self._best is not None and self._merit(self._best) < self._merit_of_best:
            self._best = max(self.rows.values(), key=self._merit)
            self._merit_of_best = self._merit(self._best)
        return self._best if self._merit_of_best > self._to_beat else None

    def _merit(self, row: BoardRow) -> float:
        """The objective so that more is better; less than anything where it does not count."""
        if row.status in ("failed", "diverged") or not row.whole:
            return -math.inf
        return row.objective if self.larger_is_better else -row.objective

    def label(self, config: str) -> str:
        """The arm of a configuration, or the keys in which it differs from the others, named as the ranking names them."""
        return self.rows[config].arm or self._labels.name(config)

    def name(self, trial: Trial) -> str:
        """What a person reads of a trial in Ray's dashboard; no two trials share it."""
        fold = self.folds.get(trial.fold, trial.fold)
        return f"{fold}: {self.label(trial.config_id)} ({trial.config_id})"

    def elapsed(self) -> float:
        """Seconds since the board was made."""
        return float(self._clock() - self._began)

    def time_left(self) -> float | None:
        """Seconds, from the mean time of an epoch so far and as many workers as were busy; None before the first
        epoch. Early stopping makes it shorter, final evaluations longer."""
        epochs, seconds = self._epochs, self._seconds
        if not epochs or self.elapsed() <= 0:
            return None
        busy = max(1.0, seconds / self.elapsed())
        waiting = max(0, self.total - len(self.rows)) * self._longest
        running = sum(row.left for row in self.running())
        return float((waiting + running) * seconds / epochs / busy)


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
