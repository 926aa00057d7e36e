"""Ray Tune over the pending trials of a run."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.config.blocks.sweep import ResourcesBlock
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.sweep import Sweep
from harness.config.sweep.use import loaded
from harness.data.folds import Fold
from harness.design.plan import Plan, by_trial
from harness.stamp.code import sources
from harness.stamp.stamp import Stamp
from harness.store.compaction import Compactor
from harness.sweep.cluster.room import Room
from harness.sweep.run.shared import mark
from harness.sweep.run.stored import complete_units, stored_units
from harness.sweep.run.unrun import Unrun
from harness.sweep.search.curves import Curves
from harness.sweep.search.past import past
from harness.sweep.search.sharing import Sharing
from harness.sweep.search.study import Study, study_file
from harness.sweep.show.board import Board
from harness.sweep.show.display import Display
from harness.sweep.start import Start
from harness.sweep.tracking import Track
from harness.trial.device import Device

PATIENCE = 0.5
"""Seconds between looks at the baselines when no trial is left."""
RESTARTS = 3
"""Deaths of a trial's worker after which it counts as failed."""


@dataclass(frozen=True)
class Tuning:
    """Everything that the Ray part of a sweep needs; see `harness.sweep.driver.run_sweep`."""

    sweep: Sweep
    start: Start
    folds: tuple[Fold, ...]
    dataset: Path
    cache: Path
    run: Path
    device: Device
    seconds: float | None
    view: Callable[[ConfigurationBlock], Path]
    before: Callable[[], None]
    stamp: Stamp
    sides: Path | None
    sharing: Sharing
    track: Track


@dataclass(frozen=True)
class Outcome:
    """How it ended: the plan as it is now, whether everything that was asked for ran, and what a person should hear."""

    plan: Plan
    finished: bool
    board: Board
    sentences: list[str]
    paused: str = ""
    """Why nothing more could be written, where that ended the trials."""
    without_baselines: bool = False
    """Whether the baselines ended and are not all there."""


