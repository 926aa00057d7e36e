"""What an export has written already: a small file beside the output, one line per tracked run."""

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from analysis.errors import UserError


class State:
    """`OUT/.<tracker>-<project>.jsonl`: a first line that says of which run on which data, then one per tracked run that
    was written: its key, the fingerprint of what it was made of, and what the tracker knows it by. The last line of a key
    counts; half a line of a process that was killed counts for nothing. Held locked until it is closed.

    Raises
    ------
    UserError
        where another export is writing there, where the folder cannot be written, or holds the export of another run.
    """

    def __init__(self, out: Path, tracker: str, project: str, data: str, *, shared: bool) -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            file = out / f".{tracker}-{project}.jsonl"
            others = [other.name for other in out.glob(f".{tracker}-*.jsonl") if other != file]
            if others and not shared:
                name = others[0].removeprefix(f".{tracker}-").removesuffix(".jsonl")
                raise UserError(f"{out} holds the {tracker} export of the run '{name}'; give another --out")
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
        self._known: dict[str, tuple[str, str]] = {}
        self._load(file, {"project": project, "data": data})

    def _load(self, file: Path, header: dict[str, str]) -> None:
        self._stream.seek(0)
        content = self._stream.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._stream.truncate(len(whole))
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
            first = lines[0] if lines else header
            if first["data"] != header["data"]:
                self._stream.close()
                raise UserError(
                    f"{file.parent} holds an export of a run '{first['project']}' on other data; give another --out"
                )
            self._known = {line["key"]: (line["made_of"], line["id"]) for line in lines[1:]}
        except (ValueError, KeyError, TypeError, AttributeError):
            self._stream.close()
            raise UserError(
                f"{file}: this is not the state of an export; give another --out, or remove it and what was exported"
            ) from None
        if not lines:
            self._append([header])

    def __len__(self) -> int:
        return len(self._known)

    def has(self, key: str, made_of: str) -> bool:
        """Whether the tracked run `key` was written, of this very content."""
        return key in self._known and self._known[key][0] == made_of

    def id(self, key: str) -> str | None:
        """What the tracker knows the run by, None where it has not been written."""
        return self._known[key][1] if key in self._known else None

    def add(self, written: dict[str, tuple[str, str]]) -> None:
        """Note that these keys were written: (fingerprint, id)."""
        self._append([{"key": key, "made_of": made_of, "id": id} for key, (made_of, id) in written.items()])
        self._known |= written

    def _append(self, lines: list[dict[str, Any]]) -> None:
        self._stream.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Let another export write."""
        self._stream.close()
