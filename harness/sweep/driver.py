"""The sweep from its command line to its ranking."""

import contextlib
import json
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from analysis.errors import UserError
from analysis.identity import FILE as IDENTITY
from analysis.identity import identity
from analysis.schema import PROVENANCE
from analysis.store import Run
from harness.baselines.write import write_baselines
from harness.config.blocks.design import Staged
from harness.config.blocks.explain import ConfigError
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.enqueued import refuse_more
from harness.config.sweep.sweep import Sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold, make_folds
from harness.data.pair_table import write_pairs
from harness.data.publishing import check_cache
from harness.data.store import is_encoded, open_dataset
from harness.design.plan import Plan
from harness.shell.terminal import tell
from harness.stamp.code import Code
from harness.stamp.stamp import Stamp
from harness.store.compaction import Compactor
from harness.store.storage import DISK, StoreUnwritable, check_shareable, writing
from harness.store.writer import RunWriter
from harness.sweep.baseline_task import missing
from harness.sweep.cluster.capacity import this_machine
from harness.sweep.cluster.cluster import Cluster, cluster
from harness.sweep.cost import Workers, measure, this_host, workers_of
from harness.sweep.foresight import Cost, foresee, resumed_budget, spread_of, within_budget
from harness.sweep.options import Options
from harness.sweep.report import continuing, introduce, unfinished
from harness.sweep.run.aside import complete_moves, put_aside
from harness.sweep.run.documents import mend_run, plan_of_run
from harness.sweep.run.lock import only_driver, refuse_running
from harness.sweep.run.prefixes import Taken, forget_prefixes
from harness.sweep.run.preregistered import asked_of, differences, preregister
from harness.sweep.run.provenance import provenance
from harness.sweep.run.statuses import ENDED
from harness.sweep.run.stored import complete_units, stored_units
from harness.sweep.run.taken_back import take_back
from harness.sweep.search.impossible import refuse_impossible
from harness.sweep.search.sharing import Sharing
from harness.sweep.search.stages import results, save_walks
from harness.sweep.start import Start, forget, prepare
from harness.sweep.task import Task
from harness.sweep.tracking import refuse_absent, tracking
from harness.sweep.tuning import Outcome, Tuning, tune
from harness.trial.device import Device, choose_device
from harness.trial.trying import try_brought


