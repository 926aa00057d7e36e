"""The dashboard's token is its owner's alone, wherever it is kept, and the printed way to sign in works."""

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from harness.sweep.cluster.sign_in import MODE, NAME, PATH, TOKEN, how_to_sign_in, protected
from tests.harness.dashboard import answered

START = """
    from harness.sweep.cluster.cluster import cluster
    import ray, sys
    with cluster(address=None) as joined:
        remote = ray.remote(lambda: 7)
        print(joined.dashboard, joined.token, ray.get(remote.remote(), timeout=120), sep="|", flush=True)
        sys.stdin.read()
"""
NAMELESS = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"]
READING = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
"""The interpreter may lie below a home folder that only its owner may enter."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for key in (PATH, TOKEN, MODE):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "session").mkdir()
    return tmp_path / "home"


def test_a_token_is_made_at_home_for_its_owner_alone_and_kept(home: Path, tmp_path: Path) -> None:
    file = home / ".ray" / NAME
    with protected(tmp_path / "session"):
        first = file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600
        assert len(first) == 64
        assert PATH not in os.environ
    file.chmod(0o644)
    with protected(tmp_path / "session"):
        assert file.read_text() == first
        assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("")
    with protected(tmp_path / "session"):
        assert len(file.read_text()) == 64, "an empty one protects nothing"
    assert [each.name for each in file.parent.iterdir()] == [NAME]


@pytest.mark.parametrize("missing", [True, False])
def test_without_a_home_it_is_kept_in_the_sessions_folder(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: bool
) -> None:
    home.rmdir()
    if not missing:
        home.write_text("no folder")
    monkeypatch.setenv(MODE, "token")
    file = tmp_path / "session" / NAME
    with protected(tmp_path / "session"):
        assert os.environ[PATH] == str(file)
        assert file.stat().st_mode & 0o777 == 0o600
        assert how_to_sign_in() == f"cat {file}"
        assert len(file.read_text()) == 64
    assert PATH not in os.environ
    assert home.exists() is not missing


@pytest.mark.parametrize(("key", "value"), [(PATH, "/somewhere"), (TOKEN, "0" * 64), (MODE, "disabled")])
def test_what_is_said_from_outside_is_left_as_it_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str
) -> None:
    monkeypatch.setenv(key, value)
    with protected(tmp_path / "session"):
        assert os.environ[key] == value
        assert not list(home.iterdir())


@pytest.mark.timeout(300)
def test_ray_starts_protected_for_a_user_without_name_or_home() -> None:
    if os.getuid() or shutil.which("setpriv") is None:
        pytest.skip("only root may become a user without a name")
    nameless = [*NAMELESS, *READING]
    if subprocess.run([*nameless, sys.executable, "-c", ""], capture_output=True).returncode:
        pytest.skip("a user without a name cannot run this interpreter here")
    top = Path(tempfile.mkdtemp(prefix="n", dir="/tmp"))
    deep = top / ("x" * 110)
    deep.mkdir()
    for folder in (top, deep):
        folder.chmod(0o777)
    outside = {
        key: value for key, value in os.environ.items() if key != "HOME" and not key.startswith("RAY_")
    }
    with subprocess.Popen(
        [*nameless, sys.executable, "-c", textwrap.dedent(START)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        # What leads to another cluster does not keep a local Ray from starting.
        env={
            **outside,
            "TMPDIR": str(deep),
            "RAY_ADDRESS": "127.0.0.1:6",
            "RAY_REDIS_ADDRESS": "127.0.0.1:6",
        },
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        dashboard, command, result = process.stdout.readline().strip().split("|")
        session = Path(command.removeprefix("cat ")).parent
        assert result == "7"
        assert session.parent == Path("/tmp")
        assert session.name.startswith("prism-12345-")
        assert session.stat().st_mode & 0o777 == 0o700
        assert session.stat().st_uid == 12345
        token = subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout
        nodes = f"http://{dashboard}/nodes?view=summary"
        assert (answered(nodes, None), answered(nodes, token)) == (401, 200)
        process.stdin.close()
        assert process.wait(120) == 0
    assert not session.exists()
    assert not list(deep.iterdir())
    shutil.rmtree(top)
