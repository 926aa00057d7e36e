"""`--confirm`: what a sweep has chosen is run again, after it."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from analysis.confirmation.choice import FEWEST, MOST, candidates
from analysis.confirmation.record import ChoiceRecord, Opening, confirmation_of, read_record
from analysis.confirmation.seal import FILE as RECORD
from analysis.confirmation.seal import FOLDER
from analysis.criteria import criterion_of
from analysis.errors import UserError
from analysis.output import counted
from analysis.ranking import Ranking, rank
from analysis.store import Run
from harness.config.blocks.explain import ConfigError
from harness.config.sweep.sweep import Sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import make_folds
from harness.data.unused_fold import unused_fold
from harness.design.plan import Plan
from harness.shell.terminal import tell
from harness.sweep.confirmation import Confirming
from harness.sweep.driver import run_sweep
from harness.sweep.foresight import Cost
from harness.sweep.options import Options
from harness.sweep.report import conclude, show_ranking
from harness.sweep.run.documents import plan_of_run
from harness.sweep.run.lock import only_driver, refuse_running
from harness.sweep.show.board import duration
from harness.sweep.start import Start
from harness.sweep.task import Task
from harness.sweep.tuning import Outcome


def run_confirmed(options: Options, console: Console) -> int:
    """Run the sweep, then its confirmation; the exit status as of `run_sweep`.

    Raises
    ------
    UserError
        as `run_sweep`; where nothing can be confirmed, no fold is left, or the test split was opened already for
        another choice.
    """
    began = time.monotonic()
    selection = Selection(options)
    status = run_sweep(options, console, selection)
    if status not in (0, 1) or (options.dry_run and not selection.complete):
        return status
    run = selection.folder(selection.load())
    left = None if options.seconds is None else max(1.0, options.seconds - (time.monotonic() - began))
    inner = replace(options, seconds=left, trials=None, budget=None, pilot=None, out=run / FOLDER)
    if options.dry_run:
        refuse_running(run)
        return max(status, _confirm(inner, console, run))
    with only_driver(run):
        return max(status, _confirm(inner, console, run))


class Selection(Task):
    """A sweep that is to be confirmed: its ranking is shown after that."""

    complete = False
    """Whether it has nothing left to run, so that what it chose is known."""

    def on(self, sweep: Sweep, dataset: EncodedDataset) -> Sweep:
        """The sweep as it is, where its folds, and those of earlier starts, leave one that a confirmation can take: else
        it is refused before anything is trained."""
        earlier = plan_of_run(self.folder(sweep), sweep)
        with contextlib.suppress(ConfigError):  # said with its place by who makes the folds
            folds = make_folds(dataset, sweep.config.data)
            unused_fold(dataset, [*(earlier.known.values() if earlier else ()), *folds])
        return sweep

    def check(self, sweep: Sweep, start: Start) -> None:
        """More may run after a confirmation, and a choice among more is not confirmed on a test split that was seen."""
        run = self.folder(sweep)
        inner = confirmation_of(Run(run)) if (run / FOLDER).exists() else None
        record = read_record(inner) if inner is not None else None
        if record is not None and record.opened is not None and not start.nothing:
            raise UserError(
                f"--confirm: the test split of fold {record.fold} was opened {record.opened.date}, and more is to run now: "
                "what is chosen after that is not confirmed on it; leave --confirm out, or give a run of its own (--out), "
                "on data that are new"
            )

    def foreseen(self, console: Console, sweep: Sweep, start: Start, cost: Cost | str | None) -> None:
        self.complete = start.nothing
        if start.nothing:
            return
        most = len(start.plan.asked) + start.new
        said = (
            f"confirmation, after that: the winner and its ties, 1 to {counted(most, 'configuration')} x 1 fold x {FEWEST} "
            f"to {MOST} fresh seeds, {FEWEST} to {most * MOST:,} units"
        )
        if isinstance(cost, Cost):
            said += f"; about {duration(cost.wall(1, 1, FEWEST))} to {duration(cost.wall(most, 1, MOST))} by the same step"
        tell(console, said)

    def conclude(
        self,
        console: Console,
        run: Path,
        sweep: Sweep,
        start: Start,
        outcome: Outcome | None,
        ended: Sequence[str],
    ) -> int:
        unfinished = outcome is not None and not outcome.finished
        return conclude(console, run, sweep.config, start, outcome, ended, ranked=unfinished)


def _confirm(options: Options, console: Console, run: Path) -> int:
    sweep = Task(replace(options, out=run)).load()
    ranking = rank(Run.open(run), criterion_of(sweep.config.objective).key, rope=sweep.config.rope)
    plan = Plan.load(run)
    if plan is None:
        raise UserError(f"--confirm: {run} has no plan that says which configurations it has")
    inner = confirmation_of(Run(run))
    record = read_record(inner) if inner is not None else None
    if record is None and (inner is not None or (run / FOLDER / "units").exists()):
        raise UserError(
            f"--confirm: {run / FOLDER} has a confirmation whose {RECORD} is gone, was changed or cannot be read, so that "
            "nobody knows whether its test split was opened; put the file back, or confirm from a run of its own (--out)"
        )
    if record is not None and record.opened is not None:
        return _already(record, record.opened, ranking, console)
    resumed = replace(options, resume=inner is not None or (run / FOLDER / "plan.json").exists())
    return run_sweep(resumed, console, Confirming(resumed, run, sweep, ranking, plan))


def _already(record: ChoiceRecord, opened: Opening, ranking: Ranking, console: Console) -> int:
    """Say what was confirmed; refuse a second opening for another choice."""
    now = candidates(ranking)
    if now[0].config == record.winner.config and {each.config for each in now} <= record.configs:
        console.print(f"confirmed already, {opened.date}: nothing to run", style="bold", highlight=False)
        return show_ranking(console, ranking.run.path, record.criterion)
    raise UserError(
        f"--confirm: the test split of fold {record.fold} was opened {opened.date} for {record.winner.label} and "
        f"{counted(len(record.candidates) - 1, 'tie')}, and the ranking has {now[0].label} first, or other ties, now: what "
        "is chosen after a test split was seen is not confirmed on it; give a run of its own (--out), on data that are new"
    )
