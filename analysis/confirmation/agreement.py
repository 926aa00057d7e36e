"""What the record of a confirmation says against what its units, and those of the selection, keep."""

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.completeness import asked_of_each
from analysis.confirmation.record import ChoiceRecord
from analysis.confirmation.seal import FILE
from analysis.store import Run


def disagreements(run: Run, inner: Run, record: ChoiceRecord) -> Iterator[str]:
    """Why an opened record cannot be that of the confirmation `inner` of a run: roles, seeds or
    configurations are not those that its units have.
    """
    roles = [each.role for each in record.candidates]
    if roles[0] != "winner" or set(roles[1:]) - {"tie"}:
        yield f"{FILE} does not begin with one winner"
    opened = record.opened.configurations if record.opened is not None else ()
    if sorted(opened) != sorted(each.config for each in record.candidates):
        yield f"{FILE} names other configurations than those that its test split was opened for"
    units, asked = inner.table("units"), asked_of_each(inner)
    for each in record.candidates:
        of_it = units[units["config"] == each.confirmed_as]
        # Units of an earlier choice, of other seeds or on another fold, are in no number.
        there = len(asked & set(zip(of_it["fold"].tolist(), of_it["seed"].tolist(), strict=True)))
        if there != record.seeds:
            yield f"{FILE} says that {each.label} was run again with {record.seeds} seeds, and {there} are there"
    chosen, again = _settings(run.table("units")), _settings(units)
    for each in record.candidates:
        if chosen.get(each.config) != again.get(each.confirmed_as):
            yield f"{FILE} says that {each.config} was run again as {each.confirmed_as}, which is another configuration"


def _settings(units: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Identity -> the configuration that its units keep, apart from what its random streams are called."""
    if units.empty:
        return {}
    first = units.drop_duplicates("config")
    settings = {
        str(config): json.loads(text)
        for config, text in zip(first["config"], first["config_json"], strict=True)
    }
    return {config: {**content, "streams": ""} for config, content in settings.items()}
