"""The head of a ranking: what was confirmed, or that nothing was."""

import math
from collections.abc import Iterator

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.confirmation.figures import Confirmation, confirmation
from analysis.confirmation.seal import FOLDER
from analysis.labels import KNOWN_BY
from analysis.output import counted
from analysis.ranking import Ranking
from analysis.sized import ROOMY, ByWidth, Name

_EXPLAINED = Text(
    "chosen on: mean on val_unseen of the selection; again: val_unseen of the new fold; confirmed: its test",
    style="dim",
)
_WORDS = {"equal": "equal to it", "unknown": "still not told apart", "worse": "behind", "better": "ahead"}


def confirmation_view(ranking: Ranking) -> Iterator[RenderableType]:
    """The confirmed number, what it was when it was chosen, and the table; nothing for a run without a confirmation."""
    told = confirmation(ranking.run, ranking.rope)
    if told is None:
        for problem in ranking.run.problems:
            if problem.startswith(f"{FOLDER}/"):
                yield Text(f"\nNothing of the confirmation is relied on: {problem}", style="bold red")
        return
    for difference in told.differences:
        yield Text(f"\n{difference}", style="bold red")
    opened = told.record.opened
    if opened is None:
        yield Text(
            f"\nNot confirmed yet: a confirmation of {counted(len(told.rows), 'configuration')} on fold {told.record.fold} "
            "has begun; its test split is opened when it is complete (unless it is running, start the sweep again with "
            "--confirm --resume)",
            style="yellow",
        )
        return
    yield from _headline(told)
    yield ByWidth(lambda width: [_table(told, width >= ROOMY), _EXPLAINED])
    shared = "" if opened.units == 1 else "s"
    yield Text(
        f"test of fold {told.record.fold} was opened once, {opened.date}, by {opened.by}, for "
        f"{counted(len(opened.configurations), 'configuration')} ({opened.units} unit{shared}); rows stand in the order in "
        "which they were chosen: to choose among them by these numbers would be to select again",
        style="dim",
    )
    for note in told.record.notes:
        yield Text(f"note: {note}", style="dim")
    first = str(ranking.configurations["config"].iloc[0])
    if first not in told.record.configs:
        yield Text(
            f"#1 below ({ranking.configurations['label'].iloc[0]}) is not among what was confirmed",
            style="bold yellow",
        )
    yield Text(
        "\nSelection: the numbers that it was chosen by, which that has flattered; the result stands above",
        style="bold",
    )


def _headline(told: Confirmation) -> Iterator[RenderableType]:
    row, by = told.winner, told.by
    head = Text("\nConfirmed: ", style="bold")
    head.append(
        f"{row['label']}  {by.label} {_number(row['confirmed'])}",
        style="bold green",
    )
    seeds = counted(int(row["seeds"]), "fresh seed")
    span = f"95 % t {_span(row['low'], row['high'])}" if not math.isnan(row["low"]) else "no interval"
    yield head.append(
        f"  ({span} over {seeds}, on test of a fold that selection did not use)", style="not bold"
    )
    base = told.baseline
    line = f"optimism {row['optimism']:+.3f} = {_number(row['selected'])} when it was chosen - {_number(row['confirmed'])}"
    if math.isnan(row["optimism_low"]):
        line += "; it has no interval, of one seed on a side"
    else:
        span = f"{row['optimism_low']:+.3f} to {row['optimism_high']:+.3f}"
        line += f"; its 95 % interval (Welch's t over the seeds of both) is {span}"
    if not math.isnan(base["optimism"]):
        line += (
            f"; of baseline {told.record.baseline}, which was fitted anew and has no seed: {base['optimism']:+.3f}, what "
            "these other pairs alone make"
        )
    yield Text(line)
    if not math.isnan(row["over_baseline"]):
        low, high = row["over_baseline_low"], row["over_baseline_high"]
        verdict = "better" if low > 0 else "worse" if high < 0 else "not told apart"
        yield Text(
            f"against baseline {told.record.baseline} ({_number(base['confirmed'])}): {row['over_baseline']:+.3f}, "
            f"{low:+.3f} to {high:+.3f} (positive is better): {verdict}"
        )


def _table(told: Confirmation, roomy: bool) -> Table:
    """Where it is not `roomy`, what a row is to the winner stands below its name."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, int(roomy), 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("id", no_wrap=True, style="dim")
    table.add_column("configuration", ratio=1)
    for heading in (
        "confirmed",
        "95 % interval",
        "optimism",
        "chosen on",
        "again",
        *(["to the winner"] * roomy),
    ):
        table.add_column(heading, justify="right", no_wrap=heading != "to the winner")
    for row in told.rows.to_dict("records"):
        verdict = "" if row["role"] == "winner" else _WORDS[row["tie"]]
        notes = [note for note in (row["lacking"], "" if roomy else verdict) if note]
        cells = (
            _span(row["low"], row["high"]),
            f"{row['optimism']:+.3f}",
            *map(_number, (row["selected"], row["again"])),
        )
        name = Name(row["label"], notes=notes)
        table.add_row(
            row["role"],
            row["config"][:KNOWN_BY],
            name,
            _number(row["confirmed"]),
            *cells,
            *([verdict] * roomy),
        )
    base = told.baseline
    if told.record.baseline:
        cells = ("", f"{base['optimism']:+.3f}", _number(base["selected"]), _number(base["again"]))
        name = Name(told.record.baseline)
        table.add_row("b", "", name, _number(base["confirmed"]), *cells, *([""] * roomy), style="dim italic")
    return table


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _span(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{low:.3f} to {high:.3f}"
