"""What a person reads before and after a sweep."""

import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.__main__ import print_ranked
from analysis.commands.of_run import say
from analysis.criteria import criterion_of
from analysis.errors import UserError as NothingToRank
from analysis.next_step import next_view
from analysis.output import counted
from analysis.ranking import Ranking, rank
from analysis.schema import POOLED
from analysis.store import Run
from harness.config.blocks.design import Staged, designs
from harness.config.blocks.sweep import SweepBlock
from harness.config.sweep.sweep import Sweep
from harness.data.dataset import EncodedDataset
from harness.data.folds import Fold
from harness.data.scarce import scarce
from harness.shell.terminal import tell
from harness.sweep.run.saved import Saved
from harness.sweep.search.study import direction_of
from harness.sweep.show.arms import print_arms
from harness.sweep.show.board import duration
from harness.sweep.start import Start
from harness.sweep.tuning import Outcome

ORDERS = ("aupr", "auc")
"""Metrics of an objective that the order of pairs alone decides."""
UNENDED = {"running": "unfinished", "waiting": "not started"}
"""What states of a configuration are called once the sweep has ended."""


def introduce(
    console: Console,
    sweep: Sweep,
    start: Start,
    dataset: EncodedDataset,
    folds: Sequence[Fold],
    run: Path,
    *,
    gpu: bool,
    design: str,
    shared: str = "",
) -> None:
    """The plan: data, folds, `design`, what is to run, what phase 1 shares, and what differs from an earlier start."""
    config, plan = sweep.config, start.plan
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row(
        "data",
        Text(f"{len(dataset):,} pairs of {len(dataset.cell_lines)} cell lines ({dataset.origin})"),
    )
    for note in dataset.notes:
        facts.add_row("", Text(note))
    named = len(config.data.folds) if isinstance(config.data.folds, list) else 0
    if named > len(folds):
        facts.add_row(
            "", f"{named} folds are named, of which {named - len(folds)} repeat another one's content"
        )
    for fold in folds:
        facts.add_row(
            fold.name,
            Text(
                f"test {', '.join(fold.test)}; validation {', '.join(fold.val)}; "
                f"held-out chromosomes {', '.join(fold.chromosomes)}"
            ),
        )
    weighed = [f"{each} ({direction_of(each)})" for each in config.sampler.beside]
    facts.add_row("objective", ", against ".join([f"{config.objective} ({config.direction})", *weighed]))
    stopping = ", ".join([config.scheduler.words(), *config.stop])
    facts.add_row("design", f"{design}; early stopping: {stopping}")
    if sweep.trial.frozen:
        side = sweep.trial.frozen
        facts.add_row("fidelity", f"cached: what comes after z_I trains, behind the sequence sides of {side}")
    facts.add_row("device", f"{'GPU' if gpu else 'CPU only'}; {sweep.trial.resolved(gpu=gpu).model.words()}")
    configurations = len(start.pending) + start.new
    unit_runs = len(folds) * len(config.seeds)
    facts.add_row(
        "to run",
        f"{'at most ' if isinstance(config.of_design, Staged) else ''}"
        f"{counted(configurations, 'configuration')} x {counted(len(folds), 'fold')} x "
        f"{counted(len(config.seeds), 'seed')}, {counted(sweep.trial.optimiser.epochs, 'epoch')} each"
        + (
            f" ({sum(map(len, start.pending.values())) + start.new * unit_runs} units)"
            if configurations
            else ""
        )
        + (f"; {start.finished} units are there already" if start.finished else ""),
    )
    if shared:
        facts.add_row("phase 1", Text(shared))
    facts.add_row("run", Text(str(run)))
    console.print(f"sweep {plan.name}", style="bold", markup=False, highlight=False)
    console.print(facts, highlight=False)
    for sentence in start.sentences:
        tell(console, f"difference: {sentence}")
    if start.exhausted:
        whole = len(start.pending) + start.new + start.complete
        tell(console, f"note: the space holds no more than {whole} configurations", "yellow")
    for sentence in [*sweep.warnings, *_limits(sweep, dataset, folds)]:
        tell(console, f"note: {sentence}", "yellow")
    if sweep.space.entries:
        console.print(_space(sweep))
    print_arms(console, sweep)


def _limits(sweep: Sweep, dataset: EncodedDataset, folds: Sequence[Fold]) -> Iterator[str]:
    """What the data and folds cannot answer, whatever is trained."""
    level, metric = sweep.config.objective.split("/")[-2:]
    one_line = all(len(fold.val) == 1 for fold in folds)
    if one_line and level == POOLED and metric in ORDERS and sweep.trial.environment.source != "none":
        yield (
            "each fold has one unseen validation cell line, within which an R_E per cell line cannot change the order of "
            f"pairs: with such an R_E {sweep.config.objective} judges U_I alone. Two val lines per fold (data.folds), or "
            "val_unseen/pooled/nll, ask for R_E, too"
        )
    yield from scarce(dataset, folds)


