"""Whether a cluster that loses nodes can still hold a trial: Ray would wait for ever without a word."""

import time
from collections.abc import Callable

from harness.sweep.cluster.capacity import Capacity, alive, words

EVERY = 10.0
"""Seconds between looks."""


class Room:
    """Says so once when no node that is there can hold a trial any more, and once when one can."""

    def __init__(self, *, cpus: float, gpus: float, say: Callable[[str], None]) -> None:
        self._asked = {"CPU": cpus, "GPU": gpus}
        self._say = say
        self._held = Capacity(alive()).holds(self._asked)
        self._next = time.monotonic() + EVERY

    def look(self) -> None:
        """Ask Ray for its nodes, if it is time to."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        there = Capacity(alive())
        held = there.holds(self._asked)
        if held and not self._held:
            self._say("a node that can hold a trial is there now")
        elif self._held and not held:
            nodes = "; ".join(map(words, there.nodes)) or "none"
            self._say(
                f"no node of the cluster can hold a trial any more: one needs {words(self._asked)}, and what is left is "
                f"{nodes}. The sweep waits for a node; after Ctrl-C --resume goes on"
            )
        self._held = held
