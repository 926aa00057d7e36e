"""When the trials of a sweep are to end although configurations are left: the time is up, or somebody said so."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ray.tune import Stopper

ECHO = 1.0
"""Seconds in which a further signal is the same one again: `timeout` and some shells send each of them twice."""


class Ending(Stopper):
    """Asked by Tune after every event; every finished epoch is on disk, so ending costs at most the epochs at work.

    The first SIGINT (Ctrl-C) or SIGTERM ends the trials, with the ranking of what there is; the second one ends the
    program as it would any other.

    Parameters
    ----------
    seconds : time for the trials; None: no bound.
    say : tells a person, once, why the trials end.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, seconds: float | None, say: Callable[[str], None]) -> None:
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._say = say
        self._before: dict[int, Any] = {}
        self._signalled_at: float | None = None
        self.reason: str | None = None

    @property
    def due(self) -> bool:
        """Whether the trials are to end now."""
        if self.reason is None and self._deadline is not None and time.monotonic() >= self._deadline:
            self.end("the time is up")
        return self.reason is not None

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No configuration is ended by itself here."""
        return False

    def stop_all(self) -> bool:
        """Tune's question."""
        return self.due

    def __deepcopy__(self, memo: dict[int, Any]) -> "Ending":
        """Tune copies what it is given, and signals reach this object."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """The Tuner pickles its stopper for a `restore` that this project does not use."""
        return {}

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the trials; what handled them before does so again afterwards."""
        self._before = {number: signal.signal(number, self._signalled) for number in self.SIGNALS}
        try:
            yield
        finally:
            self._give_back()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._signalled_at is None:
            self._signalled_at = now
            self.end("interrupted" if number == signal.SIGINT else "asked to end")
        elif now - self._signalled_at > ECHO:
            self._give_back()
            os.kill(os.getpid(), number)

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def end(self, reason: str) -> None:
        """End the trials, for a reason that a person is told."""
        self.reason = reason
        self._say(f"{reason}: ending the trials; finished epochs are kept")
