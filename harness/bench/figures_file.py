"""The file of a bench's figures: replaced at once, or left as it is."""

import contextlib
import os
from pathlib import Path

from analysis.errors import UserError


def check_file(file: Path) -> None:
    """Before anything is measured: whether the figures can be written to `file`; nothing is left behind.

    Raises
    ------
    UserError
        where they cannot.
    """
    if not os.path.isdir(file.parent):
        raise UserError(f"--json {file}: there is no folder {file.parent}")
    if os.path.exists(file) and not file.is_file():
        kind = "a folder" if file.is_dir() else "a device or pipe"
        raise UserError(f"--json {file}: that is {kind}; expected a file, which may be there already")
    write(file, None)


def write(file: Path, text: str | None) -> None:
    """`text` in place of what is in `file`, at once or not at all; None only tries whether that could be.

    Raises
    ------
    UserError
        when the file cannot be written.
    """
    scratch = file.with_name(f".{file.name}.new")
    try:
        scratch.write_text(text or "")
        if text is not None:
            scratch.replace(file)
        scratch.unlink(missing_ok=True)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
        raise UserError(
            f"--json {file}: it cannot be written ({error.strerror}); give another place"
        ) from None
