"""A person's own files: loaded once, registered, trained with, stamped, copied, and refused in a sentence."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis.errors import UserError
from harness.config.space.compose import compose, load_preset
from harness.config.sweep.sweep import load_sweep
from harness.config.sweep.use import UseFile, load_use, loaded, read_use
from harness.stamp.code import Code
from harness.sweep.worker import TrialWorker, Work
from harness.trial.fresh import fresh_globals
from tests.harness.brought import FILE, SWEEP

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process says that ran a grid of two with a term and an energy of its own."""
    command = [sys.executable, "-m", "tests.harness.brought", str(tmp_path_factory.mktemp("mine"))]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


def test_a_term_and_an_energy_of_ones_own_are_swept(told: dict[str, Any]) -> None:
    assert told["configurations"] == 2
    assert told["statuses"] == ["done"] * 4
    assert told["forms"] == ["linear", "shifted"]
    assert sorted(told["catalogue"]) == ["flat", "shifted"]


def test_files_of_ones_own_are_stamped_and_copied(told: dict[str, Any]) -> None:
    assert told["modules"] == ["use.mine"]
    assert told["copies"] == [f"mine-{UseFile('mine.py', FILE).hash}.py"]


def test_a_term_that_nothing_switches_on_changes_no_id(told: dict[str, Any]) -> None:
    assert told["preset"] == compose(load_preset("minimal"), {}).id
    assert told["with"] != told["preset"]


def test_mistakes_in_ones_own_keys_get_the_usual_sentences(told: dict[str, Any]) -> None:
    assert told["nearest key"].endswith("did you mean 'loss.flat.scale'?")
    assert told["nearest form"].endswith("did you mean 'shifted'?")
    assert (
        told["outside its variant"] == "energy.by exists only where energy.form is shifted, and it is linear"
    )
    assert told["range"] == "energy.by is -1.0, expected above 0.0"


def test_the_schema_of_a_sweep_has_the_keys_of_its_files(told: dict[str, Any]) -> None:
    keys = told["schema"]
    assert {"loss.flat.weight", "loss.flat.scale", "energy.by"} <= keys.keys()
    assert "shifted" in json.dumps(keys["energy.form"])
    assert keys["loss.flat.scale"]["description"] == "Logit at which the price is 1."