def conclude(
    console: Console,
    run: Path,
    config: SweepBlock,
    start: Start,
    outcome: Outcome | None,
    ended: Sequence[str] = (),
    *,
    ranked: bool = True,
) -> int:
    """What its design says has come of it (`ended`), the ranking (unless it is shown later: not `ranked`), what is left to
    do, and the exit status of the sweep: 0 where everything ran and there is a ranking."""
    if outcome is None:
        tell(console, f"nothing to run: this sweep is finished. {_more(start)} would add runs.", "bold")
        if start.failed:
            tell(console, f"{len(start.failed)} units failed; --resume tries them again", "red")
    else:
        _say(console, outcome)
    plan = outcome.plan if outcome is not None else start.plan
    if config.scheduler.kind != "none" or config.stop:
        saved = Saved.of(run, plan)
        sentence = saved.sentence(config.scheduler.kind, ", ".join(config.stop))
        tell(console, sentence)
    for line in ended:
        tell(console, line)
    ended_whole = outcome is None or outcome.finished
    by = criterion_of(start.plan.objective).key
    status = show_ranking(console, run, by, finished=ended_whole) if ranked else 0
    if outcome is None:
        return 1 if start.failed else status
    if not outcome.finished:
        unfinished(console)
        return 3
    return 1 if outcome.board.counts()["failed"] or outcome.without_baselines else status


def show_ranking(console: Console, run: Path, by: str, *, finished: bool = True) -> int:
    """The ranking, how to see it again, and last what to do next, where the sweep has `finished`; the exit status, 1 where
    there is nothing to rank."""
    ranking = None
    try:
        ranking = rank(Run.open(run), by)
        print_ranked(ranking, console=console)
        _write_report(ranking, console)
    except NothingToRank as error:
        console.print(str(error), markup=False, highlight=False)
    again = shlex.join(["python", "-m", "analysis", str(run), "--by", by])
    console.print(f"run         {run}\nrank again  {again}", soft_wrap=True, highlight=False, markup=False)
    if ranking is not None and finished:
        say(console, next_view(ranking))
    return 1 if ranking is None else 0


def _write_report(ranking: Ranking, console: Console) -> None:
    """Write the run's report. A sweep is finished with or without it: what goes wrong is said in a sentence."""
    try:
        from analysis.report.command import report_of  # a second of libraries, which no start waits for

        report_of(ranking, console)
    except Exception as error:  # noqa: BLE001  # a page that cannot be drawn costs no results
        said = str(error) if isinstance(error, NothingToRank) else f"{type(error).__name__}: {error}"
        console.print(
            f"report      not written: {said}; python -m analysis report {shlex.quote(str(ranking.run.path))} tries again",
            style="yellow",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def unfinished(console: Console) -> None:
    """Say how to go on."""
    console.print(
        f"unfinished; continue with\n{continuing(sys.orig_argv)}",
        style="yellow",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def continuing(command: Sequence[str]) -> str:
    """The command line that goes on where `command` ended: no further configurations are asked for a second time.

    The resumed run knows how many it was to have, so `--trials` is left out.
    """
    rest = list(command)
    while any(word.split("=")[0] == "--trials" for word in rest):
        at = next(i for i, word in enumerate(rest) if word.split("=")[0] == "--trials")
        del rest[at : at + (1 if "=" in rest[at] else 2)]
    return shlex.join([*rest, *([] if "--resume" in rest else ["--resume"])])


def _more(start: Start) -> str:
    design = designs()[start.plan.design]
    if design.searched and not design.ablates and not start.exhausted:
        return "More configurations (--trials +16), more seeds (trial.seeds), or a changed space or setting"
    return "More seeds (trial.seeds), or a changed setting, space or design"


def _say(console: Console, outcome: Outcome) -> None:
    board = outcome.board
    counts = board.counts()
    said = ", ".join(f"{number} {UNENDED.get(status, status)}" for status, number in counts.items())
    tell(console, f"{board.ended}/{board.total} configurations in {duration(board.elapsed())}: {said}")
    for sentence in outcome.sentences:
        tell(console, sentence, "yellow")
    reasons = Counter(row.reason for row in board.rows.values() if row.status == "failed")
    for reason, number in reasons.items():
        tell(console, f"failed {number} x: {reason}", "red")


def _space(sweep: Sweep) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.add_column("swept", no_wrap=True)
    table.add_column("over", overflow="fold")
    table.add_column("when", style="dim", overflow="fold")
    for entry in sweep.space.describe():
        table.add_row(*(Text(entry[key]) for key in ("path", "distribution", "when")))
    return table
