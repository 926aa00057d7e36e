"""What the record of a confirmation says of the selection, against what the selection's own store gives."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pandas as pd

from analysis.arms import arm_labels
from analysis.balance import common_to_seeds
from analysis.confirmation.record import ChoiceRecord
from analysis.confirmation.seal import FILE
from analysis.criteria import Criterion
from analysis.ranking import baselines_of
from analysis.reported import configuration_changes, reported_units
from analysis.store import KEYS, Run

CHANGED = "one of the two was changed after the fact"
SECOND = pd.Timedelta(seconds=1)
"""What the moment of a record is cut to."""


def differences(run: Run, record: ChoiceRecord, by: Criterion, names: Mapping[str, str]) -> Iterator[str]:
    """Sentences where the store gives a candidate another name (`names`: `labels_then`) or number than the record, or the
    selection another best baseline; of a number where there are as many seeds and folds as then."""
    yield from _of_names(record, names)
    yield from _of_values(run, record, by)
    yield from _of_baseline(run, record, by)


def labels_then(run: Run, record: ChoiceRecord) -> dict[str, str]:
    """Configuration -> its name among those of which a unit had ended when the choice was recorded (where nothing says
    which, among all), as a ranking of that moment named it."""
    known = reported_units(run)
    moment = pd.to_datetime(record.chosen, utc=True, errors="coerce")
    if isinstance(moment, pd.Timestamp):
        ended = known.merge(run.table("units")[[*KEYS, "finished"]], on=KEYS)
        early = ended[pd.to_datetime(ended["finished"], utc=True) < moment + SECOND]
        known = early if set(early["config"]) >= record.configs else known
    names = arm_labels(run, configuration_changes(run), known["config"].unique())
    several = Counter(names[each] for each in record.configs if each in names)
    return {config: name if several[name] <= 1 else f"{name} ({config})" for config, name in names.items()}


def _of_names(record: ChoiceRecord, names: Mapping[str, str]) -> Iterator[str]:
    for each in record.candidates:
        name = names.get(each.config)
        if name is not None and name != each.label:
            yield f"{FILE} calls {each.config} {each.label}, and by its settings it is {name}: {CHANGED}"


def _of_values(run: Run, record: ChoiceRecord, by: Criterion) -> Iterator[str]:
    units = reported_units(run)
    units = units[units[by.key].notna()]
    units = units[common_to_seeds(units, ["fold"], ["config"])]
    for each in record.candidates:
        part = units[units["config"] == each.config]
        means = part.groupby("seed")[by.key].mean()
        same = len(means) == each.seeds and part["fold"].nunique() == len(record.selected_on)
        if same and abs(means.mean() - each.value) > 1e-9:
            yield (
                f"{FILE} says that {each.label} had {each.value:.4f} when it was chosen, and the units that it was chosen "
                f"by have {means.mean():.4f}: {CHANGED}"
            )


def _of_baseline(run: Run, record: ChoiceRecord, by: Criterion) -> Iterator[str]:
    rows = baselines_of(run, by)
    rows = rows[rows[by.key].notna() & (rows["folds"] == len(record.selected_on))]
    if rows.empty:
        return
    best, value = str(rows["baseline"].iloc[0]), float(rows[by.key].iloc[0])
    told = record.baseline_value
    if not record.baseline or told is None:
        at = f"{best} with {value:.4f}"
        yield f"{FILE} names no baseline, and the selection has {at}: it was computed since, or {CHANGED}"
    elif record.baseline != best:
        yield f"{FILE} names {record.baseline} as the best baseline, and that of the selection is {best}: {CHANGED}"
    elif abs(told - value) > 1e-9:
        yield f"{FILE} says that baseline {best} had {told:.4f}, and the selection's own has {value:.4f}: {CHANGED}"
