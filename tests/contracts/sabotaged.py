"""`python -m tests.contracts.sabotaged FOLDER`: what is said of every mistake, as JSON; each in a process of its own, since
what a file registers stays."""

import gc
import json
import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import harness.trial.step.balance  # noqa: F401 - which the first trainer of a process imports: loaded once, before the processes part
from analysis.errors import UserError
from harness.audit.auditor import twins_of
from harness.audit.judge import Judge
from harness.audit.keys import unread_keys
from harness.audit.probe import Probe
from harness.baselines.baseline import BASELINES
from harness.baselines.evaluate import evaluate_fold
from harness.baselines.features import PairFeatures
from harness.config.space.compose import compose
from harness.config.sweep.placed import check_placed
from harness.config.sweep.sweep import Sweep, load_sweep
from harness.config.sweep.use import load_use, read_use
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds, split
from harness.data.store import encoding_code, open_dataset
from harness.mechanisms.catalogue import configured
from harness.store.writer import RunWriter
from harness.trial.trying import try_brought
from harness.trial.unit_run import UnitRun
from tests.contracts.mistakes import AUDITED, LOADED, SCORED, Mistake
from tests.contracts.page import files_of_page, write_page
from tests.contracts.tried import TRIED


def opened(sweep: Sweep, cache: Path) -> EncodedDataset:
    return open_dataset(sweep.config.data, enhancer_bp=80, promoter_bp=80, cache=cache, progress=False)


def wrong(folder: Path, mistake: Mistake) -> Path:
    """The YAML of the page beside files of which one has the mistake."""
    text = files_of_page()[f"{mistake.file}.py"]
    if text.count(mistake.old) != 1:
        raise ValueError(f"{mistake.file}.py has {text.count(mistake.old)} times: {mistake.old}")
    folder.mkdir()
    return write_page(folder, **{mistake.file: text.replace(mistake.old, mistake.new)}) / "my_sweep.yaml"


def loaded(yaml: Path) -> str:
    """The sentence with which the sweep is refused."""
    try:
        try_brought(load_sweep(yaml).trial.resolved(gpu=False))
    except UserError as error:
        return str(error)
    return ""


def scored(yaml: Path) -> str:
    """The sentence with which its baseline is refused, alone."""
    sweep = load_sweep(yaml)
    dataset = opened(sweep, yaml.parents[1] / "cache")
    fold = make_folds(dataset, sweep.config.data)[0]
    for key in [key for key in BASELINES.keys() if key != "gc_content"]:  # noqa: SIM118 - a registry
        del BASELINES._rows[key]
    try:
        evaluate_fold(PairFeatures(dataset), fold, split(dataset, fold))
    except UserError as error:
        return str(error)
    return ""


def audited(yaml: Path, *names: str) -> dict[str, tuple[str, str]]:
    """Mechanism or key -> verdict and reason at the first steps of a trial with all of one's own; `names` alone where there
    are any."""
    sweep = load_sweep(yaml)
    dataset = opened(sweep, yaml.parents[1] / "cache")
    fold = make_folds(dataset, sweep.config.data)[0]
    config = sweep.resolved({"energy.form": "screened"}, gpu=False)
    trial = UnitRun(config, dataset, fold, 0, RunWriter(yaml.parent / "run"), inspector=None)
    if not names:
        findings = twins_of(trial.subject, "first").findings
        return {each.mechanism: (each.verdict, each.reason) for each in findings}
    probe = Probe(trial.subject)
    judge = Judge(probe, weights=True)
    judged = [judge.judge(row) for row in configured(config.model_dump()) if row.key in names]
    unread = {
        path: ("inert", f"nothing reads it: {tried}")
        for name in names
        if "." in name
        for path, tried in unread_keys(probe, name).items()
    }
    return {each.mechanism: (each.verdict, each.reason) for each in judged} | unread


def sourced(folder: Path) -> str:
    """The audit's verdict on an environment source of one's own."""
    sweep = load_sweep(folder / "my_sweep.yaml")
    load_use(read_use([folder / "my_source.py"], ["use"]))
    check_placed()
    config = compose(sweep.trial.canonical(), {"environment.source": "potential"}).resolved(gpu=False)
    dataset = opened(sweep, folder.parent / "cache")
    fold = make_folds(dataset, sweep.config.data)[0]
    trial = UnitRun(config, dataset, fold, 0, RunWriter(folder / "source"), inspector=None)
    probe = Probe(trial.subject)
    (row,) = (row for row in configured(config.model_dump()) if row.key == "potential")
    return Judge(probe, weights=True).judge(row).verdict


def main(folder: Path) -> None:
    tasks: list[tuple[Callable[..., Any], str, Mistake, tuple[str, ...]]] = [
        *((loaded, name, mistake, ()) for name, mistake in {**LOADED, **TRIED}.items()),
        *((scored, name, mistake, ()) for name, mistake in SCORED.items()),
        *((audited, name, each.mistake, (each.mechanism,)) for name, each in AUDITED.items()),
    ]
    yamls = [wrong(folder / str(number), mistake) for number, (_, _, mistake, _) in enumerate(tasks)]
    (folder / "right").mkdir()
    right = write_page(folder / "right") / "my_sweep.yaml"
    encoding_code()  # read once, before the processes part
    gc.freeze()  # and what is loaded is not walked through in each of them
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        said: dict[str, Any] = {"right": pool.apply(audited, (right,))}
        said["source"] = pool.apply(sourced, (right.parent,))
        for (task, name, _, names), yaml in zip(tasks, yamls, strict=True):
            said[name] = pool.apply(task, (yaml, *names))
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
