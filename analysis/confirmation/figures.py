"""What a confirmation says: the numbers on test beside those that the selection saw."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from scipy.special import stdtrit

from analysis.completeness import completeness
from analysis.confirmation.agreement import disagreements
from analysis.confirmation.differences import differences, labels_then
from analysis.confirmation.record import Candidate, ChoiceRecord, confirmation_of, read_record
from analysis.criteria import CRITERIA, Criterion
from analysis.intervals import Interval, t_interval
from analysis.reported import reported_units
from analysis.store import KEYS, Run

NAN = float("nan")


@dataclass(frozen=True)
class Confirmation:
    """What was chosen, and what came of it on fresh seeds and on a fold that selection did not use.

    `rows`, the winner first: config, confirmed_as, role (winner, tie), label; `selected` (what the selection saw) with
    selected_low and selected_high; `again`, the mean on val_unseen of the new fold; `confirmed`, that on its test split,
    with low and high (t over fresh seeds); seeds, planned, lacking (words); `optimism` = selected - confirmed, turned so
    that positive means that the selection flattered, with low and high (Welch's t over the seeds of both); `over_baseline`
    (positive: better) and `behind_winner`, each with low and high, and `tie` (verdict of the paired difference to the
    winner). `baseline` has selected, again, confirmed and optimism. All but what the selection saw is NaN until the test
    split is opened. `differences`: where the selection's own store gives another name or number than the record, in
    sentences.
    """

    record: ChoiceRecord
    by: Criterion
    rows: pd.DataFrame
    baseline: Mapping[str, float]
    differences: tuple[str, ...] = ()

    @property
    def opened(self) -> bool:
        return self.record.opened is not None

    @property
    def winner(self) -> pd.Series:
        return self.rows.iloc[0]


def confirmation(run: Run, rope: float) -> Confirmation | None:
    """The confirmation of a run's selection; None where there is none, or none that can be relied on (said in the run's
    problems). Numbers on test are read once it was opened."""
    inner, record = known_record(run)
    if inner is None or record is None:
        return None
    by = CRITERIA[record.criterion]
    opened = record.opened is not None
    strange = list(disagreements(run, inner, record)) if opened else []
    if strange:
        said = [f"{inner.path.name}/{each}" for each in strange]
        run.problems += [each for each in said if each not in run.problems]
        run.lost += [each for each in said if each not in run.lost]
        return None
    tested = _by_seed(inner, by, "test") if opened else {}
    again = _by_seed(inner, by, "val_unseen") if opened else {}
    states = completeness(inner, _with_values(inner)) if opened else {}
    baseline = _baseline(inner, record, by)
    winner = tested.get(record.winner.confirmed_as, pd.Series(dtype=float))
    labels = labels_then(run, record)
    rows = []
    for each in record.candidates:
        values = tested.get(each.confirmed_as, pd.Series(dtype=float))
        interval = t_interval(values.to_numpy())
        over = t_interval([by.gain(value - baseline["confirmed"]) for value in values])
        gain = t_interval((values - winner).dropna().map(by.gain).to_numpy())
        optimism = flattered(each, interval, by)
        state = states.get(each.confirmed_as)
        rows.append(
            {
                "config": each.config,
                "confirmed_as": each.confirmed_as,
                "role": each.role,
                "label": labels.get(each.config, each.config),
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
                "optimism": optimism.mean,
                "optimism_low": optimism.low,
                "optimism_high": optimism.high,
                "over_baseline": over.mean,
                "over_baseline_low": over.low,
                "over_baseline_high": over.high,
                "behind_winner": -gain.mean if each.role == "tie" else NAN,
                "behind_winner_low": -gain.high if each.role == "tie" else NAN,
                "behind_winner_high": -gain.low if each.role == "tie" else NAN,
                "tie": gain.verdict(rope) if each.role == "tie" else "winner",
            }
        )
    return Confirmation(record, by, pd.DataFrame(rows), baseline, tuple(differences(run, record, by, labels)))


def known_record(run: Run) -> tuple[Run | None, ChoiceRecord | None]:
    """The confirmation of a run and its record; what is wrong with it is said once in the run's problems."""
    inner = confirmation_of(run)
    record = read_record(inner) if inner is not None else None
    if inner is not None:
        for mine, its in ((run.problems, inner.problems), (run.lost, inner.lost)):
            said = (f"{inner.path.name}/{problem}" for problem in its)
            mine.extend(problem for problem in said if problem not in mine)
    return inner, record


def flattered(chosen: Candidate, confirmed: Interval, by: Criterion) -> Interval:
    """Optimism = chosen - confirmed, positive where the selection flattered, with Welch's t-interval at 95 %: the seeds of
    the two are independent, and differ in number and spread. NaN without two seeds on either side.

    It covers chance between seeds alone, not other pairs; and chance has part in the choice, so that it is no test of it.
    """
    mean = by.gain(chosen.value - confirmed.mean)
    if chosen.low is None or chosen.high is None or not confirmed.n > 1:
        return Interval(mean, NAN, NAN, NAN, confirmed.n)
    degrees = (chosen.seeds - 1, confirmed.n - 1)
    half = (chosen.high - chosen.low) / 2, (confirmed.high - confirmed.low) / 2
    parts = [(width / stdtrit(free, 0.975)) ** 2 for width, free in zip(half, degrees, strict=True)]
    variance = sum(parts)
    if variance == 0.0:
        return Interval(mean, mean, mean, 0.0, confirmed.n)
    free = variance**2 / sum(part**2 / each for part, each in zip(parts, degrees, strict=True))
    width = float(stdtrit(free, 0.975)) * variance**0.5
    return Interval(mean, mean - width, mean + width, variance**0.5, confirmed.n)


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
