"""One training step of a trial at size small: now, and as it was at an earlier commit."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from harness.bench.measurement import Measurement, Time, middle, timed
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.space.compose import compose, load_preset
from harness.data.folds import make_folds, split
from harness.data.store import open_dataset
from harness.trial.episodes.sampler import build_sampler
from harness.trial.step.trainer import Trainer

COMMIT = "543f063"
REQUIRED = 2.0
PRESET, STEPS, ROUNDS, EVERYTHING_ON = "rp24", 4, 9, 1e6
ROOT = Path(__file__).resolve().parents[2]
EARLIER = """
import json, pathlib, sys, time
import numpy as np, torch
from harness.config.data import DataBlock, SyntheticBlock
from harness.data.folds import make_folds, split
from harness.data.store import open_dataset
from harness.space.compose import compose, load_preset
from harness.trial.sampler import SAMPLERS
from harness.trial.trainer import Trainer
preset, steps, threads, cache = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
torch.set_num_threads(threads)
config = compose(load_preset(preset), {"optimiser.steps_per_epoch": steps, "audit": "off"}).resolved(gpu=False)
block, model = DataBlock(synthetic=SyntheticBlock()), config.model
crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
dataset = open_dataset(block, **crops, cache=cache, progress=False)
train = split(dataset, make_folds(dataset, block)[0]).train
codes = np.unique(dataset.cell[train])
pools = [train[dataset.cell[train] == code] for code in codes]
names = [dataset.cell_lines[code] for code in codes]
sizes = {"support": config.support.size, "query": config.episode.query, "per_step": config.episode.per_step}
sampler = SAMPLERS[config.episode.sampler](pools, names, **sizes, steps_per_epoch=steps, seed=0)
trainer = Trainer(config, dataset, codes, 0, torch.device("cpu"))
batches = list(sampler.epoch(1))
for line in sys.stdin:
    times = []
    for batch in batches:
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.step(batch, progress=1e6, probe=False)
        times.append([time.perf_counter() - wall, time.process_time() - cpu])
    print(json.dumps(times), flush=True)
"""
"""Takes the steps of an epoch, and says how long each took, for every line that it is given."""


Ask = Callable[[], list[list[float]]]


class NotInClone(Exception):
    """The earlier commit is not there to be run; the message says why, in one sentence."""


def bench_earlier() -> Measurement:
    """Steps of preset rp24 on the synthetic data, all schedules over: this code in this process, and the code of COMMIT
    from a worktree in a temporary folder, in a process of its own; in turns, in one thread each, on the same data.

    Raises NotInClone where the commit cannot be checked out.
    """
    config = compose(load_preset(PRESET), {"optimiser.steps_per_epoch": STEPS, "audit": "off"})
    config = config.resolved(gpu=False)
    model, data = config.model, DataBlock(synthetic=SyntheticBlock())
    assert model.enhancer_bp is not None
    assert model.promoter_bp is not None
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as scratch, _worktree(Path(scratch) / "earlier") as tree:
        crops = {"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}
        dataset = open_dataset(data, **crops, cache=Path(scratch) / "now", progress=False)
        train = split(dataset, make_folds(dataset, data)[0]).train
        codes = np.unique(dataset.cell[train])
        pools = [train[dataset.cell[train] == code] for code in codes]
        sampler = build_sampler(config, pools, [dataset.cell_lines[code] for code in codes], 0)
        cpu = torch.device("cpu")
        trainer = Trainer(config, dataset, codes, 0, cpu)
        batches = list(sampler.epoch(1))

        def step(number: int) -> None:
            trainer.step(batches[number], progress=EVERYTHING_ON, probe=False)

        plain: list[Time] = []
        fast: list[Time] = []
        try:
            torch.set_num_threads(1)
            with _earlier(tree, Path(scratch) / "then") as ask:
                for number in range(ROUNDS):
                    times = [Time(*each) for each in ask()]
                    now = [timed(lambda at=at: step(at), cpu) for at in range(STEPS)]  # type: ignore[misc]
                    if number:  # the first round warms both up
                        plain += times
                        fast += now
        finally:
            torch.set_num_threads(threads)
    return Measurement(
        f"training step at size small, against commit {COMMIT}",
        middle(plain),
        middle(fast),
        REQUIRED,
        (len(plain), len(fast)),
        notes={
            "preset": PRESET,
            "pairs": f"{batches[0].query.size} queries, {batches[0].support.size} of support sets",
            "windows": f"{dataset.enhancers.shape[1]} + {dataset.promoters.shape[1]} bp",
        },
    )


@contextmanager
def _worktree(folder: Path) -> Iterator[Path]:
    """COMMIT checked out in a folder."""
    made = _git("worktree", "add", "--detach", str(folder), COMMIT)
    if made.returncode:
        said = " ".join(made.stderr.split())
        raise NotInClone(f"no figure against commit {COMMIT}, which cannot be checked out here ({said})")
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NotInClone(f"no figure against commit {COMMIT}: git cannot be run ({error.strerror})") from None


@contextmanager
def _earlier(tree: Path, cache: Path) -> Iterator[Ask]:
    """A function that has the code in `tree` take its steps, and gives the seconds (clock, processor) of each."""
    arguments = [sys.executable, "-c", EARLIER, PRESET, str(STEPS), "1", str(cache)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with subprocess.Popen(
        arguments, cwd=tree, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def ask() -> list[list[float]]:
            asked.write("steps\n")
            asked.flush()
            line = told.readline()
            if not line:
                raise NotInClone(f"no figure against commit {COMMIT}: its code does not run here")
            times: list[list[float]] = json.loads(line)
            return times

        try:
            yield ask
        finally:
            process.kill()
