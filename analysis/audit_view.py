"""Verdicts of the audits of a run as text: which mechanisms acted, and which did not."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from analysis.counts import counts as count_units
from analysis.labels import short_ids
from analysis.reported import configuration_changes
from analysis.store import Run

GRAVEST = ("broken", "leaking", "inert", "redundant", "drowned", "idle", "rank-invariant", "active")
"""Verdicts, the one that needs a reader most first."""
QUIET_VERDICTS = ("active", "rank-invariant")
"""Verdicts of mechanisms that acted."""
NAMED = 4
"""Configurations that a line names."""
_FATAL = ("broken", "leaking", "inert")
_STYLE = {**dict.fromkeys(_FATAL, "bold red"), "redundant": "yellow", "drowned": "yellow"}


def verdicts(run: Run) -> pd.DataFrame:
    """One row per mechanism: id, mechanism, verdict (the gravest of any unit), configurations that it holds in, of how
    many that have the mechanism, which they are (`configs`), and the reason of one of them; gravest first, empty for a run
    without audits.

    Of a unit what the audit at its end says of the mechanism counts, what the one at its start does where no end was
    asked for it, and from either one what is broken, inert or leaking, and what a batch or a scoring of the run showed.
    """
    return verdicts_of(run.table("audit"))


def verdicts_of(audit: pd.DataFrame) -> pd.DataFrame:
    """As `verdicts`, of these rows of the table `audit`."""
    columns = ["id", "mechanism", "verdict", "configurations", "of", "configs", "reason"]
    if audit.empty:
        return pd.DataFrame(columns=columns)
    asked = ["config", "fold", "seed", "id", "mechanism"]
    ended = audit.groupby(asked)["moment"].transform(lambda moments: (moments == "last").any())
    audit = audit[(audit["moment"] == "last") | ~ended | audit["verdict"].isin(_FATAL)]
    audit = audit.assign(rank=audit["verdict"].map({verdict: k for k, verdict in enumerate(GRAVEST)}))
    rows = []
    for (identity, mechanism), of_mechanism in audit.groupby(["id", "mechanism"]):
        worst = of_mechanism[of_mechanism["rank"] == of_mechanism["rank"].min()]
        rows.append(
            {
                "id": identity,
                "mechanism": mechanism,
                "verdict": worst["verdict"].iloc[0],
                "configurations": worst["config"].nunique(),
                "of": of_mechanism["config"].nunique(),
                "configs": tuple(sorted(set(worst["config"]))),
                "reason": worst["reason"].iloc[0],
                "rank": worst["rank"].iloc[0],
            }
        )
    return pd.DataFrame(rows).sort_values(["rank", "id", "mechanism"])[columns].reset_index(drop=True)


def named_ids(configs: Sequence[str], short: Mapping[str, str]) -> str:
    """`b76c2b, 10c611 and 3 more`: by the beginning of their identities."""
    more = f" and {len(configs) - NAMED} more" if len(configs) > NAMED else ""
    return ", ".join(short[config] for config in configs[:NAMED]) + more


def counted_verdicts(rows: pd.DataFrame) -> str:
    """How many mechanisms of `verdicts` there are of each verdict, in words; contracts and records beside them are none."""
    mechanisms = rows[rows["id"] != "-"]
    counts = mechanisms["verdict"].value_counts()
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in reversed(GRAVEST) if verdict in counts)
    if not said:
        return "no mechanism was judged"
    if len(mechanisms) == 1:
        return f"1 mechanism, by its gravest verdict: {said}"
    return f"{len(mechanisms)} mechanisms, each by its gravest verdict: {said}"


def audit_view(run: Run) -> Iterator[RenderableType]:
    """One line over all mechanisms, then a line for each of them, and for each contract, key or record beside them, that
    is neither active nor rank-invariant; nothing for a run without audits."""
    rows = verdicts(run)
    if rows.empty:
        return
    line = Text("\nAudit", style="bold")
    line.append(f"  {counted_verdicts(rows)}", style="not bold")
    whole, short = count_units(run), short_ids(configuration_changes(run))
    if whole.begun < whole.planned:
        line.append(f"; of what has begun, {whole.begun} of {whole.planned} units", style="not bold")
    yield line
    for row in rows.to_dict("records"):
        if row["verdict"] in ("active", "rank-invariant"):
            continue
        text = Text(f"{row['verdict']} ", style=_STYLE.get(row["verdict"], ""))
        text.append(row["mechanism"] if row["id"] == "-" else f"{row['id']} {row['mechanism']}", style="bold")
        which = f" ({named_ids(row['configs'], short)})" if row["configurations"] < row["of"] else ""
        text.append(
            f"  in {row['configurations']} of {row['of']} configurations that have it{which}: {row['reason']}"
        )
        yield Padding(text, (0, 0, 0, 2))
