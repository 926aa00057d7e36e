"""Ray, started quietly or joined, with its dashboard up and protected."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import UserError
from harness.sweep.cluster.capacity import Capacity, capacity
from harness.sweep.cluster.causes import FROM_OUTSIDE, explain, first_line, too_few_files
from harness.sweep.cluster.joining import patience, reach
from harness.sweep.cluster.session import RAYS, session_folder
from harness.sweep.cluster.sign_in import how_to_sign_in, protected

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
"""Ray reads these when it is imported and when it starts: no telemetry, no progress reports or log files of its own, and no
snapshots of all trials for a restore that there is not."""
LOCAL = {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
"""For a local Ray: under `uv run` it would pack the whole project and upload it to this same machine."""
ELSEWHERE = (
    "RAY_ADDRESS",
    "RAY_REDIS_ADDRESS",
    "RAY_GCS_SERVER_PORT",
    "RAY_JOB_CONFIG_JSON_ENV_VAR",
    "RAY_RUNTIME_ENV_HOOK",
)
"""Variables that lead to another cluster, or say what to upload to it: a local Ray starts without them."""
LONG_TEMPORARY = 60
"""Characters of a folder for temporary files up to which Python's own sockets below it can have their names."""


@dataclass(frozen=True)
class Cluster:
    """A running Ray: its dashboard's address (None when there is none), and what one can sign in and run with."""

    dashboard: str | None
    token: str | None
    """How to see the token that the dashboard asks for; None when Ray's protection is switched off from outside."""
    capacity: Capacity
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

    The local Ray lives in a folder of its own for temporary files, removed at the end. Token authentication is left
    as Ray sets it: on.

    Raises
    ------
    UserError
        when no Ray answers at `address` (within half a minute), or none can be started on this machine, without a
        dashboard either.
    """
    environment = {key: value for key, value in os.environ.items() if FROM_OUTSIDE.fullmatch(key)}
    wanted = SETTINGS if address is not None else SETTINGS | LOCAL
    os.environ.update({key: value for key, value in wanted.items() if key not in os.environ})
    import ray

    with contextlib.ExitStack() as stack:
        why: str | None = None
        if address is None:
            session = stack.enter_context(session_folder())
            folder = session / RAYS
            stack.enter_context(_without(ELSEWHERE))
            stack.enter_context(protected(session))
            stack.callback(ray.shutdown)
            environment = {
                key: value for key, value in environment.items() if key not in (*wanted, *ELSEWHERE)
            }
            with _short_temporary(session):
                context, why = _start(
                    folder,
                    environment,
                    num_cpus=cpus,
                    num_gpus=gpus,
                    log_to_driver=False,
                    # What fails is said in one sentence, and not by Ray on the terminal before.
                    logging_level=logging.CRITICAL,
                    _temp_dir=str(folder),
                )
        else:
            stack.callback(ray.shutdown)
            context = _join(address)
        logging.getLogger("ray").setLevel(logging.ERROR)
        yield Cluster(
            dashboard=None if why else context.dashboard_url or None,
            token=how_to_sign_in(),
            capacity=capacity(),
            address=address,
            why_no_dashboard=why,
        )


def _join(address: str) -> Any:
    import ray

    reach(address)
    try:
        with patience(address):
            return ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001  # Ray raises bare Exceptions for processes that do not come up
        raise UserError(
            f"--address {address}: no Ray cluster could be joined ({first_line(str(error))})"
        ) from None


def _start(folder: Path, environment: dict[str, str], **options: Any) -> tuple[Any, str | None]:
    """A local Ray: its context, and why it has no dashboard where that could not start.

    On a machine under heavy load dashboard or head can take longer than Ray waits for them, and Ray tells so by
    whatever exception came first.

    Raises
    ------
    UserError
        with the cause and what helps, when a second attempt, which asks for no dashboard, fails too.
    """
    import ray

    few = too_few_files()
    if few is not None:
        raise UserError(f"{few}; nothing was run or written")
    try:
        return ray.init(address="local", include_dashboard=True, **options), None
    except Exception as error:  # noqa: BLE001  # Ray raises bare Exceptions for processes that do not come up
        why = explain(str(error) or type(error).__name__, folder, environment)
    ray.shutdown()
    try:
        return ray.init(address="local", include_dashboard=False, **options), f"it did not start: {why}"
    except Exception as error:  # noqa: BLE001  # Ray raises bare Exceptions for processes that do not come up
        cause = explain(str(error) or type(error).__name__, folder, environment)
        raise UserError(f"Ray could not start on this machine; nothing was run or written: {cause}") from None


@contextlib.contextmanager
def _without(names: tuple[str, ...]) -> Iterator[None]:
    aside = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(aside)


@contextlib.contextmanager
def _short_temporary(folder: Path) -> Iterator[None]:
    """Ray's dashboard makes sockets in the folder for temporary files: another one where that is too deep for them."""
    if len(os.fsencode(tempfile.gettempdir())) <= LONG_TEMPORARY:
        yield
        return
    before = os.environ.get("TMPDIR")
    short = folder / "tmp"
    short.mkdir()
    os.environ["TMPDIR"] = str(short)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
