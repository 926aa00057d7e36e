"""The hash of the code: what may change a number is in it, whatever a process happened to load, and texts are not."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.config.space.compose import compose
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.stamp import code
from harness.stamp.code import LEFT_OUT, PACKAGES, ROOT, Code, Source, left_out, reached, sources
from harness.sweep.cluster.packing import Packing
from tests.harness.conftest import TINY


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project's modules."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=lambda _, names: [n for n in names if n == "__pycache__"],
        )
    return tmp_path


def _append(tree: Path, module: str, text: str) -> None:
    with (tree / module).open("a") as stream:
        stream.write(text)


def test_comments_docstrings_and_layout_do_not_count(tree: Path) -> None:
    before = Code.of()
    assert Code.of(tree) == before
    file = tree / "models" / "losses" / "task.py"
    text = file.read_text()
    first = text.index('"""', 3) + 3
    changed = (
        '"""Another docstring."""\n# a comment\n' + text[first:] + '\n\nX: int\n"""An attribute\'s text."""\n'
    )
    file.write_text(changed.replace("\n\n\n", "\n\n\n\n# more room\n\n"))
    assert Code.of(tree).hash != before.hash, "X is code"
    file.write_text(file.read_text().replace("\n\nX: int\n", "\n\n"))
    assert Code.of(tree) == before


@pytest.mark.parametrize(
    "module",
    [
        "models/losses/task.py",
        "harness/trial/step/trainer.py",
        "analysis/metrics.py",
        "harness/sweep/worker.py",
        "harness/sweep/run/verdict.py",
    ],
)
def test_what_computes_counts_and_is_named(tree: Path, tmp_path: Path, module: str) -> None:
    before = Code.of()
    before.save(tmp_path / "run")
    _append(tree, module, "\nLEARNING_RATE_FACTOR = 10\n")
    after = Code.of(tree)
    assert after.hash != before.hash
    name = module.removesuffix(".py").replace("/", ".")
    assert after.changed(tmp_path / "run", before.hash) == [name]
    assert before.changed(tmp_path / "run", before.hash) == []
    assert before.changed(tmp_path / "run", "0" * 16) is None, "nobody knows what that code was"


def test_a_new_module_is_in_by_default_once_something_imports_it(tree: Path, tmp_path: Path) -> None:
    before = Code.of(tree)
    (tree / "harness" / "data" / "extra.py").write_text("A = 1\n")
    assert Code.of(tree) == before, "nothing can load it"
    trainer = tree / "harness" / "trial" / "step" / "trainer.py"
    trainer.write_text(trainer.read_text() + "\n\ndef _late() -> None:\n    from harness.data import extra\n")
    (tree / "models" / "losses" / "walked.py").write_text("B = 1\n")
    after = Code.of(tree)
    assert set(after.modules) - set(before.modules) == {"harness.data.extra", "models.losses.walked"}
    before.save(tmp_path / "run")
    assert after.changed(tmp_path / "run", before.hash) == ["harness.trial.step.trainer"]


