"""Recording a tree: every configuration trained by the tree's own command line, and read from the files it leaves."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.replay import names
from tests.replay.configurations import Replayed, replayed
from tests.replay.read import read_run
from tests.replay.renames import Renames, ReplayError

EPOCHS = 3
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
FIXED = {**ONE_THREAD, "CUDA_VISIBLE_DEVICES": "", "PYTHONHASHSEED": "0", "COLUMNS": "200"}
"""Environment of every run: nothing that differs between two machines of one kind."""
Tell = Callable[[str], None]


def record(
    tree: Path, *, only: tuple[str, ...] = (), jobs: int = 1, tell: Tell = lambda line: None
) -> dict[str, Any]:
    """The recording of a tree: its renames, and what each configuration (or `only` those) left.

    `jobs` configurations run at a time, each on one thread. Raises ReplayError for a name that is no configuration,
    a tree that is not the one imported, and a configuration that does not end.
    """
    renames = Renames.read(tree)
    every = replayed(tree, renames)
    unknown = set(only) - {each.name for each in every}
    if unknown:
        raise ReplayError(f"there is no configuration {', '.join(sorted(unknown))}")
    _check_imported(tree)
    wanted = [each for each in every if not only or each.name in only]
    with tempfile.TemporaryDirectory(prefix="replay-") as folder, ThreadPoolExecutor(jobs) as pool:
        left = pool.map(lambda each: _replay(tree, each, Path(folder), renames, tell), wanted)
        configurations = {each.name: recorded for each, recorded in zip(wanted, left, strict=True)}
    return {"renames": vars(renames), "complete": not only, "configurations": configurations}


def _replay(tree: Path, each: Replayed, folder: Path, renames: Renames, tell: Tell) -> dict[str, Any]:
    config, run = each.source, folder / each.name
    if isinstance(config, dict):
        file = folder / f"{each.name}.yaml"
        YAML(typ="safe", pure=True).dump(config, file)
        config = str(file)
    options = {
        "--data": names.DATA,
        "--seeds": names.SEED,
        "--epochs": EPOCHS,
        "--threads": 1,
        "--out": run,
        "--cache": folder / "cache",
    }
    module = renames.commands.get(names.COMMAND, names.COMMAND)
    command = ["-m", module, config, *(str(part) for option in options.items() for part in option)]
    for key, value in each.sets.items():
        command += ["--set", f"{key}={json.dumps(value) if not isinstance(value, str) else value}"]
    done = _python(tree, *command)
    if done.returncode:
        raise ReplayError(
            f"{each.name} ended with status {done.returncode}: {done.stdout[-600:]}{done.stderr[-600:]}"
        )
    recorded = read_run(run, renames)
    shutil.rmtree(run)
    tell(f"{each.name}: {len(recorded['tensors'])} tensors, {sum(map(len, recorded['rows'].values()))} rows")
    return recorded


def _check_imported(tree: Path) -> None:
    """That Python imports the product from the tree, and from nowhere else."""
    code = (
        f"import importlib; [print(importlib.import_module(name).__path__[0]) for name in {names.PACKAGES}]"
    )
    done = _python(tree, "-c", code)
    places = [Path(line).resolve() for line in done.stdout.splitlines()]
    if places != [tree.resolve() / name for name in names.PACKAGES]:
        raise ReplayError(f"the product is not imported from {tree}: {done.stdout}{done.stderr[-600:]}")


def _python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **FIXED, "PYTHONPATH": str(tree)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
