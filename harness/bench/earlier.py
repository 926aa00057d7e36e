"""One training step of a trial at size small: now, and as it was at an earlier commit."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.bench.measurement import Measurement, Time, middle

COMMIT = "543f063"
REQUIRED = 2.0
PRESET, STEPS, ROUNDS = "rp24", 4, 9
ROOT = Path(__file__).resolve().parents[2]
IMPORTS = {
    "then": """
from harness.config.data import DataBlock, SyntheticBlock
from harness.space.compose import compose, load_preset
from harness.trial.sampler import SAMPLERS
from harness.trial.trainer import Trainer
torch.set_num_threads(1)
def sampler_of(config, pools, names):
    sizes = {"support": config.support.size, "query": config.episode.query, "per_step": config.episode.per_step}
    steps = config.optimiser.steps_per_epoch
    return SAMPLERS[config.episode.sampler](pools, names, **sizes, steps_per_epoch=steps, seed=0)
""",
    "now": """
from harness.config.blocks.data import DataBlock, SyntheticBlock
from harness.config.space.compose import compose, load_preset
from harness.trial.fresh import fresh_globals
from harness.trial.episodes.sampler import build_sampler
from harness.trial.step.trainer import Trainer
fresh_globals(1)
def sampler_of(config, pools, names):
    return build_sampler(config, pools, names, 0)
""",
}
"""What the code of each time calls what a step needs; the process is as one of a trial is, in one thread."""
STEPPING = """
import json, pathlib, sys, time
import numpy as np, torch
{imports}
from harness.data.folds import make_folds, split
from harness.data.store import open_dataset
preset, steps, cache = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
config = compose(load_preset(preset), {{"optimiser.steps_per_epoch": steps, "audit": "off"}}).resolved(gpu=False)
block, model = DataBlock(synthetic=SyntheticBlock()), config.model
crops = {{"enhancer_bp": model.enhancer_bp, "promoter_bp": model.promoter_bp}}
dataset = open_dataset(block, **crops, cache=cache, progress=False)
train = split(dataset, make_folds(dataset, block)[0]).train
codes = np.unique(dataset.cell[train])
pools = [train[dataset.cell[train] == code] for code in codes]
trainer = Trainer(config, dataset, codes, 0, torch.device("cpu"))
batches = list(sampler_of(config, pools, [dataset.cell_lines[code] for code in codes]).epoch(1))
notes = {{
    "preset": preset,
    "pairs": f"{{batches[0].query.size}} queries, {{batches[0].support.size}} of support sets",
    "windows": f"{{dataset.enhancers.shape[1]}} + {{dataset.promoters.shape[1]}} bp",
}}
print(json.dumps(notes), flush=True)
for line in sys.stdin:
    times = []
    for batch in batches:
        wall, cpu = time.perf_counter(), time.process_time()
        trainer.step(batch, progress=1e6, probe=False)
        times.append([time.perf_counter() - wall, time.process_time() - cpu])
    print(json.dumps(times), flush=True)
"""
"""Says what its steps are of; takes those of an epoch, and says how long each took, for every line that it is given."""


Ask = Callable[[], list[Time]]


class NotInClone(Exception):
    """The earlier commit is not there to be run; the message says why, in one sentence."""


def bench_earlier() -> Measurement:
    """Steps of preset rp24 on the synthetic data, all schedules over: this code, and the code of COMMIT from a worktree in
    a temporary folder, each in a process of its own as a trial has; in turns, in one thread each, on the same data.

    Raises NotInClone where the commit cannot be checked out.
    """
    plain: list[Time] = []
    fast: list[Time] = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        _worktree(Path(scratch) / "earlier") as tree,
        _stepping("then", tree, Path(scratch) / "then") as (ask_then, said_then),
        _stepping("now", ROOT, Path(scratch) / "now") as (ask_now, said_now),
    ):
        if said_then != said_now:
            raise NotInClone(
                f"no figure against commit {COMMIT}: its steps are of {said_then}, not {said_now}"
            )
        for number in range(ROUNDS):
            times = ask_then(), ask_now()
            if number:  # the first round warms both up
                plain += times[0]
                fast += times[1]
    return Measurement(
        f"training step at size small, against commit {COMMIT}",
        middle(plain),
        middle(fast),
        REQUIRED,
        (len(plain), len(fast)),
        notes=said_now,
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
def _stepping(when: str, tree: Path, cache: Path) -> Iterator[tuple[Ask, dict[str, str]]]:
    """A function that has the code in `tree` take its steps, and gives the time of each; and what these are of."""
    code = STEPPING.format(imports=IMPORTS[when])
    arguments = [sys.executable, "-c", code, PRESET, str(STEPS), str(cache)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with subprocess.Popen(
        arguments, cwd=tree, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, told = process.stdin, process.stdout

        def line() -> str:
            said = told.readline()
            if not said:
                raise NotInClone(f"no figure against commit {COMMIT}: the code of {when} does not run here")
            return said

        def ask() -> list[Time]:
            asked.write("steps\n")
            asked.flush()
            return [Time(*each) for each in json.loads(line())]

        try:
            yield ask, json.loads(line())
        finally:
            process.kill()
