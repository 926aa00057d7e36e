"""What a record says against what the confirmation itself keeps: its plan, its units, and the plan of the selection."""

from collections.abc import Iterator, Mapping
from typing import Any

from analysis.confirmation.record import ChoiceRecord
from analysis.confirmation.seal import FILE
from analysis.store import Run


def disagreements(run: Run, inner: Run, record: ChoiceRecord) -> Iterator[str]:
    """Why an opened record cannot be that of the confirmation `inner` of a run: roles and configurations that are not those
    of the two plans, or other units than those that the test split was opened with. Runs without a plan are imported, and
    nothing is held against them.
    """
    roles = [each.role for each in record.candidates]
    if roles[0] != "winner" or set(roles[1:]) - {"tie"}:
        yield f"{FILE} does not begin with one winner"
    plans = [_configurations(each) for each in (run, inner)]
    if not all(plans):
        return
    chosen, again = plans
    opened = record.opened.configurations if record.opened is not None else ()
    if sorted(opened) != sorted(each.config for each in record.candidates):
        yield f"{FILE} names other configurations than those that its test split was opened for"
        return
    units = inner.table("units")
    for each in record.candidates:
        if _apart_from_streams(chosen.get(each.config)) != _apart_from_streams(again.get(each.confirmed_as)):
            yield f"{FILE} says that {each.config} was run again as {each.confirmed_as}, which is another configuration"
        there = 0 if units.empty else int((units["config"] == each.confirmed_as).sum())
        if there != record.seeds:
            yield f"{FILE} says that {each.label} was run again with {record.seeds} seeds, and {there} are there"


def _configurations(run: Run) -> dict[str, Mapping[str, Any]]:
    """Identity -> configuration, as planned; empty without a plan."""
    configs = (run.document("plan.json") or {}).get("configs", [])
    return {str(each["id"]): each["config"] for each in configs}


def _apart_from_streams(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if config is None else {name: value for name, value in config.items() if name != "streams"}
