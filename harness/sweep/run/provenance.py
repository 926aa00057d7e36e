"""Where a run comes from: code, data, versions, devices, seeds, command."""

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from harness.stamp.stamp import installed_version

PACKAGES = ("torch", "ray", "optuna", "numpy", "pandas", "pyarrow", "pydantic", "scikit-learn", "scipy")
ROOT = Path(__file__).resolve().parents[3]


def provenance(
    *, data: str, origin: str, seeds: list[int], sampler_seed: int, cluster: str
) -> dict[str, Any]:
    """One start of a run, as plain data; `git` is null where the code is no git checkout."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": [sys.executable, *sys.orig_argv[1:]],
        "folder": str(Path.cwd()),
        "git": _git(),
        "data": {"hash": data, "origin": origin},
        "seeds": seeds,
        "sampler_seed": sampler_seed,
        "packages": {name: installed_version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cluster": cluster,
        "cpus": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def _git() -> dict[str, Any] | None:
    """Commit, whether files differ from it, and the hash of that difference (untracked files by name and content)."""
    commit = _ask("rev-parse", "HEAD")
    if commit is None:
        return None
    patch = _ask("diff", "HEAD", "--binary") or b""
    untracked = (_ask("ls-files", "--others", "--exclude-standard", "-z") or b"").split(b"\0")
    total = hashlib.sha256(patch)
    for name in sorted(filter(None, untracked)):
        file = ROOT / os.fsdecode(name)
        total.update(name + b"\0")
        if file.is_file():
            total.update(hashlib.sha256(file.read_bytes()).digest())
    dirty = bool(patch) or any(untracked)
    return {
        "commit": commit.decode().strip(),
        "dirty": dirty,
        "diff_sha256": total.hexdigest() if dirty else None,
    }


def _ask(*arguments: str) -> bytes | None:
    try:
        asked = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout if asked.returncode == 0 else None
