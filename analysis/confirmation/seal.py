"""The seal of a confirmation: closed until it is complete, and told apart from what somebody wrote over it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.errors import UserError

FOLDER = "confirmation"
"""Folder of a run that holds the confirmation of its selection, a run by itself."""
FILE = "confirmation.json"
"""In that folder: the record."""
STREAMS = "confirm"
"""What the names of the random streams of a confirmation end with."""
DIGEST = "sha256"
"""Key of the record that holds the hash of all its others."""
CHANGED = f"{FILE} is not what was written: it was changed after the fact"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a record with the hash of it."""
    return {**content, DIGEST: _digest(content)}


def unbroken(content: Mapping[str, Any]) -> bool:
    """Whether a record is what was written."""
    return content.get(DIGEST) == _digest(content)


def refuse_unopened(run: Path) -> None:
    """Whoever opens a run passes here: what a confirmation trained is seen by nobody before it is complete, and its test
    split was opened, once.

    Raises
    ------
    UserError
        for the folder of a confirmation that is under way, or whose record does not say any more that it is not.
    """
    folder, file = run.absolute(), run / FILE
    folder = folder.resolve() if folder.exists() else folder
    inside = folder.name == FOLDER and any((folder.parent / name).exists() for name in ("plan.json", "units"))
    if not file.exists() and not inside and not _of_confirmation(run):
        return
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        opened, whole = content["opened"] is not None, unbroken(content)
    except (OSError, ValueError, TypeError, KeyError):
        raise UserError(
            f"{run}: {FILE} is gone or cannot be read, so that nobody knows whether the test split of this confirmation "
            "was opened; put the file back"
        ) from None
    if not opened:
        raise UserError(
            f"{run}: this confirmation is not complete, and its test split is opened once, when it is: start the sweep "
            f"again with --confirm --resume, then look at {folder.parent}"
        )
    if not whole:
        raise UserError(f"{run}: {CHANGED}, so that nobody knows whether it is complete; put the file back")


def _of_confirmation(run: Path) -> bool:
    """Whether the configurations of a run are those of a confirmation, wherever it lies now."""
    try:
        configs = json.loads((run / "plan.json").read_text(encoding="utf-8"))["configs"]
        return any(str(each["changes"].get("streams", "")).endswith(STREAMS) for each in configs)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False  # what cannot be read is said by whoever reads it


def _digest(content: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of everything but the hash itself."""
    rest = {name: value for name, value in content.items() if name != DIGEST}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
