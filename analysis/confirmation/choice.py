"""What of a ranking is confirmed, and on how many seeds."""

import math

from analysis.arms import arms
from analysis.confirmation.record import Candidate
from analysis.criteria import Criterion
from analysis.errors import UserError
from analysis.intervals import t_interval
from analysis.power import DEFAULT_SD, detectable, seeds_for_difference
from analysis.ranking import Ranking
from analysis.reported import reported_units

FEWEST, MOST = 10, 30
"""Seeds of a confirmation. More than the latter resolve what new loci move anyway: 0.010 to 0.025 of AUPR on real pairs."""
TIED = ("best", "equal", "unknown", "better")
"""Marks of rows that nothing tells from the best."""
PLACEBO = "placebo"
"""How the family of an arm ends that is a control, and nothing that anybody would choose."""


def candidates(ranking: Ranking) -> tuple[Candidate, ...]:
    """The winner first, then every tie in the order of the ranking; without placebos, and without what is incomplete.

    Raises
    ------
    UserError
        where no configuration has finished all of its units.
    """
    planned = arms(ranking.run)
    rows = ranking.configurations
    whole = rows[rows["complete"] & rows["tie"].isin(TIED)].to_dict("records")
    controls = {config for config, arm in planned.items() if arm.family.endswith(PLACEBO)}
    taken = [row for row in whole if row["config"] not in controls]
    if not taken:
        raise UserError(
            f"{ranking.run.path}: no configuration has finished all of its units, so that there is nothing to confirm"
        )
    labels = [row["label"] for row in taken]
    return tuple(
        Candidate(
            config=str(row["config"]),
            confirmed_as="",
            role="tie" if number else "winner",
            label=str(row["label"])
            if labels.count(row["label"]) == 1
            else f"{row['label']} ({row['config']})",
            value=float(row["value"]),
            low=_known(row["low"]),
            high=_known(row["high"]),
            seeds=int(row["seeds"]),
        )
        for number, row in enumerate(taken)
    )


def best_baseline(ranking: Ranking) -> tuple[str, float | None]:
    """Name and value of the best baseline by the ranking's criterion; an empty name where there is none."""
    rows = ranking.baselines
    rows = rows[rows[ranking.by.key].notna()] if len(rows) else rows
    return (str(rows["baseline"].iloc[0]), float(rows[ranking.by.key].iloc[0])) if len(rows) else ("", None)


def seeds_to_confirm(ranking: Ranking) -> tuple[int, str]:
    """How many fresh seeds the winner's lead over the best baseline takes (80 % power, two-sided t at 5 %, by the spread
    of its seeds in the selection), from 10 to 30; and the reason in a sentence."""
    winner, (name, base) = candidates(ranking)[0], best_baseline(ranking)
    if base is None:
        return FEWEST, f"{FEWEST} seeds: there is no baseline to be told from"
    lead = ranking.by.gain(winner.value - base)
    sd = spread_of(ranking, winner.config)
    if lead < ranking.rope:
        said = "is not ahead of" if lead <= 0 else f"is ahead by less than ±{ranking.rope:g} of"
        return (
            FEWEST,
            f"{FEWEST} seeds: what was chosen {said} baseline {name}, and no number of seeds is asked for",
        )
    needed = seeds_for_difference(sd, lead)
    seeds = min(max(FEWEST, needed or MOST), MOST)
    if needed is None or needed > MOST:
        takes = "no number of seeds" if needed is None else f"{needed} seeds"
        return seeds, (
            f"{seeds} seeds, the most: to find a lead of {lead:.3g} over baseline {name} with 80 % power takes {takes} at "
            f"a spread of {sd:.3g}, and {seeds} find one of {detectable(sd, seeds):.3g}"
        )
    return seeds, (
        f"{seeds} seeds{', the fewest' if seeds > needed else ''}: to find a lead of {lead:.3g} over baseline {name} with "
        f"80 % power takes {needed} at a spread of {sd:.3g}"
    )


def spread_of(ranking: Ranking, config: str) -> float:
    """SD over seeds of a configuration in the selection; that of real pairs (AUPR) or NaN where it has one seed."""
    units = reported_units(ranking.run)
    means = units[units["config"] == config].groupby("seed")[ranking.by.key].mean()
    sd = t_interval(means.to_numpy()).sd
    return sd if math.isfinite(sd) else _usual(ranking.by)


def _usual(by: Criterion) -> float:
    return DEFAULT_SD if by.higher_is_better else math.nan


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
