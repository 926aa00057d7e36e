"""The journal of a study as Optuna keeps it on disk, read so that what a trial leaves in memory stays small."""

import json
import os
import sys
from collections.abc import Generator, Sequence
from typing import Any

from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """Writes and locks as Optuna's own backend, and reads the same lines.

    Optuna's keeps the place of every line that it ever read, some twenty a trial, and each text anew. The driver goes on
    where it stopped: one place is kept, and texts that come again are one text. Raises ValueError on a line that is none.
    """

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.file = file
        self._read, self._place = 0, 0
        """Lines that were read, and the bytes that they take."""

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Entries from that number on, up to where the file ends now; a line that is being written waits."""
        number, place = (self._read, self._place) if log_number_from == self._read else (0, 0)
        with open(self.file, "rb") as stream:
            end = os.fstat(stream.fileno()).st_size
            stream.seek(place)
            for line in stream:
                place += len(line)
                if place > end or not line.endswith(b"\n"):
                    break
                number += 1
                if number <= log_number_from:
                    continue
                entry = json.loads(line, object_pairs_hook=_entry)
                self._read, self._place = number, place
                yield entry


def _entry(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a line, its names and texts kept once however many lines have them."""
    return {sys.intern(name): sys.intern(value) if isinstance(value, str) else value for name, value in pairs}