def tune(tuning: Tuning, console: Console) -> Outcome:
    """Run what is pending, write baselines beside it, and show it; Ray's own output goes to RUN/driver.log."""
    import ray
    from ray.tune import (
        CheckpointConfig,
        FailureConfig,
        RunConfig,
        TuneConfig,
        Tuner,
        with_parameters,
        with_resources,
    )

    from harness.sweep.baseline_task import Baselines, missing
    from harness.sweep.cluster.shipping import Shipping
    from harness.sweep.search.proposer import Proposer
    from harness.sweep.search.scheduling import scheduler_of
    from harness.sweep.show.callbacks import BoardCallback
    from harness.sweep.show.ending import Ending
    from harness.sweep.worker import TrialWorker, Work

    tuning.before()
    sweep, start, config = tuning.sweep, tuning.start, tuning.sweep.config
    larger = config.direction == "maximize"
    known, history = past(
        sweep,
        start.plan,
        tuning.run,
        folds=[fold.id for fold in tuning.folds],
        pending=start.pending,
        gpu=tuning.device.gpu,
    )
    studied = sweep.studied
    study = Study(
        study_file(tuning.run, studied, config.objective, config.sampler.beside),
        name=start.plan.name,
        objective=config.objective,
        sampler=config.sampler,
        space=studied,
        past=known,
    )
    board = Board(
        total=len(start.pending) + start.new,
        larger_is_better=larger,
        folds={fold.id: fold.name for fold in tuning.folds},
        before=[each.value for each in known if each.status == "done"],
    )
    display = Display(console, board, config.objective)
    compactor = Compactor(tuning.run)
    pending = by_trial(unit for units in start.pending.values() for unit in units)
    compactor.collect_left(complete_units(tuning.run, pending.keys()))
    curves = Curves(history)
    unrun = Unrun(tuning.run, config.objective, tuning.device.name, tuning.stamp)

    def track_and_collect(units: Iterable[str]) -> None:
        names = list(units)
        tuning.track(names)
        compactor.collect(names)

    proposer = Proposer(
        sweep,
        start.plan,
        study,
        board,
        run=tuning.run,
        pending=pending,
        reached=start.reached,
        curves=curves,
        new=start.new,
        gpu=tuning.device.gpu,
        view=tuning.view,
        phase1=tuning.sharing.common(start.plan),
        give_up=lambda units: unrun.give_up(proposer.plan, units, "its worker died too often"),
        ended=track_and_collect,
    )
    node = ray.get_runtime_context().get_node_id()
    work = Work(
        run=tuning.run,
        folds=tuning.folds,
        objective=config.objective,
        stop_rules=tuple(config.stop),
        device=tuning.device.name,
        threads=max(1, int(config.resources.cpus_per_trial)),
        scheduler=config.scheduler.model_dump_json(),
        stamp=tuning.stamp,
        sides=tuning.sides,
        use=loaded(),
        mark=mark(tuning.run),
        shipping=Shipping(node, tuning.run),
        stacked=config.trial.replicates == "stacked",
        packing=proposer.packing,
        sources=sources(),
    )

    def prune(key: str, sentence: str) -> None:
        work.prune(key, sentence, proposer.names(key))
        withdrawn = proposer.withdraw(key, sentence)
        unrun.prune(proposer.plan, withdrawn, sentence)
        compactor.collect(unit.name for unit in withdrawn)
        display.withdrawn(key, [unit.fold for unit in withdrawn])

    pruned = {unit.config_id for unit, row in stored_units(tuning.run).items() if row.status == "pruned"}
    scheduler = scheduler_of(config.scheduler, curves, sign=1 if larger else -1, prune=prune, pruned=pruned)
    baselines = Baselines(tuning.dataset, tuning.folds, tuning.run, tuning.cache, node=node)
    ending = Ending(tuning.seconds, display.note)

    def look() -> None:
        display.aside(baselines.poll() or "computing baselines as well")
        room.look()

    callback = BoardCallback(
        board,
        display,
        look,
        pause=lambda: ending.end("nothing more can be written"),
    )
    kept = reserved(config.resources, tuning.device)
    room = Room(cpus=kept["cpu"], gpus=kept["gpu"], say=display.note)
    parameterised = with_parameters(TrialWorker, work=work)
    trainable: Any = with_resources(parameterised, kept)
    trainable.__qualname__ = TrialWorker.__name__  # what Ray's dashboard calls the actors
    tuner = Tuner(
        trainable,
        tune_config=TuneConfig(
            search_alg=proposer,
            scheduler=scheduler,
            num_samples=-1,
            max_concurrent_trials=config.resources.concurrent,
            reuse_actors=True,
            trial_name_creator=_name,
            trial_dirname_creator=_folder,
        ),
        run_config=RunConfig(
            name="tune",
            storage_path=str(tuning.run / "ray"),
            verbose=0,
            failure_config=FailureConfig(max_failures=RESTARTS),
            checkpoint_config=CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            stop=ending,
            callbacks=[callback],
        ),
    )
    with quietly(tuning.run / "driver.log"), display.showing(), ending.listening():
        tuner.fit()
        while not baselines.poll() and not ending.due:
            display.aside("all trials ended; waiting for the baselines")
            time.sleep(PATIENCE)
        ended = baselines.poll()
        if ended is None:
            baselines.cancel()
        elif not missing(tuning.run, tuning.folds, start.plan.data):
            display.aside(ended)
    if not callback.paused:
        compactor.finish()
    lacking = missing(tuning.run, tuning.folds, start.plan.data)
    sentences = [ended or "the baselines are not computed yet"] if lacking else []
    if proposer.exhausted:
        sentences.append(f"the space holds no more than these {len(proposer.plan.configs)} configurations")
    finished = ended is not None and not proposer.pending and proposer.new == 0
    return Outcome(
        proposer.plan, finished, board, sentences, callback.paused, bool(lacking) and ended is not None
    )


def reserved(resources: ResourcesBlock, device: Device) -> dict[str, float]:
    """What Ray keeps for each trial, on one node."""
    return {"cpu": resources.cpus_per_trial, "gpu": device.share}


def _name(trial: Any) -> str:
    """What Ray calls a trial: what a person reads of it."""
    name: str = trial.config["name"]
    return name


def _folder(trial: Any) -> str:
    """Tune's folder of a trial: its identity and Tune's own id, which keeps a second try apart."""
    return f"{trial.config['configuration']}-{trial.config['fold']}-{trial.trial_id}"


@contextlib.contextmanager
def quietly(log: Path) -> Iterator[None]:
    """Send what Ray prints and logs to a file; the console that the display writes to is bound before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a", buffering=1, encoding="utf-8", errors="backslashreplace") as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
        contextlib.ExitStack() as stack,
    ):
        for handler in logging.getLogger("ray").handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                # It holds the stream that was there when Ray was loaded.
                stack.callback(handler.setStream, handler.stream)
                handler.setStream(stream)
        yield
