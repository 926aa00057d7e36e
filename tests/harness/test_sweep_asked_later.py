"""A start that finds nothing to run writes down what it asks all the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.preregistration import FILE
from harness.sweep.driver import run_sweep
from harness.sweep.options import parse
from tests.harness.without_ray import Small


def test_a_start_with_nothing_to_run_adds_what_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**given: object) -> None:
        raise AssertionError("Ray would have been started")

    monkeypatch.setattr("harness.sweep.driver.cluster", refuse)
    small = Small(tmp_path)
    small.start()
    places = ["--out", str(small.path), "--cache", str(tmp_path / "cache")]

    def entries(*sets: str) -> list[dict[str, Any]]:
        given = [part for each in sets for part in ("--set", each)]
        assert run_sweep(parse([str(tmp_path / "small.yaml"), *places, *given]), Console(quiet=True)) == 0
        return [entry["content"] for entry in json.loads((small.path / FILE).read_text())["entries"]]

    (first,) = entries()
    assert first["units_before"] == 2
    later = entries("rope=0.01", "question=and now?")
    assert [(each["rope"], each["question"]) for each in later[1:]] == [(0.01, "and now?")]
    assert "# --set rope=0.01" in (small.path / "sweep.yaml").read_text().splitlines()
    assert entries("rope=0.01", "question=and now?") == later
