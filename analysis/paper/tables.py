"""The tables of a paper, as text cell by cell; every number comes from the functions that rank and judge effects."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.arm_effects import ArmEffect, arm_effects
from analysis.arms import arms
from analysis.contrasts import AA, contrasts
from analysis.criteria import CRITERIA
from analysis.effects_view import every_unit
from analysis.preregistration import preregistration
from analysis.ranking import Ranking

TIES = {
    "best": "first",
    "equal": "as good",
    "unknown": "not told apart",
    "apart": "of other cell lines",
    "worse": "worse",
    "better": "better on shared units",
}
"""Mark of a row against the first one -> what a reader is told."""


@dataclass(frozen=True)
class PaperTable:
    """A caption, column headings, and rows of cells; the first column is words, the others are numbers but for those in
    `words`. A rule stands before row `rule` (None: nowhere)."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: frozenset[int] = frozenset({0})
    rule: int | None = None


def ranking_table(ranking: Ranking, top: int | None = None) -> PaperTable:
    """Configurations in order of the ranking, then the baselines."""
    by = ranking.by
    others = [each for each in CRITERIA.values() if each.key != by.key]
    shown = ranking.configurations.head(top) if top else ranking.configurations
    rows = []
    for row in shown.to_dict("records"):
        difference = interval(row["difference"], row["difference_low"], row["difference_high"], signed=True)
        verdict = TIES[row["tie"]] + ("" if row["complete"] else " (incomplete)")
        rows.append(
            [
                str(row["label"]),
                str(row["units"]),
                interval(row["value"], row["low"], row["high"]),
                *(number(row[each.key]) for each in others),
                number(row[f"u_{by.key}"]),
                number(row["test_aupr"]),
                "" if row["tie"] == "best" else difference,
                verdict,
            ]
        )
    rule = len(rows)
    for row in ranking.baselines.to_dict("records"):
        figures = [number(row[each.key]) for each in others]
        rows.append(
            [
                f"baseline {row['baseline']}",
                "",
                number(row[by.key]),
                *figures,
                "",
                number(row["test_aupr"]),
                "",
                "",
            ]
        )
    headings = ["configuration", "units", f"{by.label} [95 %]", *(each.label for each in others)]
    headings += ["U_I alone", "test macro AUPR", "gain over the first [95 %]", "against the first"]
    caption = f"Run {ranking.run.name}: {by.label} in unseen validation cell lines, {_of_seeds(shown)}" + (
        f"; the first {len(shown)} of {len(ranking.configurations)}"
        if len(shown) < len(ranking.configurations)
        else ""
    )
    last = len(headings) - 1
    return PaperTable(caption, headings, rows, frozenset({0, last}), rule if len(rows) > rule else None)


def effects_table(ranking: Ranking) -> PaperTable | None:
    """What each arm of an ablation around a base did, by the criterion of the ranking; None of another design."""
    run, by = ranking.run, ranking.by
    families = contrasts(arms(run))
    members = [each for family, some in families.items() if family != AA for each in some]
    if not members:
        return None
    known = preregistration(run)
    registered, rope = len(known.names) if known and not known.tampered else 0, region(ranking)
    units = every_unit(run)
    placebo = arm_effects(run, units, families.get(AA, ()), by, rope)
    effects = arm_effects(run, units, members, by, rope, registered)
    rows = [_effect_row(each) for each in (*effects, *placebo)]
    headings = ["arm", "against", f"change of {by.label} [95 %]", "p (Holm)", "could detect", "verdict"]
    caption = (
        f"Run {run.name}: effects on {by.label} in unseen validation cell lines, paired by fold and seed"
    )
    rule = len(effects) if placebo else None
    return PaperTable(caption, headings, rows, frozenset({0, 1, 5}), rule)


def region(ranking: Ranking) -> float:
    """Half of the width of the region of no effect of arms: as preregistered, else the ranking's."""
    known = preregistration(ranking.run)
    return known.rope if known and not known.tampered else ranking.rope


def number(value: float, digits: int = 3) -> str:
    """Empty for NaN."""
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _of_seeds(rows: pd.DataFrame) -> str:
    """What the numbers are, of how many seeds there are."""
    fewest, most = int(rows["seeds"].min()), int(rows["seeds"].max())
    if most == 1:
        return "of one seed each, which has no interval"
    alone = " (none of one seed)" if fewest == 1 else ""
    return f"mean over seeds with its 95 % t-interval{alone}"


def interval(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """`0.513 [0.480, 0.546]`; the value alone where there is no interval."""
    form = "{:+.3f}" if signed else "{:.3f}"
    value, low, high = (round(each, 3) + 0.0 for each in (value, low, high))  # no minus before 0.000
    if math.isnan(value):
        return ""
    if math.isnan(low):
        return form.format(value)
    return f"{form.format(value)} [{form.format(low)}, {form.format(high)}]"


def _effect_row(each: ArmEffect) -> list[str]:
    mean = each.effect.interval
    p = "" if math.isnan(each.p) else ("< 0.001" if each.p < 0.001 else f"{each.p:.3f}")
    return [
        each.contrast.name,
        each.contrast.reference,
        interval(mean.mean, mean.low, mean.high, signed=True),
        p,
        number(each.detectable),
        each.verdict,
    ]
