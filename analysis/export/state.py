"""What an export has written already: a small file beside the output, one line per tracked run."""

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from analysis.identity import identity
from analysis.locks import without_locks
from analysis.store import Run


@dataclass(frozen=True)
class ExportSource:
    """Which run is exported: the identity of the `run`, `project`, the name of its folder, and the hash of its `data`."""

    run: str
    project: str
    data: str

    @classmethod
    def of(cls, run: Run) -> "ExportSource":
        """What says which run this is."""
        return cls(identity(run), run.name, str(run.plan().get("data", "")))


class State:
    """`OUT/.<tracker>-<project>.jsonl`: a first line that says of which run (`ExportSource`), then one per tracked run that
    was written: its key, the fingerprint of what it was made of, and what the tracker knows it by. The last line of a key
    counts; half a line of a process that was killed counts for nothing. Held locked until it is closed.

    Raises
    ------
    UserError
        where another export is writing there, where the folder cannot be written, holds the export of another run, or
        holds a file of one of the names in `writes` that no export wrote.
    """

    def __init__(
        self,
        out: Path,
        tracker: str,
        source: ExportSource,
        *,
        writes: Sequence[str] = (),
        shared: bool = False,
    ) -> None:
        file = out / f".{tracker}-{source.project}.jsonl"
        try:
            out.mkdir(parents=True, exist_ok=True)
            if not shared:
                # A run whose folder was renamed since goes on with the state under its older name.
                file = next(iter(sorted(out.glob(f".{tracker}-*.jsonl"))), file)
            foreign = [out / name for name in writes if not file.exists() and os.path.lexists(out / name)]
            if foreign:
                raise UserError(f"{foreign[0]} is there, and no export wrote it; give another --out")
            self._stream = file.open("a+b")
        except OSError as error:
            raise UserError(f"{out} cannot be written ({error.strerror}); give another --out") from None
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._stream.close()
            raise UserError(
                f"{out}: another export is writing there; wait for it, or give another --out"
            ) from None
        except OSError as error:
            self._stream.close()
            raise UserError(without_locks(out, error) or f"{out}: {error.strerror}") from None
        self._fingerprints: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        """Key of every tracked run that was written -> what the tracker knows it by."""
        try:
            self._load(file, asdict(source))
        except UserError:
            self._stream.close()
            raise

    def _load(self, file: Path, header: dict[str, str]) -> None:
        self._stream.seek(0)
        content = self._stream.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._stream.truncate(len(whole))
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
            first = lines[0] if lines else header
            for key, words in (("data", "on other data"), ("run", "that is another one")):
                if first[key] != header[key]:
                    raise UserError(
                        f"{file.parent} holds the export of a run '{first['project']}' {words}; give another --out"
                    )
            for line in lines[1:]:
                self._fingerprints[line["key"]], self.ids[line["key"]] = line["made_of"], line["id"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{file}: this is not the state of an export; give another --out, or remove it and what was exported"
            ) from None
        if not lines:
            self._append([header])

    def has(self, key: str, made_of: str) -> bool:
        """Whether the tracked run `key` was written, of this very content."""
        return self._fingerprints.get(key) == made_of

    def add(self, written: dict[str, tuple[str, str]]) -> None:
        """Note that these keys were written: (fingerprint, id)."""
        self._append([{"key": key, "made_of": made_of, "id": id} for key, (made_of, id) in written.items()])
        for key, (made_of, known_by) in written.items():
            self._fingerprints[key], self.ids[key] = made_of, known_by

    def _append(self, lines: list[dict[str, Any]]) -> None:
        self._stream.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Let another export write."""
        self._stream.close()
