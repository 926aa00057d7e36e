"""Ray, started quietly or joined, with its dashboard up and protected."""

import contextlib
import getpass
import logging
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from harness.errors import UserError

SOCKET_ROOM = 44
"""Longest temporary folder whose sessions still fit their socket names into the 107 bytes of a Unix socket path."""
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
"""Ray reads these when it is imported and when it starts: no telemetry, no progress reports or log files of its own."""


@dataclass(frozen=True)
class Cluster:
    """A running Ray: its dashboard's address (None when there is none), and what one can sign in and run with."""

    dashboard: str | None
    token: str | None
    """How to see the token that the dashboard asks for; None when Ray's protection is switched off from outside."""
    cpus: float
    gpus: float
    address: str | None
    why_no_dashboard: str | None = None

    def sentence(self) -> str:
        """Where the dashboard is and how to sign in."""
        if self.dashboard is None:
            why = f": {self.why_no_dashboard}" if self.why_no_dashboard else ""
            return f"Ray has no dashboard here{why}"
        how = f"token: {self.token}" if self.token else "no token asked for: RAY_AUTH_MODE switches it off"
        return f"Ray dashboard  http://{self.dashboard}  ({how})"


@contextlib.contextmanager
def cluster(*, address: str | None, cpus: int | None = None, gpus: int | None = None) -> Iterator[Cluster]:
    """Start a local Ray with its dashboard, or join the one at `address`; shut down (or leave it) at the end.

    The local Ray lives in a folder of its own below the system's temporary folder, removed at the end; folders of
    drivers that were killed are removed by the next start. Token authentication is left as Ray sets it: on.

    Raises
    ------
    UserError
        when no Ray answers at `address`, or none can be started on this machine, without a dashboard either.
    """
    os.environ.update({key: value for key, value in SETTINGS.items() if key not in os.environ})
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    folder = None
    why: str | None = None
    try:
        if address is None:
            folder = _session_folder()
            context, why = _start(
                num_cpus=cpus,
                num_gpus=gpus,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(folder),
            )
            _protect_token()
        else:
            try:
                context = ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
                raise UserError(
                    f"--address {address}: no Ray cluster could be joined ({_reason(error)})"
                ) from None
        resources = ray.cluster_resources()
        yield Cluster(
            dashboard=None if why else context.dashboard_url or None,
            token=_sign_in(),
            cpus=float(resources.get("CPU", 0)),
            gpus=float(resources.get("GPU", 0)),
            address=address,
            why_no_dashboard=why,
        )
    finally:
        ray.shutdown()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _start(**options: Any) -> tuple[Any, str | None]:
    """A local Ray: its context, and why it has no dashboard where that could not start.

    On a machine under heavy load dashboard or head can take longer than Ray waits for them, and Ray tells so by
    whatever exception came first.

    Raises
    ------
    UserError
        when a second attempt, which asks for no dashboard, fails too.
    """
    import ray

    try:
        return ray.init(address="local", include_dashboard=True, **options), None
    except Exception as error:
        why = _reason(error)
    ray.shutdown()
    try:
        return ray.init(address="local", include_dashboard=False, **options), f"it did not start ({why})"
    except Exception as error:
        raise UserError(
            f"Ray could not start on this machine ({_reason(error)}; with its dashboard: {why}); nothing was run or "
            "written. Start again when the machine is less busy or has more free memory, or join a Ray that runs with "
            "--address auto"
        ) from None


def _reason(error: Exception) -> str:
    """The first line of what Ray says, without the full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__


def _session_folder() -> Path:
    """A short folder named by this process; those of processes that are gone are removed."""
    root = Path(tempfile.gettempdir())
    if len(str(root)) > SOCKET_ROOM - 24:
        root = Path("/tmp")
    mine = root / f"prism-{getpass.getuser()[:8]}"
    mine.mkdir(mode=0o700, exist_ok=True)
    for old in mine.iterdir():
        if old.name.isdigit() and not psutil.pid_exists(int(old.name)):
            shutil.rmtree(old, ignore_errors=True)
    folder = mine / str(os.getpid())
    folder.mkdir(exist_ok=True)
    return folder


def _token_file() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")


def _protect_token() -> None:
    """Ray writes its token readable by everyone; whoever has it can run code here, so keep it to its owner."""
    file = _token_file()
    if file.is_file() and file.stat().st_uid == os.getuid():
        file.chmod(0o600)


def _sign_in() -> str | None:
    """How to see the token, looked for where Ray looks; Ray itself notes in the environment that it asks for one."""
    if os.environ.get("RAY_AUTH_MODE", "disabled").lower() != "token":
        return None
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "echo $RAY_AUTH_TOKEN"
    if os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return f"cat {shlex.quote(str(_token_file()))}"
    return "cat ~/.ray/auth_token"
