"""The journal of a study as Optuna keeps it on disk, written and read so that a trial costs the same however many there
were."""

import json
import os
import sys
from collections.abc import Generator, Sequence
from typing import Any

from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """Writes and reads the lines of Optuna's own backend.

    Optuna's keeps the place of every line that it ever read, some twenty a trial, and each text anew. The driver goes on
    where it stopped: one place is kept, and texts that come again are one text. Raises ValueError on a line that is none.

    Optuna's makes and removes a symbolic link around everything that it writes, which takes longer and longer where many
    were removed just before, and blocks the next one for 30 s after a kill. A study has one writer, the driver that holds
    its run; beside one that adds to it by hand, lines stay whole since each write is one at the end of the file.
    """

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.file = file
        self._read, self._place = 0, 0
        """Lines that were read, and the bytes that they take."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add entries, on disk when it returns. Raises OSError where they cannot be written."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        number = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            while text:
                text = text[os.write(number, text) :]
            os.fsync(number)
        finally:
            os.close(number)

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
