"""What a confirmation says: the numbers on test beside those that the selection saw."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.completeness import completeness
from analysis.confirmation.record import ChoiceRecord, confirmation_of, read_record
from analysis.criteria import CRITERIA, Criterion
from analysis.intervals import t_interval
from analysis.reported import reported_units
from analysis.store import KEYS, Run

NAN = float("nan")


@dataclass(frozen=True)
class Confirmation:
    """What was chosen, and what came of it on fresh seeds and on a fold that selection did not use.

    `rows`, the winner first: config, confirmed_as, role (winner, tie), label; `selected` (what the selection saw) with
    selected_low and selected_high; `again`, the mean on val_unseen of the new fold; `confirmed`, that on its test split,
    with low and high (t over fresh seeds); seeds, planned, lacking (words); `optimism` = selected - confirmed, turned so
    that positive means that the selection flattered; `over_baseline` (positive: better) and `behind_winner`, each with
    low and high, and `tie` (verdict of the paired difference to the winner). `baseline` has selected, again, confirmed and
    optimism. All but what the selection saw is NaN until the test split is opened.
    """

    record: ChoiceRecord
    by: Criterion
    rows: pd.DataFrame
    baseline: Mapping[str, float]

    @property
    def opened(self) -> bool:
        return self.record.opened is not None

    @property
    def winner(self) -> pd.Series:
        return self.rows.iloc[0]


def confirmation(run: Run, rope: float) -> Confirmation | None:
    """The confirmation of a run's selection; None where there is none. Numbers on test are read once it was opened."""
    inner = confirmation_of(run)
    record = read_record(inner) if inner is not None else None
    if inner is not None:
        run.problems.extend(f"{inner.path.name}/{problem}" for problem in inner.problems)
    if inner is None or record is None:
        return None
    by = CRITERIA[record.criterion]
    opened = record.opened is not None
    tested = _by_seed(inner, by, "test") if opened else {}
    again = _by_seed(inner, by, "val_unseen") if opened else {}
    states = completeness(inner, _with_values(inner)) if opened else {}
    baseline = _baseline(inner, record, by)
    winner = tested.get(record.winner.confirmed_as, pd.Series(dtype=float))
    rows = []
    for each in record.candidates:
        values = tested.get(each.confirmed_as, pd.Series(dtype=float))
        interval = t_interval(values.to_numpy())
        over = t_interval([by.gain(value - baseline["confirmed"]) for value in values])
        gain = t_interval((values - winner).dropna().map(by.gain).to_numpy())
        state = states.get(each.confirmed_as)
        rows.append(
            {
                "config": each.config,
                "confirmed_as": each.confirmed_as,
                "role": each.role,
                "label": each.label,
                "selected": each.value,
                "selected_low": NAN if each.low is None else each.low,
                "selected_high": NAN if each.high is None else each.high,
                "again": float(again[each.confirmed_as].mean()) if each.confirmed_as in again else NAN,
                "confirmed": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "seeds": interval.n,
                "planned": record.seeds,
                "lacking": state.describe() if state is not None else "",
                "optimism": by.gain(each.value - interval.mean),
                "over_baseline": over.mean,
                "over_baseline_low": over.low,
                "over_baseline_high": over.high,
                "behind_winner": -gain.mean if each.role == "tie" else NAN,
                "behind_winner_low": -gain.high if each.role == "tie" else NAN,
                "behind_winner_high": -gain.low if each.role == "tie" else NAN,
                "tie": gain.verdict(rope) if each.role == "tie" else "winner",
            }
        )
    return Confirmation(record, by, pd.DataFrame(rows), baseline)


def _by_seed(inner: Run, by: Criterion, split: str) -> dict[str, pd.Series]:
    """Configuration -> its values [seeds] on a split of the one fold."""
    units = reported_units(inner, split)
    units = units[units[by.key].notna()]
    return {
        str(config): part.set_index("seed")[by.key].sort_index() for config, part in units.groupby("config")
    }


def _with_values(inner: Run) -> set[tuple[str, str, int]]:
    units = reported_units(inner, "test")
    units = units[units["aupr"].notna()]
    return set(zip(*(units[key].tolist() for key in KEYS), strict=True))


def _baseline(inner: Run, record: ChoiceRecord, by: Criterion) -> dict[str, float]:
    """The best baseline of the selection, computed anew on the new fold; it has no seed."""
    numbers = {"selected": NAN if record.baseline_value is None else record.baseline_value}
    rows = inner.table("baselines") if record.opened is not None else pd.DataFrame()
    for key, split in (("again", "val_unseen"), ("confirmed", "test")):
        numbers[key] = NAN
        if len(rows):
            chosen = rows[(rows["baseline"] == record.baseline) & (rows["split"] == split)]
            numbers[key] = float(chosen.loc[chosen["cell_line"] == by.cell_line, by.column].mean())
    return {**numbers, "optimism": by.gain(numbers["selected"] - numbers["confirmed"])}
