"""A kill at any write boundary loses nothing that was said to be there, and going on ends as if there had been none."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crashes.boundaries import Boundaries
from tests.crashes.crash import crash
from tests.crashes.scenario import Scenario, Told
from tests.crashes.scenarios import SCENARIOS

Outcomes = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """All scenarios in a process of their own, which forks: this one has threads."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.crashes"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == len(SCENARIOS), done.stderr[-3000:]
    return {each["scenario"]: each for each in said}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_crash_at_any_write_boundary_harms_nothing(name: str, outcomes: Outcomes) -> None:
    outcome = outcomes[name]
    assert outcome["wrong"] == []
    assert outcome["unseen"] == [], "files that are written where no crash would be seen"
    assert outcome["boundaries"] >= 3


class Careless(Scenario):
    """Writes in place, and says so before it is there."""

    def prepare(self, folder: Path) -> None:
        (folder / "file").write_text("old")

    def act(self, folder: Path, told: Told) -> None:
        told("new")
        with (folder / "file").open("w") as stream:
            stream.write("new!")

    def readable(self, folder: Path, told: list[str]) -> None:
        assert (folder / "file").read_text() in ("old", "new!")
        assert not told or (folder / "file").read_text() == "new!"

    def content(self, folder: Path) -> str:
        return (folder / "file").read_text()


def test_what_is_written_in_place_is_noticed(tmp_path: Path) -> None:
    crashed = crash(Careless(), tmp_path)
    assert crashed.boundaries == 2
    assert crashed.crashes == 3
    assert [wrong.split(":")[0] for wrong in sorted(crashed.wrong)] == [
        "killed before 0 (open file)",
        "killed before 1 (write file)",
        "killed in the midst of 1 (write file)",
    ]
    assert all("reading at that instant" in wrong for wrong in crashed.wrong)


def test_every_way_of_writing_is_a_boundary(tmp_path: Path) -> None:
    script = (
        "import os, shutil, sys, tempfile, json; from pathlib import Path\n"
        "from tests.crashes.boundaries import Boundaries\n"
        "root = Path(sys.argv[1]); seam = Boundaries(root); seam.install()\n"
        "(root / 'a').mkdir(); (root / 'a' / 'b').write_text('x'); (root / 'a' / 'b').open('ab').write(b'y')\n"
        "shutil.copyfile(root / 'a' / 'b', root / 'c'); (root / 'c').rename(root / 'd'); os.truncate(root / 'd', 1)\n"
        "tempfile.NamedTemporaryFile(dir=root, prefix='t').close(); shutil.rmtree(root / 'a'); open('/dev/null', 'w')\n"
        "print(json.dumps(seam.names))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    names = [name.split("/t")[0].split(" t")[0] for name in json.loads(done.stdout)]
    assert names == [
        "mkdir a",
        "open a/b",
        "write a/b",
        "write a/b",
        "open c",
        "write c",
        "rename c",
        "truncate d",
        "open",
        "unlink a/b",
        "rmdir a",
    ]


def test_the_seam_counts_nothing_outside_its_folder(tmp_path: Path) -> None:
    seam = Boundaries(tmp_path / "inside")
    assert seam._below(tmp_path / "outside") is None
    assert seam._below(tmp_path / "inside" / "x") == "x"
