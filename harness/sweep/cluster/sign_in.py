"""The token that Ray's dashboard asks for: kept to its owner, and where one can read it."""

import contextlib
import os
import secrets
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path

PATH, TOKEN, MODE = "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN", "RAY_AUTH_MODE"
NAME = "auth_token"


@contextlib.contextmanager
def protected(folder: Path) -> Iterator[None]:
    """See to a token for a local Ray that lives in `folder`, readable by its owner alone: whoever has it can run code.

    It is the one that Ray would use, `~/.ray/auth_token`, made here when it is missing because Ray makes it readable
    by everyone; in `folder` where the home folder is missing or cannot be written to. Ray is told so by its variable
    for as long as it runs. What is set from outside (a token, its path, no protection) is left as it is.
    """
    if os.environ.get(TOKEN) or os.environ.get(PATH) or os.environ.get(MODE, "token").lower() != "token":
        yield
        return
    if _at_home():
        yield
        return
    file = folder / NAME
    _write(file)
    os.environ[PATH] = str(file)
    try:
        yield
    finally:
        del os.environ[PATH]


def how_to_sign_in() -> str | None:
    """A command that shows the token; None when Ray's protection is switched off.

    Ray itself notes in the environment that it asks for one.
    """
    if os.environ.get(MODE, "disabled").lower() != "token":
        return None
    if os.environ.get(TOKEN):
        return f"echo ${TOKEN}"
    if os.environ.get(PATH):
        return f"cat {shlex.quote(os.environ[PATH])}"
    return "cat ~/.ray/auth_token"


def token_here(*, unasked: bool) -> str | None:
    """The token that Ray joins a cluster with; without RAY_AUTH_MODE only where it does so `unasked`, and there is one."""
    if os.environ.get(MODE, "token" if unasked else "disabled").lower() != "token":
        return None
    if os.environ.get(TOKEN):
        return os.environ[TOKEN].strip()
    try:
        return Path(os.environ.get(PATH) or Path.home() / ".ray" / NAME).read_text().strip() or None
    except (OSError, RuntimeError):
        return None


def _at_home() -> bool:
    """Whether `~/.ray/auth_token` can be read, and is its owner's alone."""
    try:
        file = Path.home() / ".ray" / NAME
        if not file.exists() or not file.stat().st_size:
            # A home that is missing is not made: it may be one that somebody mistyped.
            file.parent.mkdir(exist_ok=True)
            _write(file)
        if file.stat().st_uid == os.getuid():
            file.chmod(0o600)
        return os.access(file, os.R_OK)
    except (OSError, RuntimeError):  # no such folder, no right to write there, or no home at all
        return False


def _write(file: Path) -> None:
    """Write a new token: whole from the moment that its name exists, and never over another start's."""
    draft = file.with_name(f".{NAME}-{uuid.uuid4().hex}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secrets.token_hex(32))
    try:
        if file.exists() and not file.stat().st_size:
            file.unlink()
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink()
