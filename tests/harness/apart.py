"""A command line run in a process of its own that begins with everything imported, for commands that register a person's
files or change where they stand: it costs a fork where a new interpreter costs seconds of imports."""

import gc
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.harness.command import Ended, command

ROOT = Path(__file__).parents[2]
IMPORTED = [
    __name__,
    "analysis.__main__",
    "harness.single.command",
    "harness.sweep.driver",
]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(IMPORTED)


def apart(folder: Path, module: str, *arguments: object) -> Ended:
    """Run the `__main__` of a package in `folder`, as `command` does here."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    with ProcessPoolExecutor(1, mp_context=FORKS) as process:
        return process.submit(_ran, folder, environment, module, *map(str, arguments)).result()


def _ran(folder: Path, environment: dict[str, str], module: str, *arguments: str) -> Ended:
    gc.freeze()  # what was imported stays to the end
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    return command(module, *arguments)
