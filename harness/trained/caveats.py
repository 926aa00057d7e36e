"""What speaks against the scores of a configuration, wherever its weights are used or given away."""

from collections.abc import Iterator

import pandas as pd

from analysis.audit_view import verdicts_of
from analysis.criteria import criterion_of
from analysis.errors import UserError
from analysis.flags import by_rule
from analysis.output import counted, printable
from analysis.ranking import Ranking, rank
from analysis.reported import stopped_by_audit
from analysis.rules import RULES
from analysis.store import Run

HEALTHY = ("active", "rank-invariant", "idle")
"""Verdicts of the audit that nobody has to be warned of."""


def caveats(run: Run, config: str) -> list[str]:
    """A sentence for every fault (a collapse among them), what the audit stopped or accused, and baselines that order pairs
    better than this configuration; by the functions that rank. Each is one line, whatever an error said."""
    return [printable(sentence) for sentence in _sentences(run, config)]


def _sentences(run: Run, config: str) -> Iterator[str]:
    yield from _stopped(run, config)
    objective = str(run.plan().get("objective", ""))
    try:
        ranking = rank(run, criterion_of(objective).key)
    except UserError as error:
        yield from _accused(run, config)
        yield f"{config} cannot be judged: {error}"
        return
    faults = ranking.findings[
        (ranking.findings["config"] == config) & (ranking.findings["severity"] == "fault")
    ]
    yield from _faults(faults)
    yield from _accused(run, config)
    yield from _below(ranking, config)


def _faults(findings: pd.DataFrame) -> Iterator[str]:
    for row in by_rule(findings).to_dict("records"):
        rule = RULES.get(row["rule"])
        meaning = f" ({rule.condition_text})" if rule is not None else ""
        implied = ", implied by data or sizes" if row["implied"] else ""
        yield (
            f"fault {row['rule']}{meaning} in {counted(row['units'], 'unit')}: worst {row['value']:.3g}, limit "
            f"{row['limit']:.3g}{implied}"
        )


def _stopped(run: Run, config: str) -> Iterator[str]:
    stopped = stopped_by_audit(run)
    for reason, units in stopped[stopped["config"] == config].groupby("reason", sort=False):
        yield f"{counted(len(units), 'unit')} of it stopped, in no figure: {reason}"


def _accused(run: Run, config: str) -> Iterator[str]:
    audit = run.table("audit")
    rows = verdicts_of(audit[audit["config"] == config])
    accused = rows[~rows["verdict"].isin(HEALTHY)]
    if len(accused):
        each = zip(accused["verdict"], accused["mechanism"], strict=True)
        yield f"audit: {', '.join(f'{verdict} {mechanism}' for verdict, mechanism in each)}"


def _below(ranking: Ranking, config: str) -> Iterator[str]:
    by, rows = ranking.by, ranking.configurations
    mine = rows.loc[rows["config"] == config, "value"]
    if mine.empty:
        yield f"no unit of it has a {by.label} on val_unseen"
        return
    value = float(mine.iloc[0])
    above = [row for row in ranking.baselines.to_dict("records") if by.gain(float(row[by.key]) - value) >= 0]
    if above:
        more = f", and {counted(len(above) - 1, 'baseline')} more" if len(above) > 1 else ""
        yield (
            f"not above the data's baselines: {by.label} {value:.3f} on val_unseen, {above[0]['baseline']} "
            f"{above[0][by.key]:.3f}{more}"
        )
