"""What Ray says and logs when it cannot start, as it was seen, and the cause and remedy that are told."""

from pathlib import Path

import pytest

from harness.sweep.cluster.causes import explain, too_few_files

SLOW = "The current node timed out during startup. This could happen because some of the raylet failed to startup."
WAITED = "Timed out waiting for file ray/session_2026-11-25_21-52-29_452326_3869/gcs_server_port_b75b"
BUG = "An unexpected system state has occurred. You have likely discovered a bug in Ray. Please report this issue. "
GRPC = (
    "[2026-11-25 21:43:36,576 C 22919 22919] (gcs_server) grpc_server.cc:134:  "
    + BUG
    + "Check failed: server_ Failed "
    "to start the grpc server. The specified port is {}. If the server startup error message is `Address already in "
    "use`, it indicates the server fails to start because the port is already used by other processes."
)
MAPPED = (
    "[2026-11-25 21:54:41,252 E 7594 7606] (raylet) dlmalloc.cc:215: mmap failed with error: Cannot allocate memory\n"
    "[2026-11-25 21:54:41,288 C 7594 7606] (raylet) plasma_allocator.cc:79:  "
    + BUG
    + "PlasmaAllocator initialization "
    "failed. It's likely we don't have enough space in /dev/shm"
)
DASHBOARD = (
    "The last 20 lines of ray/logs/dashboard.log (it contains the error message from the dashboard):\n{}"
)
HARMLESS = (
    "2026-11-25 23:16:30,407\tERROR head.py:368 -- An exception occurred while starting the metrics server.\n"
    "OSError: [Errno 98] Address already in use\n"
)
"""What dashboard and monitor log of the port for metrics whenever another Ray runs on the machine."""
KNOWN = [
    (
        "[Errno 30] Read-only file system: 'home/.ray'",
        {},
        {},
        "home/.ray cannot be written to",
        "set HOME",
    ),
    (
        "[Errno 13] Permission denied: 'home/.ray'",
        {},
        {},
        "home/.ray may not be written to",
        "set HOME and TMPDIR",
    ),
    (
        DASHBOARD.format("RuntimeError: Module ReportHead failed to start. Received EOF from pipe."),
        {"dashboard.err": "OSError: AF_UNIX path too long"},
        {},
        "the path of a Unix socket would be too long",
        "set TMPDIR to a short path",
    ),
    (
        WAITED,
        {"gcs_server.err": GRPC.format(6399)},
        {"RAY_GCS_SERVER_PORT": "6399"},
        "a port that Ray was told to use is taken (RAY_GCS_SERVER_PORT=6399)",
        "unset the variable that names the port",
    ),
    (
        WAITED,
        {
            "gcs_server.err": "E1125 ssl_transport_security.cc:776] Invalid cert chain file.\n"
            + GRPC.format(0)
        },
        {"RAY_USE_TLS": "1"},
        "RAY_USE_TLS is set from outside",
        "unset RAY_USE_TLS",
    ),
    (
        WAITED,
        {"gcs_server.err": "E1125 thd.cc:157] pthread_create failed: Resource temporarily unavailable"},
        {},
        "too few processes and threads may run at once (ulimit -u is ",
        "container's limit of processes",
    ),
    (
        DASHBOARD.format("  what():  Resource temporarily unavailable"),
        {},
        {},
        "too few processes and threads",
        "container's limit of processes",
    ),
    (SLOW, {"raylet.err": MAPPED}, {}, "there is too little memory for it", "--shm-size"),
    (
        "Attempting to cap object store memory usage at 1024 bytes, but the minimum allowed is 78643200 bytes.",
        {},
        {},
        "there is too little memory for it",
        "more memory",
    ),
    ("[Errno 24] Too many open files", {}, {}, "too few files may be open", "ulimit -n 4096"),
    ("[Errno 28] No space left on device: 'ray/x'", {}, {}, "no room is left on the disk of", "make room"),
    (
        "Package size (690.12MiB) exceeds the maximum size of 512.00MiB. You can exclude large files",
        {},
        {},
        "Ray was told to pack and upload the project",
        "needs no upload",
    ),
    (
        "RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty: /nonexistent/t. Ensure that the token",
        {},
        {"RAY_AUTH_TOKEN_PATH": "/nonexistent/t"},
        "the token that protects Ray cannot be read (RAY_AUTH_TOKEN_PATH is /nonexistent/t)",
        "unset RAY_AUTH_TOKEN_PATH",
    ),
    (
        SLOW,
        {"dashboard.log": HARMLESS, "monitor.log": HARMLESS, "raylet.err": MAPPED},
        {},
        "there is too little memory for it",
        "more memory",
    ),
    (
        SLOW,
        {"dashboard.log": HARMLESS, "raylet.err": MAPPED},
        {"RAY_GCS_SERVER_PORT": "6399"},
        "there is too little memory for it",
        "more memory",
    ),
    (SLOW, {"dashboard.log": HARMLESS}, {"RAY_EXPORT_X": "1"}, "it did not come up in time", "less busy"),
    (
        DASHBOARD.format(HARMLESS) + "\nTimed out",
        {
            "raylet.err": "[2026-11-25 21:54:41,252 E 1 1] (raylet) OSError: [Errno 28] No space left on device"
        },
        {},
        "no room is left on the disk of",
        "make room",
    ),
    (
        WAITED,
        {"gcs_server.err": GRPC.format(6399)},
        {},
        "a port that Ray chose itself was taken by another program",
        "start again",
    ),
    (
        WAITED,
        {"raylet.err": "[2026-11-25 21:54:41,252 E 1 1] (raylet) x.cc:1: failed: File too large"},
        {},
        "a file would be larger than the ",
        "ulimit -f unlimited",
    ),
    (SLOW, {"gcs_server.out": "[2026 I 1 1] GCS started"}, {}, "it did not come up in time", "less busy"),
]


