"""The ledger as text: what `python -m analysis verify RUN` says, and the line under every ranking."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from analysis.ledger.run import PREDICTED, RunLedger, UnitVerification
from analysis.store import Run

MOST_ROWS = 20
"""Configurations up to which each has a row of its own; more are put together by their energy form."""
MOST_FAULTS = 20
"""Sentences that are printed; the others are counted."""


def counted(number: int) -> str:
    """`12 384`."""
    return f"{number:,}".replace(",", " ")


@dataclass(frozen=True)
class Recorded:
    """What units recorded of their predictions as they ended: `ended` units, `predictions` recomputed and the largest
    difference; units `unlike` any energy that could be recomputed, with their predictions and why; units `missing` a
    record."""

    ended: int
    predictions: int
    largest: float
    unlike: int
    unlike_predictions: int
    why: str
    missing: int


def recorded(run: Run) -> Recorded | None:
    """What the ended units of a run recorded; None for a run without any."""
    units = run.table("units")
    ended = units[units["status"].isin(PREDICTED) & (units["epochs"] > 0)]
    if ended.empty:
        return None
    ledger = run.table("ledger")
    looked = ledger[ledger["recomputed"].notna()]
    unlike = looked[looked["not_recomputed"].notna()]
    return Recorded(
        ended=len(ended),
        predictions=int(looked["recomputed"].sum()),
        largest=float(looked["largest"].max()),
        unlike=len(unlike),
        unlike_predictions=int(unlike["predictions"].sum()),
        why=str(unlike["not_recomputed"].iloc[0]) if len(unlike) else "",
        missing=max(len(ended) - len(looked), 0),
    )


def footer(run: Run) -> Iterator[RenderableType]:
    """What the units of a run recorded of their predictions as they ended; nothing for a run without ended units."""
    known = recorded(run)
    if known is None:
        return
    said = f"recorded at unit end: {counted(known.predictions)} predictions recomputed"
    if known.predictions:
        said += f", largest difference {known.largest:.0e}".replace("e-0", "e-")
    notes = []
    if known.unlike:
        notes.append(
            f"{counted(known.unlike_predictions)} of {known.unlike} units not recomputed: {known.why}"
        )
    if known.missing:
        notes.append(f"{known.missing} of {known.ended} units not verified at their end")
    style = "yellow" if notes else "dim"
    yield Text("; ".join([said, *notes]), style=style)


def verified(run: Run, console: Console) -> list[UnitVerification]:
    """Verify every unit of a run, with progress on a terminal; one by one, in order of their names."""
    columns = (
        TextColumn("verifying"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("units"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        ledger = RunLedger(run)
        progress.update(task, total=len(ledger.units))
        results = []
        for result in ledger.verify():
            results.append(result)
            progress.advance(task)
    return results


def verify_view(results: list[UnitVerification], seconds: float) -> Iterator[RenderableType]:
    """A row per configuration (or per energy form, where there are many), what differs, and the sum of it all."""
    if not results:
        yield Text("no unit of the run has ended with predictions", style="yellow")
        return
    frame = pd.DataFrame(
        {
            "config": result.config,
            "energy": result.form or "?",
            "predictions": result.predictions,
            "recomputed": result.verification.recomputed,
            "largest": result.verification.largest if result.verification.recomputed else np.nan,
            "faults": bool(result.verification.faults),
        }
        for result in results
    )
    by = ["config", "energy"] if frame["config"].nunique() <= MOST_ROWS else ["energy"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for heading in (*(["configuration"] if "config" in by else ["configurations"]), "energy"):
        table.add_column(heading, no_wrap=True)
    for heading in ("units", "predictions", "recomputed", "largest difference", "units with a fault"):
        table.add_column(heading, justify="right", no_wrap=True)
    for _, rows in frame.groupby(by, sort=True):
        largest = rows["largest"].max()
        table.add_row(
            str(rows["config"].iloc[0]) if "config" in by else str(rows["config"].nunique()),
            str(rows["energy"].iloc[0]),
            str(len(rows)),
            counted(int(rows["predictions"].sum())),
            counted(int(rows["recomputed"].sum())),
            "" if np.isnan(largest) else f"{largest:.1e}",
            str(int(rows["faults"].sum())),
            style="bold red" if rows["faults"].any() else "",
        )
    yield table
    yield from _reasons(results)
    yield from _faults(results)
    recomputed = int(frame["recomputed"].sum())
    total = f"{counted(recomputed)} of {counted(int(frame['predictions'].sum()))} predictions recomputed"
    if recomputed:
        total += f", largest difference {frame['largest'].max():.1e}"
    total += f" ({len(results)} units, {seconds:.1f} s"
    total += f", {counted(round(recomputed / seconds))} a second)" if recomputed else ")"
    bad = int(frame["faults"].sum())
    verdict = f"; {bad} of {len(results)} units have a fault" if bad else "; every record agrees with itself"
    yield Text(total + verdict, style="bold red" if bad else "bold")


def _reasons(results: list[UnitVerification]) -> Iterator[RenderableType]:
    """Why predictions were not recomputed, and how many."""
    reasons: dict[str, list[UnitVerification]] = {}
    for result in results:
        if result.verification.why_not is not None:
            reasons.setdefault(result.verification.why_not, []).append(result)
    for reason, rows in reasons.items():
        count = counted(sum(row.predictions for row in rows))
        yield Text(f"not recomputed: {count} predictions of {len(rows)} units: {reason}", style="yellow")


def _faults(results: list[UnitVerification]) -> Iterator[RenderableType]:
    said = [(result.name, text) for result in results for text in result.verification.faults]
    for name, text in said[:MOST_FAULTS]:
        yield Text(f"differs: unit {name}", style="bold red")
        yield Padding(Text(text), (0, 0, 0, 2))
    if len(said) > MOST_FAULTS:
        yield Text(f"and {len(said) - MOST_FAULTS} more", style="bold red")


def print_verification(run: Run, console: Console) -> bool:
    """Verify a run and print what was seen; whether nothing differs."""
    began = time.perf_counter()
    results = verified(run, console)
    for part in verify_view(results, max(time.perf_counter() - began, 1e-9)):
        console.print(part)
    return not any(result.verification.faults for result in results)
