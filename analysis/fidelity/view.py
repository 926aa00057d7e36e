"""What a ranking says of a screen: that rows are cached, what was not screened, and whether the order is to be trusted."""

import math
from collections.abc import Iterator

import pandas as pd

from analysis.fidelity.agreement import Agreement
from analysis.fidelity.record import SCREEN, FidelityRecord, read_fidelity, read_trust
from analysis.output import counted
from analysis.store import Run

MARK = "cached"
"""What a row says that was trained on cached features."""


def cached_configs(run: Run) -> frozenset[str]:
    """Configurations of a run that were trained on cached features."""
    units = run.table("units")
    return frozenset(units.loc[units["features"].notna(), "config"].astype(str))


def design_of(run: Run) -> str:
    """The design that a person asked for: of what a screen has promoted, which runs as a grid, the search that screened;
    empty without a plan."""
    record = read_fidelity(run)
    return "search" if record is not None and record.promoted else str(run.plan().get("design") or "")


def fidelity_sentences(run: Run) -> Iterator[str]:
    """In order: what the numbers are of, what was not screened, and whether the screen is trusted; nothing of a run that
    was trained in full without a screen."""
    cached, record = cached_configs(run), read_fidelity(run)
    if cached:
        yield (
            f"{MARK}: trained behind a frozen sequence side, that of the base after full training: these numbers are no "
            "results of full training, and are compared with none"
        )
        yield from _mixed(run)
        yield from _unscreened(record)
        yield trust_sentence(run, record)
    elif record is not None and record.promoted:
        screen = Run(run.path / SCREEN)
        held = read_fidelity(screen)
        yield (
            f"promoted: {record.promoted} of {counted(record.of, 'configuration')} of the screen in "
            f"{run.path.name}/{SCREEN}, trained in full here"
        )
        yield from _unscreened(record)
        yield trust_sentence(screen, held)


def trust_sentence(run: Run, record: FidelityRecord | None) -> str:
    """Whether the ranking of a screen is to be believed."""
    trust = read_trust(run)
    if trust is None:
        return "screen unvalidated: nobody has compared it with full training (python -m harness.sweep YAML --trust)"
    if record is None or trust.key != record.key:
        return (
            "screen unvalidated: the comparison with full training that lies beside it is of another space, other data or "
            "other code"
        )
    figures = (
        f"rank correlation with full training {_span(trust.screened)} over "
        f"{counted(trust.screened.count, 'configuration')}, of full training with itself on other seeds "
        f"{_span(trust.ceiling)}"
    )
    held = f"of the best {trust.best} by full training it promotes {trust.held:.0%}"
    faults = trust.faults
    parts = [*faults, figures, *([] if any(held in fault for fault in faults) else [held])]
    return f"screen {'not trusted' if faults else 'trusted'}: {'; '.join(parts)}"


def _unscreened(record: FidelityRecord | None) -> Iterator[str]:
    if record is not None and record.not_screened:
        yield (
            "not screened but held at the base's value, since they reach the sequence side alone: "
            + ", ".join(record.not_screened)
        )
    if record is not None and record.resting:
        yield f"at rest behind the frozen side, which they have trained: {', '.join(record.resting)}"


def _mixed(run: Run) -> Iterator[str]:
    units = run.table("units")
    kept: pd.DataFrame = units[units["features"].notna()]
    several = kept.groupby(["fold", "seed"])["features"].nunique()
    if (several > 1).any():
        yield (
            "mixed: cached units of one fold and seed were trained on different features, so that their differences are of "
            "the frozen sides too"
        )


def _span(each: Agreement) -> str:
    if math.isnan(each.rho):
        return "unknown (one ordering is constant)"
    return f"{each.rho:.2f} (95 % {each.low:.2f} to {each.high:.2f})"