def test_what_the_driver_has_parsed_a_worker_need_but_compare(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known is told by bytes: a file that is another one on a worker is parsed there, and counts."""
    before, parse = Code.of(), code._syntax
    parsed: list[bytes] = []

    def counted(content: bytes) -> Source:
        parsed.append(content)
        return parse(content)

    monkeypatch.setattr(code, "_SOURCES", dict(sources()))
    monkeypatch.setattr(code, "_syntax", counted)
    assert Code.of(tree) == before
    assert parsed == []
    _append(tree, "models/losses/task.py", "\nOF_THIS_NODE_ALONE = 10\n")
    assert Code.of(tree).hash != before.hash
    assert len(parsed) == 1


def test_a_module_that_is_gone_is_a_change(tree: Path, tmp_path: Path) -> None:
    before = Code("c" * 16, {**Code.of().modules, "models.losses.gone": "0" * 16})
    before.save(tmp_path / "run")
    assert Code.of().changed(tmp_path / "run", before.hash) == ["models.losses.gone"]


def test_a_package_that_shadows_a_module_is_what_counts(tree: Path, tmp_path: Path) -> None:
    """Python loads the package of two of one name, so its content is what makes the numbers."""
    before = Code.of(tree)
    before.save(tmp_path / "run")
    package = tree / "models" / "losses" / "task"
    package.mkdir()
    (package / "__init__.py").write_text((tree / "models" / "losses" / "task.py").read_text() + "\nX = 1\n")
    (package / "more.py").write_text("Y = 1\n")
    after = Code.of(tree)
    assert after.changed(tmp_path / "run", before.hash) == ["models.losses.task"]
    assert set(after.modules) - set(before.modules) == {"models.losses.task.more"}
    found = subprocess.run(
        [sys.executable, "-c", "import models.losses.task as it; print(it.__file__)"],
        capture_output=True,
        text=True,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        check=True,
    )
    assert found.stdout.strip() == str(package / "__init__.py")
    _append(tree, "models/losses/task.py", "\nZ = 1\n")
    assert Code.of(tree) == after, "nothing loads it any more"


def test_of_what_is_left_out_only_printing_is_ever_reached(tree: Path) -> None:
    """And changes no hash; everything else that a worker can load does."""
    computing = reached(ROOT, ["harness.trial.unit_run", "harness.data.store", "harness.trial.step.trainer"])
    assert len(computing) > 80
    assert [name for name in computing if left_out(name)] == ["analysis.output"], "a mistake is printed by it"
    before = Code.of(tree)
    driver = (
        "harness/sweep/driver.py",
        "harness/sweep/start.py",
        "harness/shell/terminal.py",
        "analysis/output.py",
    )
    moving = ("harness/store/compaction.py", "harness/store/mending.py", "harness/store/moving.py")
    for name in (*driver, *moving):
        _append(tree, name, "\nX = 1\n")
    assert Code.of(tree) == before
    worker = reached(ROOT, ["harness.sweep.worker"])
    assert {name for name in worker if not left_out(name)} <= set(before.modules)
    assert {entry for entry in LEFT_OUT if (ROOT / entry.replace(".", "/")).is_dir()} <= {
        "harness.sweep",
        "harness.bench",
        "harness.runs",
        "analysis.export",
    }


WORKED = """
import json, sys
from pathlib import Path
from typing import Any
from harness.sweep.worker import TrialWorker, Work
from harness.data.folds import Fold

given, run, fold = json.loads(sys.argv[1])
work = Work(run=Path(run), folds=(Fold(**fold),), objective="val_unseen/macro/aupr", stop_rules=(), device="cpu", threads=1)
called = set()


def start():
    one = object.__new__(TrialWorker)
    one.setup(given, work=work)
    return one


def note(frame, event, argument):
    if event == "call" and frame.f_code.co_name != "<module>":
        called.add(frame.f_globals.get("__name__"))


sys.setprofile(note)
assert not start().step()["done"]
one = start()  # killed after an epoch, and continued
assert one.step()["status"] == "done", one.step()
for log in (Path(run) / "logs").glob("*.log"):
    log.unlink()
assert start().step()["status"] == "done"  # asked for again when its log is gone
sys.setprofile(None)
ours = lambda names: [name for name in names if name and name.split(".")[0] in ("models", "harness", "analysis")]
slow = ("torch._dynamo", "scipy.stats", "sklearn", "plotly")
print(json.dumps([ours(sys.modules), ours(called), [name for name in slow if name in sys.modules]]))
"""


def test_what_a_worker_calls_is_in_the_hash_and_nothing_left_out(
    tiny_dataset: EncodedDataset, tiny_fold: Fold, tmp_path: Path
) -> None:
    """A unit is trained, audited, killed, continued, judged, stored, and asked for again."""
    changes = {"optimiser.epochs": 2, "optimiser.steps_per_epoch": 1, "support.draws": 1, "audit": "warn"}
    config = compose(TINY, changes).resolved(gpu=False)
    given: dict[str, Any] = {
        "configuration": config.id,
        "config": Packing().pack(config),
        "changes": changes,
    }
    given |= {"fold": tiny_fold.id, "seeds": [0], "name": "tiny"}
    given |= {"dataset": str(tiny_dataset.path), "finished": {}, "shares": False}
    loaded, called, slow = set[str](), set[str](), set[str]()
    for run in (
        "first",
        "second",
    ):  # of which one computes the audit's examples, and the other knows that they are sound
        words = json.dumps([given, str(tmp_path / run), asdict(tiny_fold)])
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        command = [sys.executable, "-c", WORKED, words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        made = list(map(set, json.loads(done.stdout.splitlines()[-1])))
        loaded, called, slow = loaded | made[0], called | made[1], made[2]
    assert slow == set(), "what nothing that a worker does needs, and half a second or more of its start"
    assert "harness.audit.example" in called
    assert {"models.building", "harness.audit.judge", "harness.store.relogging"} <= called
    assert {name for name in called if left_out(name)} == set()
    assert {name for name in loaded if not left_out(name)} - set(Code.of().modules) == set()
