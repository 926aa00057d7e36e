"""What a person says of a run: tags and a note, in a small JSON of the run."""

import fcntl
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from analysis.errors import UserError, shorten
from harness.store.storage import locking, writing
from harness.store.writer import replace_atomically

FILE = "notes.json"
LOCK = ".notes.lock"
"""Held while the file is read, changed and replaced: two commands at once lose nothing of each other."""
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,39}")


@dataclass(frozen=True)
class Notes:
    """Tags, sorted, and one note; both empty where nobody said anything."""

    tags: tuple[str, ...] = ()
    note: str = ""

    @classmethod
    def of(cls, run: Path) -> "Notes":
        """What RUN/notes.json says; UserError where it is no such file."""
        file = run / FILE
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            return cls(tuple(sorted({str(tag) for tag in content["tags"]})), str(content["note"]))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file} cannot be read as tags and a note ({error}); mend it or remove it"
            ) from None

    def tagged(self, words: Sequence[str]) -> "Notes":
        """With these tags more; `-TAG` takes one away.

        Raises
        ------
        UserError
            for a word that is no tag, or one to take away that is not there.
        """
        tags = set(self.tags)
        for word in words:
            name = word.removeprefix("-")
            if not _TAG.fullmatch(name):
                raise UserError(
                    f"tag {shorten(word)!r}: expected up to 40 letters, digits and . _ : - (-TAG takes one away)"
                )
            if word == name:
                tags.add(name)
            elif name in tags:
                tags.remove(name)
            else:
                there = ", ".join(self.tags) or "none"
                raise UserError(f"the run has no tag '{name}' to take away (it has {there})")
        return replace(self, tags=tuple(sorted(tags)))


def change_notes(run: Path, change: Callable[[Notes], Notes]) -> Notes:
    """Change what is said of a run, under a lock and atomically; a sweep that is running in it is not disturbed."""
    with writing(run), (run / LOCK).open("a") as stream:
        with locking(run):
            fcntl.flock(stream, fcntl.LOCK_EX)
        notes = change(Notes.of(run))
        replace_atomically(run / FILE, (json.dumps(asdict(notes), indent=1) + "\n").encode())
    return notes
