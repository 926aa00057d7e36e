"""How Student and Opportunist stood against each other at the end of a run, per configuration."""

from collections.abc import Iterator

import pandas as pd
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.errors import UserError
from analysis.intervals import t_interval
from analysis.labels import labels
from analysis.reported import configuration_changes
from analysis.store import Run

LEGEND = (
    "acted, pulled: share of a cell line's late episodes in which push-away and pull-in were not 0",
    "advantage: nats that the Opportunist gains by telling cell lines apart, less what the Student does",
    "unseen: the same by an Opportunist that never learnt the cell line: no shortcut, but a feature",
    "rho: L_S / L_O, smallest to largest of the cell lines; above 1, the Opportunist is ahead",
)


def competitions(run: Run) -> pd.DataFrame:
    """One row per configuration with a competition, by name: configuration, seeds, and of the last epoch of every unit,
    as means over cell lines, then over seeds and folds: acted, pulled (0 to 1), advantage, advantage_unseen
    (Interval over units, nats), rho_low, rho_high (smallest and largest cell line).

    Raises UserError for a run in which nothing competed.
    """
    reports = run.table("reports")
    reports = reports[reports["term"] == "competition"]
    if reports.empty:
        raise UserError(
            f"{run.path}: nothing competed in this run; expected configurations with loss.competition.weight above 0"
        )
    units = ["config", "fold", "seed"]
    reports = reports[reports["epoch"] == reports.groupby(units)["epoch"].transform("max")]
    last = reports.pivot_table(index=[*units, "cell_line"], columns="name", values="value").reset_index()
    names = labels(configuration_changes(run))
    rows = []
    for config, lines in last.groupby("config"):
        means = lines.groupby(["fold", "seed"])[["acted", "pulled", "advantage", "advantage_unseen"]].mean()
        rows.append(
            {
                "configuration": names[str(config)],
                "seeds": lines["seed"].nunique(),
                "acted": means["acted"].mean(),
                "pulled": means["pulled"].mean(),
                "advantage": t_interval(means["advantage"]),
                "advantage_unseen": t_interval(means["advantage_unseen"]),
                "rho_low": lines["rho"].min(),
                "rho_high": lines["rho"].max(),
            }
        )
    return pd.DataFrame(rows).sort_values("configuration").reset_index(drop=True)


def competition_view(run: Run) -> Iterator[RenderableType]:
    """A line per configuration, and what the columns mean."""
    rows = competitions(run)
    yield Text(f"\nCompetition in {run.name}, last epoch", style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("configuration", overflow="fold")
    for heading in ("seeds", "acted", "pulled", "advantage", "95 % interval", "unseen", "rho"):
        table.add_column(heading, justify="right", no_wrap=True)
    intervals = zip(rows["advantage"], rows["advantage_unseen"], strict=True)
    for row, (advantage, unseen) in zip(rows.itertuples(), intervals, strict=True):
        table.add_row(
            Text(str(row.configuration)),
            str(row.seeds),
            f"{row.acted:.0%}",
            f"{row.pulled:.0%}",
            f"{advantage.mean:+.4f}",
            f"{advantage.low:+.4f} to {advantage.high:+.4f}" if advantage.n > 1 else "",
            f"{unseen.mean:+.4f}",
            f"{row.rho_low:.2f} to {row.rho_high:.2f}",
        )
    yield table
    for line in LEGEND:
        yield Text(line, style="dim")
