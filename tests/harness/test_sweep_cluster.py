"""A Ray that cannot start ends the sweep in one sentence with nothing written, or goes on without its dashboard."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from rich.console import Console

from analysis.errors import UserError
from harness.sweep.cluster.capacity import Capacity
from harness.sweep.cluster.cluster import cluster
from harness.sweep.driver import run_sweep
from harness.sweep.options import parse
from tests.harness.small_sweeps import NEVER


def _broken(monkeypatch: pytest.MonkeyPatch, *, dashboard_alone: bool) -> list[bool]:
    """Ray whose dashboard, or whose head too, does not come up in time; what was asked of it."""
    asked: list[bool] = []

    def init(*, include_dashboard: bool, **options: Any) -> Any:
        asked.append(include_dashboard)
        if include_dashboard:
            raise Exception("Failed to start a dashboard.\nThe last 20 lines of /tmp/...")
        if not dashboard_alone:
            raise TimeoutError("Timed out while waiting for GCS to become available.")
        return SimpleNamespace(dashboard_url="")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(
        "harness.sweep.cluster.cluster.capacity", lambda: Capacity(({"CPU": 2.0, "GPU": 0.0},))
    )
    return asked


def test_without_its_dashboard_ray_goes_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _broken(monkeypatch, dashboard_alone=True)
    with cluster(address=None) as joined:
        assert (joined.capacity.cpus, joined.dashboard) == (2.0, None)
        said = joined.sentence()
    assert said.startswith(
        "Ray has no dashboard here: it did not start: it did not come up in time (Ray: Failed to"
    )
    assert said.endswith("when the machine is less busy, or join a Ray that runs with --address auto")
    assert asked == [True, False]


def test_ray_that_cannot_start_is_one_sentence_and_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _broken(monkeypatch, dashboard_alone=False)
    (tmp_path / "never.yaml").write_text(NEVER)
    run = tmp_path / "runs" / "never"
    options = parse([str(tmp_path / "never.yaml"), "--out", str(run), "--cache", str(tmp_path / "cache")])
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            run_sweep(options, Console(quiet=True))
        said = str(caught.value)
        assert said.startswith(
            "Ray could not start on this machine; nothing was run or written: it did not come up"
        )
        assert "Timed out while waiting for GCS" in said
        assert "\n" not in said
        assert not run.exists(), "so that the next start is a first one"


def test_local_ray_uploads_nothing_and_ignores_ray_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under `uv run` Ray would pack the whole project, and a large one then keeps it from starting."""
    monkeypatch.delenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    seen: dict[str, str] = {}

    def init(**options: Any) -> Any:
        seen.update(os.environ, folder=options["_temp_dir"])
        return SimpleNamespace(dashboard_url="")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr("harness.sweep.cluster.cluster.capacity", lambda: Capacity(()))
    with cluster(address=None):
        session = Path(seen["folder"]).parent
        assert session.stat().st_mode & 0o777 == 0o700, "Ray opens its own folder to everyone"
    assert seen["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] == "0"
    assert "RAY_ADDRESS" not in seen
    assert os.environ["RAY_ADDRESS"] == "10.0.0.1:6379"
    assert not session.exists()
    os.environ.pop("RAY_ENABLE_UV_RUN_RUNTIME_ENV")


def test_ray_and_libraries_of_the_end_wait() -> None:
    """Ray reads several of its settings when it is imported; the others are a third of the seconds of `--help`."""
    late = ("ray", "sklearn", "scipy.stats", "plotly")
    code = f"import sys, harness.sweep.__main__; print([name for name in {late} if name in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "[]\n"