def run_sweep(options: Options, console: Console, task: Task | None = None) -> int:
    """Plan, run and rank what the `task` is (the YAML's sweep when None); the exit status: 0, 1 when configurations
    failed, 3 when the run is unfinished.

    Raises
    ------
    UserError
        for everything the user can mend: YAML, data, options, a run folder that is in use.
    """
    began = time.monotonic()
    # Bound now, because Ray's own prints are led elsewhere while the trials run.
    console.file = sys.stdout
    task = task or Task(options)
    with contextlib.ExitStack() as stack:
        sweep = task.load()
        refuse_absent(sweep.config.track)
        spread = spread_of(sweep, options.pilot)
        try_brought(sweep.trial.resolved(gpu=False))  # before there is a folder to leave behind
        Code.today()  # read now: what is edited while data are encoded is not what this process runs
        run = task.folder(sweep)
        stack.enter_context(writing(run, DISK))
        check_shareable(run)
        if options.dry_run:
            refuse_running(run)
        else:
            # Before the plan is read: two starts at once would else both add to what was there before either.
            stack.enter_context(only_driver(run))
            for sentence in mend_run(run, sweep):
                tell(console, f"note: {sentence}", "yellow")
            complete_moves(run)
        sweep = with_trials(sweep, options.trials, run, resume=options.resume)
        asked = sweep.config.resources
        joined = (
            stack.enter_context(cluster(address=options.address)) if options.address is not None else None
        )
        device = choose_device(
            cluster_gpus=joined.capacity.gpus_for(asked.gpus_per_trial) if joined else None,
            share=asked.gpus_per_trial,
        )
        there = joined.capacity if joined else this_machine(gpus=device.gpus)
        waits = there.refuse_too_large(
            cpus=asked.cpus_per_trial,
            gpus=device.share,
            where=f"the cluster at {options.address}" if joined else "this machine",
        )
        gpu = device.gpu
        spare = stack.enter_context(TemporaryDirectory(prefix="plan-")) if options.dry_run else None
        views = Views(sweep, options.cache.absolute(), console, spare=spare)
        dataset = EncodedDataset.open(views(sweep.trial.resolved(gpu=gpu)), sweep.config.data.origin)
        sweep = task.on(sweep, dataset)
        try:
            folds = make_folds(dataset, sweep.config.data)
        except ConfigError as error:
            raise sweep.placed(error) from None
        workers = workers_of(
            cpus=there.cpus,
            gpus=there.gpus,
            cpus_per_trial=asked.cpus_per_trial,
            share=device.share,
            concurrent=asked.concurrent,
            where=f"the cluster at {options.address}, a step measured on {this_host()}"
            if joined
            else this_host(),
        )
        cost: Cost | str | None = None
        if options.budget is not None:
            setting = resumed_budget(sweep, run) if options.resume else None
            if setting is None:
                cost = priced = cost_of(sweep, dataset, folds[0], workers, device, console)
                setting, chosen = within_budget(sweep, len(folds), priced, options.budget)
                tell(console, chosen)
            sweep = task.load(setting)
        refuse_impossible(sweep, dataset, folds, gpu=gpu)
        fresh = Plan.of(sweep, folds=folds, data=dataset.hash, gpu=gpu)
        stamp = Stamp.of(sweep.config, data=dataset.hash)
        start = prepare(
            sweep, fresh, run, resume=options.resume, gpu=gpu, reuse=options.reuse_older_code, stamp=stamp
        )
        task.check(sweep, start)
        sharing = Sharing(sweep, dataset, folds[0], gpu=gpu, run=run)
        shared = sharing.foreseen(start.plan, start.pending, start.new)
        introduce(
            console, sweep, start, dataset, folds, run, gpu=gpu, design=task.designed(sweep), shared=shared
        )
        for sentence in filter(None, (device.sentence, waits)):
            tell(console, f"note: {sentence}", "yellow")
        content = asked_of(sweep, start.plan, spread)
        for sentence in differences(run, content):
            tell(console, f"difference: {sentence}")
        if options.dry_run or options.pilot is not None or options.budget is not None:
            if cost is None and options.dry_run:
                cost = measured(sweep, dataset, folds[0], workers, device, console)
            foresee(console, sweep, start, cost, spread, sharing)
            task.foreseen(console, sweep, start, cost)
        if options.dry_run:
            return 0
        if start.nothing:
            put_aside(run, start.aside)
            take_back(run, start.back)
            preregister(run, content)
            save_yaml(sweep, run)
            finish(start, dataset, folds, run, options.cache.absolute(), console)
            with tracking(run, sweep.config.track, console.print):
                pass
            return task.conclude(console, run, sweep, start, None, ending(sweep, start.plan, run, gpu=gpu))

        # Before anything is written: a Ray that cannot start must not leave an interrupted run behind.
        ray = joined or stack.enter_context(cluster(address=None, gpus=int(device.gpus)))
        if joined is None:
            # A container may have fewer CPUs than its machine, and Ray knows.
            ray.capacity.refuse_too_large(cpus=asked.cpus_per_trial, gpus=device.share, where="this machine")
        stack.enter_context(telling_how_to_go_on(console))
        put_aside(run, start.aside)
        take_back(run, start.back)
        start = replace(start, plan=replace(start.plan, status="running"))
        first = preregister(run, content)
        save_start(sweep, start, run)
        write_pairs(dataset, folds, run)
        task.begin(sweep, start.plan)
        forget(run, [unit for units in start.pending.values() for unit in units if unit in start.failed])
        console.print(ray.sentence(), soft_wrap=True, highlight=False, markup=False)
        outcome = tune(
            Tuning(
                sweep=sweep,
                start=start,
                folds=tuple(folds),
                dataset=dataset.path,
                cache=options.cache.absolute(),
                run=run,
                device=device,
                seconds=None
                if options.seconds is None
                else max(1.0, options.seconds - (time.monotonic() - began)),
                view=views,
                before=lambda: save_provenance(sweep, dataset, run, ray, first),
                stamp=stamp,
                sides=task.sides,
                sharing=sharing,
                track=stack.enter_context(tracking(run, sweep.config.track, console.print)),
            ),
            console,
        )
        if outcome.paused:
            raise StoreUnwritable(
                f"{outcome.paused}; finished epochs are kept, go on with: {continuing(sys.orig_argv)}"
            )
        outcome = with_what_is_missing(outcome, start, run)
        replace(outcome.plan, status="finished" if outcome.finished else "interrupted").save(run)
        if outcome.finished:
            forget_prefixes(run)
    ended = [*taken_over(sharing, outcome.plan, run), *ending(sweep, outcome.plan, run, gpu=gpu)]
    return task.conclude(console, run, sweep, start, outcome, ended)


