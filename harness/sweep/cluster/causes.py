"""Why a local Ray did not start, found in what Ray says and logs, and what helps against it."""

import os
import re
import resource
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

OPEN_FILES = 128
"""Open files that Ray needs at the least; with fewer its processes, and this one with them, end without a word."""
TAIL = 100_000
"""Characters of each log file's end that are looked at."""


class Cause(NamedTuple):
    """What is looked for, what it means and what helps; `{0}` is what the pattern caught, `{folder}` Ray's folder."""

    pattern: str
    cause: str
    remedy: str


RULES = (
    Cause(
        r"AF_UNIX path (?:too long|length)",
        "the path of a Unix socket would be too long, as {folder} or the folder for temporary files is deep",
        "set TMPDIR to a short path such as /tmp",
    ),
    Cause(
        r"Read-only file system: '([^']+)'",
        "{0} cannot be written to, as its file system is read-only",
        "set HOME and TMPDIR to folders that can be written to",
    ),
    Cause(
        r"Permission denied: '([^']+)'",
        "{0} may not be written to or read",
        "set HOME and TMPDIR to folders of your own",
    ),
    Cause(
        r"No space left on device|\[Errno 28\]|Disk quota exceeded",
        "no room is left on the disk of {folder}",
        "make room there, or set TMPDIR to a folder on another disk",
    ),
    Cause(
        r"File too large|\[Errno 27\]|EFBIG|SIGXFSZ",
        "a file would be larger than the {file_size} bytes that are allowed here (ulimit -f)",
        "raise that (ulimit -f unlimited) and start again",
    ),
    Cause(
        r"Package size .* exceeds|exceeds the maximum size of",
        "Ray was told to pack and upload the project (a runtime environment), and that is too large",
        "unset RAY_RUNTIME_ENV_HOOK and RAY_ENABLE_UV_RUN_RUNTIME_ENV: a local Ray needs no upload",
    ),
    Cause(
        r"TSI_INVALID_ARGUMENT|Invalid cert chain|RAY_TLS_",
        "RAY_USE_TLS is set from outside, and its certificates cannot be used",
        "unset RAY_USE_TLS, or set RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY and RAY_TLS_CA_CERT to their files",
    ),
    Cause(
        r"Too many open files|\[Errno 24\]|EMFILE",
        "too few files may be open at once (ulimit -n is {files})",
        "raise that (ulimit -n 4096) and start again",
    ),
    Cause(
        r"can't start new thread|Resource temporarily unavailable|pthread_create failed|\[Errno 11\]",
        "too few processes and threads may run at once (ulimit -u is {processes})",
        "raise that, or the container's limit of processes (pids), and start again",
    ),
    Cause(
        r"Cannot allocate memory|bad_alloc|\[Errno 12\]|MemoryError|cap object store memory|mmap failed",
        "there is too little memory for it (free, in /dev/shm, or by ulimit -v)",
        "end other programs, or give the machine, container or /dev/shm more memory (docker run --shm-size 2g)",
    ),
    Cause(
        r"RAY_AUTH_TOKEN_PATH is set but",
        "the token that protects Ray cannot be read{token}",
        "unset RAY_AUTH_TOKEN_PATH, or let it name a file that holds a token",
    ),
)
PORT = r"specified port is ([1-9]\d*)|\[Errno 98\]|EADDRINUSE"
TOLD_PORT = Cause(
    PORT,
    "a port that Ray was told to use is taken{ports}",
    "unset the variable that names the port, so that Ray takes a free one, or end what holds it",
)
"""Where a variable from outside names a port."""
OWN_PORT = Cause(
    PORT,
    "a port that Ray chose itself was taken by another program just then",
    "start again, with fewer other programs if it happens again",
)
"""Where none does, in lines of Ray's own processes alone: dashboard and monitor log a taken port that harms nothing,
whenever another Ray runs on the machine."""
SLOW = Cause(
    r"[Tt]imed out|Failed to start a dashboard",
    "it did not come up in time",
    "start again when the machine is less busy, or join a Ray that runs with --address auto",
)
"""What remains when neither Ray nor its logs name another cause."""
SLOW_OR_CUT = Cause(
    SLOW.pattern,
    "it did not come up in time, perhaps because no file may be larger than {file_size} bytes here (ulimit -f)",
    "raise that (ulimit -f unlimited) and start again",
)
"""The same where files are limited: that ends a process of Ray without a word."""
ESSENTIAL = ("gcs_server", "raylet")
"""Beginnings of the log files of the processes that no Ray can do without."""
QUOTED = re.compile(r"The last \d+ lines")
"""How Ray begins when its words are lines of a log file."""
ERROR_LINE = re.compile(r"error|what\(\)|fail|denied|no space|too many|^[EF]\d{4} | [CEF] \d", re.IGNORECASE)
"""Lines of a log that may tell why; the others speak of much that is well."""
NAMES_PORT = re.compile(r"_PORTS?(?:_|$)", re.IGNORECASE)
"""Variables that tell Ray a port."""
FROM_OUTSIDE = re.compile(r"RAY_\w+")
"""Variables that change what Ray does; named where the cause is not known."""