HEAD = "from typing import Literal\nfrom harness.config.blocks.block import Block\n"
FAULTS = {
    "syntax": ("x = 1\ndef f(:\n", 2, "this is not Python"),
    "exception": ("x = 1\n\ny = x / 0\n", 3, "ZeroDivisionError: division by zero"),
    "inside a function": ("def f():\n    return [][1]\n\n\nf()\n", 2, "IndexError"),
    "exit": ("import sys\nsys.exit('enough')\n", 2, "SystemExit: enough"),
    "no texts": (
        "from models.energy.base import ENERGIES\n"
        "@ENERGIES.register('x', id='M90', name='x', equation='', shapes='x', source='x')\n"
        "class X: ...\n",
        2,
        "energy form 'x' is registered without equation",
    ),
    "a key twice": (
        HEAD
        + "from harness.config.blocks.loss import loss_block\n"
        + "@loss_block('ranking')\nclass R(Block):\n    'again'\n    weight: float = 0.0\n",
        4,
        "the key 'ranking' of LossBlock is registered already",
    ),
    "a variant twice": (
        HEAD
        + "from harness.config.blocks.model import EnergyBlock\n"
        + "from harness.config.blocks.registered import choice\n"
        + "@choice('energy.form')\nclass G(EnergyBlock):\n    'again'\n    form: Literal['gated']\n",
        5,
        "energy.form: gated is registered already",
    ),
    "a block without its kind": (
        HEAD
        + "from harness.config.blocks.model import EnergyBlock\n"
        + "from harness.config.blocks.registered import choice\n"
        + "@choice('energy.form')\nclass G(EnergyBlock):\n    'no kind'\n",
        5,
        'G does not declare form: expected form: Literal["NAME"]',
    ),
    "deep recursion": ("def f():\n    return f()\n\n\nf()\n", 2, "RecursionError"),
    "no memory": ("x = 1\nraise MemoryError\n", 2, "MemoryError: no reason given"),
    "the exit of a generator": ("x = 1\nraise GeneratorExit('now')\n", 2, "GeneratorExit: now"),
    "an error without words": (
        "class Odd(BaseException):\n    def __str__(self):\n        raise ValueError\nraise Odd\n",
        4,
        "the file cannot be used, Odd: ",
    ),
    "parentheses": ("x = " + "(" * 500 + ")" * 500, 1, "too many nested parentheses"),
    "a tree too deep": ("x = " + "1 + " * 6000 + "1", 1, "RecursionError"),
    "a helper beside it": ("import os\n\nfrom helper import x\n", 3, "it imports helper ("),
    "a helper in a function": ("def f():\n    import helper\n", 2, "list helper.py under `use` too"),
    "a helper by its name": (
        "import importlib\nimportlib.import_module('helper')\n",
        2,
        "it imports helper (",
    ),
    "a package beside it": (
        "import folder.part\n",
        1,
        "which is neither stamped nor carried to workers: expected it",
    ),
    "the path of modules": (
        "import sys\nsys.path.append('x')\n",
        2,
        "changes where Python looks for modules",
    ),
    "default dtype": ("import torch\n\ntorch.set_default_dtype(torch.float64)\n", 3, "torch's default dtype"),
    "determinism": ("import torch\ntorch.use_deterministic_algorithms(True)\n", 2, "deterministic"),
    "gradients": ("import torch\ntorch.set_grad_enabled(False)\n", 2, "whether torch keeps gradients"),
    "drawn numbers": ("import torch\nx = torch.randn(3)\n", 2, "torch's random state"),
    "errors of numpy": ("import numpy as np\nnp.seterr(all='ignore')\n", 2, "numpy's handling of errors"),
    "seed of numpy": ("import numpy as np\nnp.random.seed(3)\n", 2, "numpy's random state"),
    "seed of Python": ("import random\nrandom.seed(3)\n", 2, "Python's random state"),
    "a design that is none": (
        "from harness.config.blocks.design import Design, design\n"
        "@design('mine')\nclass Mine(Design):\n    'nothing declared'\n",
        2,
        "does not declare arms, faults, needs, trials, words, searched, scheduler, runs",
    ),
}


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Path]:
    """A folder with a helper that Python would find, and afterwards the state of the process as it was."""
    (tmp_path / "helper.py").write_text("x = 1\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part.py").write_text("x = 1\n")
    errors = np.geterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        yield tmp_path
    np.seterr(**errors)
    fresh_globals(torch.get_num_threads())
    assert not torch.are_deterministic_algorithms_enabled()
    for name in ("helper", "folder", "folder.part"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", FAULTS)
def test_a_mistake_in_a_file_is_told_with_its_line(name: str, beside: Path) -> None:
    text, line, says = FAULTS[name]
    tmp_path = beside
    file = tmp_path / "wrong.py"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        load_use(read_use([file], ["use"]))
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert says in str(caught.value)
    assert loaded() == ()


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_bytes(b"x = 1\n# caf\xe9\n")
    with pytest.raises(UserError, match=r"wrong.py:2: this is not UTF-8 \(.*\): save the file as UTF-8"):
        read_use([tmp_path / "wrong.py"], ["use"])


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "marked.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert read_use([tmp_path / "marked.py"], ["use"])[0].source == "x = 1\n"


ALONE = """
import json, sys
from pathlib import Path
from harness.config.sweep.use import load_use, loaded, read_use, use_of_sweep, with_imported
load_use(use_of_sweep(Path("mine.yaml")))
user = sys.modules[loaded()[1].module]
names = [[file.name for file in files] for files in (loaded(), with_imported([loaded()[1]]))]
print(json.dumps([*names, user.Y, user.late(), user.__file__]))
"""


def test_files_of_one_use_import_each_other(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("use: [user.py, shared.py, other.py]\n")
    (tmp_path / "shared.py").write_text("X = 2\n")
    (tmp_path / "other.py").write_text("")
    text = "import shared\nfrom shared import X\nY = X + shared.X\ndef late():\n    import shared as s\n    return s.X\n"
    (tmp_path / "user.py").write_text(text)
    command, there = [sys.executable, "-c", ALONE], {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=there)
    assert ended.returncode == 0, ended.stderr
    files = ["shared", "user", "other"]
    assert json.loads(ended.stdout) == [files, ["shared", "user"], 4, 2, str(tmp_path / "user.py")]


def test_missing_file_is_told_with_the_line_that_names_it(tmp_path: Path) -> None:
    sweep = tmp_path / "mine.yaml"
    sweep.write_text(SWEEP)
    with pytest.raises(UserError) as caught:
        load_sweep(sweep)
    line = SWEEP.splitlines().index("use: [mine.py]") + 1
    assert str(caught.value) == f"{sweep}:{line}: use: there is no file {tmp_path / 'mine.py'}"


def test_files_of_one_name_or_of_another_kind_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("")
    with pytest.raises(UserError, match=r"mine.py is named twice"):
        read_use([tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"], ["use", "use"])
    with pytest.raises(UserError, match=r"mine.yaml is no Python file"):
        read_use([tmp_path / "mine.yaml"], ["use"])


def test_a_changed_file_is_changed_code(tmp_path: Path) -> None:
    project = Code.of()
    before = project.with_files([UseFile("mine.py", "A = 1\n")])
    before.save(tmp_path)
    same = project.with_files([UseFile("elsewhere/mine.py", "# a comment\nA = 1\n")])
    changed = project.with_files([UseFile("mine.py", "A = 2\n")])
    assert same.hash == before.hash != project.hash
    assert changed.changed(tmp_path, before.hash) == ["use.mine"]


def test_a_worker_says_what_it_cannot_load(tmp_path: Path) -> None:
    work = Work(
        tmp_path, (), "val_unseen/macro/aupr", (), "cpu", 1, use=(UseFile("mine.py", "import nowhere\n"),)
    )
    trainable = object.__new__(TrialWorker)
    dataset = {
        "configuration": "c" * 12,
        "fold": "f0",
        "seeds": [],
        "finished": {},
        "shares": False,
        "name": "mine",
    }
    dataset["dataset"] = str(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.sweep.worker.EncodedDataset.open", lambda view: None)
        trainable.setup(dataset, work)
    report = trainable.step()
    assert (report["status"], report["done"]) == ("failed", True)
    assert "mine.py:1: the file cannot be used, ModuleNotFoundError" in report["reason"]