def with_what_is_missing(outcome: Outcome, start: Start, run: Path) -> Outcome:
    """The outcome, unfinished where a unit that was to run has no row in the store that says how it ended."""
    asked = [unit for units in start.pending.values() for unit in units]
    asked += [
        u
        for config in outcome.plan.configs
        if config not in start.plan.configs
        for u in outcome.plan.units_of(config)
    ]
    stored = stored_units(run) if outcome.finished else {}
    left = [u.name for u in asked if u not in stored or stored[u].status not in (*ENDED, "failed")]
    if not outcome.finished or not left:
        return outcome
    sentence = f"{len(left)} units have ended, and the store does not say how: {', '.join(left[:4])}"
    return replace(outcome, finished=False, sentences=[*outcome.sentences, sentence])


def ending(sweep: Sweep, plan: Plan, run: Path, *, gpu: bool) -> list[str]:
    """What a staged design says of its results; nothing of another one."""
    design = sweep.config.of_design
    if not isinstance(design, Staged):
        return []
    reached = results(sweep, plan, run, gpu=gpu)
    save_walks(sweep, design.walks(sweep.basis, reached), run, gpu=gpu)
    return design.ending(sweep.basis, reached)


def taken_over(sharing: Sharing, plan: Plan, run: Path) -> list[str]:
    """What sharing phase 1 has spared, against what it could; nothing where there was nothing to share."""
    ceiling = sharing.ceiling(plan, plan.units())
    return [Taken.of(run, plan).sentence(ceiling.ratio)] if ceiling.spared else []


def cost_of(
    sweep: Sweep, dataset: EncodedDataset, fold: Fold, workers: Workers, device: Device, console: Console
) -> Cost:
    """Of the base configuration on a fold; UserError where it cannot be trained there."""
    config = sweep.trial.resolved(gpu=device.gpu)
    objective, threads = sweep.config.objective, workers.threads
    unit = measure(
        config, dataset, fold, device=device.name, threads=threads, console=console, objective=objective
    )
    return Cost(unit, workers)


def measured(
    sweep: Sweep, dataset: EncodedDataset, fold: Fold, workers: Workers, device: Device, console: Console
) -> Cost | str:
    """The cost, or why there is none: the base of a search need not be one of its configurations, and features are not
    there before a sequence side is trained."""
    if sweep.trial.frozen:
        return "a small part of a step in full, after the sequence sides above; python -m harness.bench cached measures it"
    try:
        return cost_of(sweep, dataset, fold, workers, device, console)
    except UserError as error:
        return str(error)


class Views:
    """Encoded windows for a configuration's sizes, made on first need, in the driver; in `spare`, where one is given, what
    the cache lacks."""

    def __init__(self, sweep: Sweep, cache: Path, console: Console, *, spare: str | None = None) -> None:
        self.sweep, self.cache, self.console = sweep, cache, console
        self.spare = None if spare is None else Path(spare)
        self._known: dict[tuple[int, int], Path] = {}

    def __call__(self, config: ConfigurationBlock) -> Path:
        """Path of the view for a resolved configuration."""
        enhancer_bp, promoter_bp = config.model.enhancer_bp, config.model.promoter_bp
        assert enhancer_bp is not None
        assert promoter_bp is not None
        sizes = (enhancer_bp, promoter_bp)
        if sizes not in self._known:
            data, cache = self.sweep.config.data, self.cache
            if self.spare is not None and not is_encoded(
                data, enhancer_bp=enhancer_bp, promoter_bp=promoter_bp, cache=cache
            ):
                check_cache(cache)
                cache = self.spare
            opened = open_dataset(
                data,
                enhancer_bp=enhancer_bp,
                promoter_bp=promoter_bp,
                cache=cache,
                progress=self.console.is_terminal and not self._known,
            )
            self._known[sizes] = opened.path
        return self._known[sizes]


