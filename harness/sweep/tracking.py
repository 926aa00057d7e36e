"""Trackers of a sweep: its driver exports every configuration as it ends, from the store."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from analysis.export.exporter import Exporter
from analysis.export.trackers import tracker_class

Track = Callable[[Iterable[str]], None]
"""Takes the names of units that have just ended."""


def refuse_absent(names: Sequence[str]) -> None:
    """Raise UserError for a tracker whose client is not installed, before anything runs."""
    for name in names:
        tracker_class(name).require()


@contextlib.contextmanager
def tracking(run: Path, names: Sequence[str], say: Callable[[str], None]) -> Iterator[Track]:
    """Feed trackers into RUN/export/<name>: what ended before at once, then units as they are named, and at the end what
    ended unnamed (a unit that failed).

    A tracker that cannot be written is said in a sentence and left alone; the sweep goes on, and an export afterwards has
    everything, since it reads the store.

    Raises
    ------
    UserError
        at once for an export that is in use, or a folder that cannot be written.
    """
    with contextlib.ExitStack() as stack:
        exporters: dict[str, Exporter] = {}
        for name in names:
            exporters[name] = Exporter(run, name)
            stack.callback(exporters[name].close)

        def each(work: Callable[[Exporter], object]) -> None:
            for name, exporter in list(exporters.items()):
                try:
                    work(exporter)
                except Exception as error:  # noqa: BLE001  # a tracker's client may raise anything, and ends no sweep
                    reason = (str(error).splitlines() or [type(error).__name__])[0]
                    exporter.abandon()
                    del exporters[name]
                    say(
                        f"track: {name} is written no further ({reason}); afterwards python -m analysis export {run} --to "
                        f"{name} has everything"
                    )

        each(lambda exporter: exporter.whole())
        yield lambda units: each(lambda exporter, units=list(units): exporter.add(units))  # type: ignore[misc]
        each(lambda exporter: exporter.whole())
