"""Tune's events onto the board and the display."""

from collections.abc import Callable
from typing import Any

from ray.tune import Callback

from harness.sweep.show.board import Board
from harness.sweep.show.board_row import BoardTrial
from harness.sweep.show.display import Display


class BoardCallback(Callback):
    """Feeds a board from Tune's events; a worker that died is said once, in a sentence.

    `on_event` is called after every event, about once a second, for what goes on beside the trials; `pause` when a worker
    can write nothing more, for which `paused` is then the reason.
    """

    def __init__(
        self, board: Board, display: Display, on_event: Callable[[], None], *, pause: Callable[[], None]
    ) -> None:
        self.board, self.display, self.on_event, self.pause = board, display, on_event, pause
        self.paused = ""
        self._restarts: dict[str, int] = {}
        self._noted: set[str] = set()
        """What units said: what several of them say is one note."""

    def __getstate__(self) -> dict[str, Any]:
        """The Tuner pickles its callbacks for a `restore` that this project does not use."""
        return {}

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self.on_event()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        began = self._trial(trial)
        began.status = "running"
        failures = int(trial.num_failures)
        if failures > self._restarts.get(trial.trial_id, 0):
            self._restarts[trial.trial_id] = failures
            self.display.note(
                f"the worker of {trial.config['name']} died; it was started again and goes on after epoch {began.epoch}"
            )

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        for note in result["notes"]:
            if note not in self._noted:
                self.display.note(note)
                self._noted.add(note)
        if result["paused"]:
            self.paused = self.paused or result["paused"]
            self.pause()
            return
        reporting = self._trial(trial)
        diverged = reporting.diverged
        row = self.board.update(result)
        if reporting.diverged > diverged and not reporting.ended:
            self.display.note(f"{trial.config['name']}: {reporting.reason}; the others go on")
        self.display.epoch(row)
        if reporting.ended:
            self.display.ended(row, result["fold"])

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        failed = self._trial(trial)
        failed.status = "failed"
        failed.reason = f"its worker died {int(trial.num_failures)} times"
        self.display.ended(self.board.rows[trial.config["configuration"]], trial.config["fold"])

    def _trial(self, trial: Any) -> BoardTrial:
        """The board's own of what Tune calls a trial."""
        return self.board.rows[trial.config["configuration"]].trials[trial.config["fold"]]