def with_trials(sweep: Sweep, trials: str | None, run: Path, *, resume: bool) -> Sweep:
    """The sweep with the command line's number of configurations; `+N` counts from what the run was to have.

    To resume is to ask for no fewer than the interrupted start did.
    """
    if trials is None:
        asked = "trials" not in sweep.config.of_design.idle
        old = plan_of_run(run, sweep) if resume and asked else None
        if old is None or old.trials <= sweep.trials:
            return sweep
        trials = str(old.trials)
    if "trials" in sweep.config.of_design.idle:
        raise UserError(
            f"--trials {trials}: a {sweep.config.design.kind} has its own number of configurations ({sweep.trials})"
        )
    number = int(trials)
    if trials.startswith("+"):
        old = plan_of_run(run, sweep)
        number += old.trials if old is not None else 0
    refuse_more(sweep.basis.enqueued, number)
    return replace(sweep, config=sweep.config.model_copy(update={"trials": number}))


def finish(
    start: Start, dataset: EncodedDataset, folds: Sequence[Fold], run: Path, cache: Path, console: Console
) -> None:
    """What a start that has no trials to run has left to do: baselines, parts, and the plan as it is asked for now."""
    write_pairs(dataset, folds, run)
    left, plan = missing(run, folds, dataset.hash), replace(start.plan, status="finished")
    if Plan.load(run) == plan and not left:
        return
    compactor = Compactor(run)
    compactor.collect_left(complete_units(run, ()))
    compactor.finish()
    if left:
        console.print("computing the baselines that an earlier start did not finish", highlight=False)
        write_baselines(dataset, left, run, cache, progress=console.is_terminal)
    plan.save(run)


def save_yaml(sweep: Sweep, run: Path) -> None:
    """What the latest start asks for, in its own words; a file that says it already stays as it is."""
    file, text = run / "sweep.yaml", _as_run(sweep)
    if not file.is_file() or file.read_bytes() != text.encode():
        RunWriter(run).write_text(file.name, text)


def save_start(sweep: Sweep, start: Start, run: Path) -> None:
    """Plan, YAML and the list of the code's modules, before anything runs."""
    writer = RunWriter(run)
    save_yaml(sweep, run)
    Code.today().save(run)
    start.plan.save(run)
    if not (run / IDENTITY).exists():
        writer.write_json(IDENTITY, {"id": identity(Run(run)) or uuid.uuid4().hex})


def save_provenance(
    sweep: Sweep, dataset: EncodedDataset, run: Path, ray: Cluster, preregistered: str
) -> None:
    """Every start of a run adds its own entry; the newest is at the top level."""
    file = run / PROVENANCE
    earlier = json.loads(file.read_text()) if file.exists() else {}
    entry = provenance(
        data=dataset.hash,
        origin=dataset.origin,
        seeds=list(sweep.config.seeds),
        sampler_seed=sweep.config.sampler.seed,
        cluster=ray.address or "local",
    )
    entry["preregistration"] = preregistered
    before = earlier.pop("earlier", [])
    RunWriter(run).write_json(PROVENANCE, {**entry, "earlier": [*before, *([earlier] if earlier else [])]})


@contextlib.contextmanager
def telling_how_to_go_on(console: Console) -> Iterator[None]:
    """On Ctrl-C say how to continue, also while Ray starts."""
    try:
        yield
    except KeyboardInterrupt:
        unfinished(console)
        raise


def _as_run(sweep: Sweep) -> str:
    """The YAML with the command line's overrides said on top."""
    said = [f"# --set {text}" for text in sweep.overrides]
    if sweep.config.data.root is not None:
        said.append(f"# data: {sweep.config.data.root}")
    return "\n".join([f"# as run from {sweep.path}", *said, sweep.text])