@pytest.fixture(autouse=True)
def kept_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that log files are kept in."""
    kept = tmp_path / "kept"

    def made(prefix: str) -> str:
        kept.mkdir()
        return str(kept)

    monkeypatch.setattr("harness.sweep.cluster.causes.tempfile.mkdtemp", made)
    return kept


def _session(folder: Path, logs: dict[str, str]) -> Path:
    """Ray's folder with the log files of one session."""
    place = folder / "session_2026-11-25_21-52-29_452326_3869" / "logs"
    place.mkdir(parents=True)
    for name, text in logs.items():
        (place / name).write_text(text)
    return folder


@pytest.mark.parametrize(("words", "logs", "given", "cause", "remedy"), KNOWN)
def test_a_known_failure_is_told_with_its_cause_and_remedy(
    tmp_path: Path,
    kept_logs: Path,
    words: str,
    logs: dict[str, str],
    given: dict[str, str],
    cause: str,
    remedy: str,
) -> None:
    said = explain(words, _session(tmp_path, logs), given)
    assert said.startswith(cause)
    assert remedy in said
    assert "\n" not in said
    assert "less busy" not in said or words is SLOW, "the remedy for a busy machine is for no other cause"
    assert (str(kept_logs) in said) == bool(logs) == kept_logs.is_dir(), (
        "what logs tell is a guess: they are kept"
    )


def test_limit_of_file_sizes_that_ends_ray_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sweep.cluster.causes.resource.getrlimit", lambda kind: (1024, 1024))
    said = explain(SLOW, _session(tmp_path, {"dashboard.log": HARMLESS}), {})
    assert "no file may be larger than 1024 bytes here (ulimit -f)" in said
    assert "ulimit -f unlimited" in said


def test_of_an_unknown_failure_rays_words_and_logs_are_kept(tmp_path: Path, kept_logs: Path) -> None:
    kept = kept_logs
    folder = _session(tmp_path, {"raylet.err": "a word\n", "raylet.out": ""})
    said = explain("Something new.\nat length", folder, {"RAY_SOMETHING": "1"})
    assert said == (
        f"Ray says: Something new; its logs are kept in {kept}; set from outside, and perhaps why: RAY_SOMETHING"
    )
    assert [file.name for file in kept.iterdir()] == ["raylet.err"]
    assert (kept / "raylet.err").read_text() == "a word\n"


def test_too_few_open_files_are_refused_before_ray_dies_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.sweep.cluster.causes.resource.getrlimit", lambda kind: (64, 64))
    assert "no more than 64 may be open here (ulimit -n)" in str(too_few_files())
    monkeypatch.setattr("harness.sweep.cluster.causes.resource.getrlimit", lambda kind: (64, 4096))
    assert too_few_files() is None, "Ray raises the soft limit itself"
