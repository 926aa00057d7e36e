"""Where a run comes from: the commit and what differs from it, data, versions, command, and every start of it."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.config.space.compose import SEARCH_SPACES
from harness.config.sweep.sweep import load_sweep
from harness.data.dataset import EncodedDataset
from harness.sweep.cluster.capacity import Capacity
from harness.sweep.cluster.cluster import Cluster
from harness.sweep.driver import save_provenance
from harness.sweep.run import provenance as module
from harness.sweep.run.provenance import PACKAGES, provenance


def _entry() -> dict:
    return provenance(data="d" * 64, origin="synthetic:gated", seeds=[0, 1], sampler_seed=7, cluster="local")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git checkout with one committed file, in place of the project's own."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "model.py").write_text("lam = 0.2\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    monkeypatch.setattr(module, "ROOT", folder)
    return folder


def test_an_entry_names_data_seeds_versions_and_the_command() -> None:
    entry = _entry()
    assert entry["data"] == {"hash": "d" * 64, "origin": "synthetic:gated"}
    assert (entry["seeds"], entry["sampler_seed"], entry["cluster"]) == ([0, 1], 7, "local")
    assert entry["packages"] == {name: version(name) for name in PACKAGES}
    assert entry["command"] == [sys.executable, *sys.orig_argv[1:]]
    assert entry["folder"] == str(Path.cwd())
    assert entry["cpus"] >= 1
    json.dumps(entry)


def test_a_clean_checkout_is_its_commit(checkout: Path) -> None:
    asked = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert _entry()["git"] == {"commit": head.stdout.strip(), "dirty": False, "diff_sha256": None}


def test_every_difference_from_the_commit_has_its_own_hash(checkout: Path) -> None:
    hashes = []
    for name, text in (
        ("model.py", "lam = 0.3\n"),
        ("model.py", "lam = 0.4\n"),
        ("new.py", "a = 1\n"),
        ("new.py", "a = 2\n"),
    ):
        (checkout / name).write_text(text)
        found = _entry()["git"]
        assert found["dirty"]
        assert len(found["diff_sha256"]) == 64
        hashes.append(found["diff_sha256"])
    assert len(set(hashes)) == 4
    (checkout / "new.py").unlink()
    (checkout / "model.py").write_text("lam = 0.4\n")
    assert _entry()["git"]["diff_sha256"] == hashes[1]


def test_without_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert _entry()["git"] is None


def test_every_start_of_a_run_is_kept_and_the_newest_is_on_top(
    tiny_dataset: EncodedDataset, tmp_path: Path
) -> None:
    for number, seeds in enumerate(("[3]", "[3, 4]", "[3, 4, 5]")):
        sweep = load_sweep(SEARCH_SPACES / "truth_gated.yaml", overrides=[f"trial.seeds={seeds}"])
        ray = Cluster(
            dashboard=None, token=None, capacity=Capacity(()), address=None if number else "10.0.0.1:6379"
        )
        save_provenance(sweep, tiny_dataset, tmp_path, ray, "a" * 64)
    newest = json.loads((tmp_path / "provenance.json").read_text())
    assert newest["seeds"] == [3, 4, 5]
    assert newest["cluster"] == "local"
    assert newest["preregistration"] == "a" * 64
    assert newest["data"]["hash"] == tiny_dataset.hash
    assert [entry["seeds"] for entry in newest["earlier"]] == [[3], [3, 4]]
    assert newest["earlier"][0]["cluster"] == "10.0.0.1:6379"
    assert not any("earlier" in entry for entry in newest["earlier"])