def explain(words: str, folder: Path, environment: Mapping[str, str]) -> str:
    """One sentence: the cause and the remedy, or Ray's own words and what it was told.

    It says where Ray's logs are kept, too, unless Ray's own words name the cause: log lines may mislead.

    `words` are the exception's, `folder` is Ray's, with its logs, and `environment` the RAY_... variables from outside.
    """
    told = any(map(NAMES_PORT.search, environment))
    quoted = QUOTED.match(words.strip()) is not None
    essential, others = _errors(folder)
    limited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
    last = SLOW_OR_CUT if limited else SLOW
    sure = (words, (*RULES, *_port_rules(told, essential=not quoted)))
    guesses = (
        (essential, (*RULES, *_port_rules(told, essential=True))),
        (others, (*RULES, *_port_rules(told, essential=False))),
        (words, (last,)),
    )
    for text, rules in (sure, *guesses):
        for rule in rules:
            match = re.search(rule.pattern, text)
            if match is not None:
                kept = _keep(folder) if text is not words or rule is last else None
                logs = f"; its logs are kept in {kept}" if kept is not None else ""
                cause = _filled(rule.cause, match, folder, environment)
                return f"{cause} (Ray: {first_line(words)}{logs}): {rule.remedy}"
    kept = _keep(folder)
    said = f"Ray says: {first_line(words)}"
    if kept is not None:
        said = f"{said}; its logs are kept in {kept}"
    if environment:
        said = f"{said}; set from outside, and perhaps why: {', '.join(sorted(environment))}"
    return said


def first_line(words: str) -> str:
    """The first sentence of what Ray says, without the full stop; its headings of log lines say nothing themselves."""
    lines = [line.strip() for line in words.strip().splitlines() if line.strip()]
    telling = [
        line for line in lines if not QUOTED.match(line) and not line.startswith("Failed to start GCS")
    ]
    sentence = re.split(r"(?<=[a-z0-9/])\. (?=[A-Z])", (telling or lines or ["nothing"])[0])[0]
    return sentence.rstrip(".:")[:200]


def too_few_files() -> str | None:
    """The sentence for a limit of open files below what Ray needs, which it dies of without a word."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= OPEN_FILES:
        return None
    return (
        f"Ray needs {OPEN_FILES} open files at the least, and no more than {hard} may be open here (ulimit -n): "
        "raise it (ulimit -n 4096) and start again"
    )


def _port_rules(told: bool, *, essential: bool) -> tuple[Cause, ...]:
    """What a taken port means in a text: the last to be looked for, as the most harmless."""
    if told:
        return (TOLD_PORT,)
    return (OWN_PORT,) if essential else ()


def _filled(cause: str, match: re.Match[str], folder: Path, environment: Mapping[str, str]) -> str:
    ports = [f"{key}={value}" for key, value in sorted(environment.items()) if NAMES_PORT.search(key)]
    token = environment.get("RAY_AUTH_TOKEN_PATH")
    return cause.format(
        *match.groups(),
        folder=folder,
        ports=f" ({', '.join(ports)})" if ports else "",
        files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        file_size=resource.getrlimit(resource.RLIMIT_FSIZE)[0],
        processes=resource.getrlimit(resource.RLIMIT_NPROC)[0],
        token=f" (RAY_AUTH_TOKEN_PATH is {token})" if token else "",
    )


def _errors(folder: Path) -> tuple[str, str]:
    """The lines of the newest session's log files that speak of an error: of the essential processes, of the others."""
    essential: list[str] = []
    others: list[str] = []
    for file in _log_files(folder):
        with file.open(errors="replace") as stream:
            stream.seek(max(0, file.stat().st_size - TAIL))
            lines = [line for line in stream if ERROR_LINE.search(line)]
        (essential if file.name.startswith(ESSENTIAL) else others).extend(lines)
    return "".join(essential), "".join(others)


def _log_files(folder: Path) -> list[Path]:
    """Log files of the newest session; `session_latest` links to one that is listed by itself."""
    sessions = [path for path in folder.glob("session_*") if not path.is_symlink()]
    newest = max(sessions, key=lambda path: path.name, default=None)
    return [path for path in (newest / "logs").glob("*.*") if path.is_file()] if newest else []


def _keep(folder: Path) -> Path | None:
    """Copy Ray's log files out of its folder, which is removed later; None where there are none."""
    files = [file for file in _log_files(folder) if file.stat().st_size]
    if not files:
        return None
    kept = Path(tempfile.mkdtemp(prefix=f"ray-logs-{os.getuid()}-"))
    for file in files:
        shutil.copy(file, kept / file.name)
    return kept
