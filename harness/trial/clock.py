"""How long something takes, on the clock and of the processor."""

import time
from typing import NamedTuple


class Clock(NamedTuple):
    """A moment that later ones are measured from."""

    began: float
    used: float

    @classmethod
    def now(cls) -> "Clock":
        """As it is now."""
        return cls(time.perf_counter(), time.process_time())

    @property
    def wall(self) -> float:
        """Seconds since then."""
        return time.perf_counter() - self.began

    @property
    def cpu(self) -> float:
        """Seconds of processor time that all threads of this process used since then."""
        return time.process_time() - self.used

    def without(self, wall: float, cpu: float) -> "Clock":
        """The moment that later ones are measured from where that much of the time since is not to count."""
        return Clock(self.began + wall, self.used + cpu)
