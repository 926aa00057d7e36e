"""A configuration of a run by what a person writes for it: its identity, the beginning of it, or a name that is shown."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from analysis.arms import arm_labels, arms
from analysis.errors import UserError, nearest, shorten
from analysis.labels import settings_text, short_ids, stands_for
from analysis.language import LANGUAGES, catalogue
from analysis.reported import configuration_changes
from analysis.store import Run

LISTED = 4
"""Configurations that an error names."""
_SHOWN = re.compile(r"\A#?\d+[=~+!✗]*\s+(?=\S)")
"""A rank before a name, as tables have it."""
_CUT = re.compile(r"(.*?)(?:(?:…|\.\.\.)\s*([0-9a-f]{4,})|\(([0-9a-f]{4,})\))", re.DOTALL)
"""A name, and behind it the identity, or the beginning of that."""


def chosen(run: Run, text: str) -> str:
    """The identity of the one configuration that has begun and that `text` stands for.

    In order: its identity; the name that is shown for it, of its arm or by what differs (`energy=gated`); the beginning of
    its identity; settings that it alone has; its name in another language, with its rank, or cut.

    Raises
    ------
    UserError
        for none (the nearest names are said) and for several (all are, with their identities).
    """
    changes, text = configuration_changes(run), text.strip()
    if text in changes:
        return text
    if not changes:
        raise UserError(f"{run.path}: no configuration has begun, {run.without_units()}")
    names = arm_labels(run, changes, changes)
    for among in _ways(names, changes):
        matching = among(text) if text else []
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise UserError(_several(text, matching, names))
    raise UserError(_none(run, text, changes, names))


def _ways(
    names: Mapping[str, str], changes: Mapping[str, Mapping[str, Any]]
) -> Sequence[Callable[[str], list[str]]]:
    """Ways to read a text, each giving the configurations that it stands for; the first that gives any decides."""

    def named(text: str) -> list[str]:
        return [config for config, name in names.items() if text in (name, _bare(name))]

    def beginning(text: str) -> list[str]:
        return [config for config in changes if config.startswith(text)]

    def settings(text: str) -> list[str]:
        asked = settings_text(text)
        return [config for config, change in changes.items() if asked and stands_for(asked, change)]

    def translated(text: str) -> list[str]:
        spoken = [words for words in map(catalogue, LANGUAGES) if words is not None]
        return [config for config, name in names.items() if text in (words(name) for words in spoken)]

    def as_shown(text: str) -> list[str]:
        """Without the rank in front; of a name that was cut by the beginning of the identity behind, of which what is
        left of the name has to be true."""
        rest = _SHOWN.sub("", text, count=1)
        cut = _CUT.fullmatch(rest)
        if cut:
            left = settings_text(cut[1].rstrip(", "))
            return [config for config in beginning(cut[2] or cut[3]) if stands_for(left, changes[config])]
        return (named(rest) or settings(rest)) if rest != text else []

    return named, beginning, settings, translated, as_shown


def _bare(name: str) -> str:
    """A name without what is said of it in brackets behind, as of one that is cached."""
    return re.sub(r" \[[^\]]*\]$", "", name)


def _several(text: str, matching: Sequence[str], names: Mapping[str, str]) -> str:
    return f"'{shorten(text)}' stands for {len(matching)} configurations: {_listed(matching, names)}; give more of it"


def _listed(configs: Iterable[str], names: Mapping[str, str]) -> str:
    """`b76c2b (energy=gated); 10c611 (energy=linear) and 3 more`."""
    every, short = list(configs), short_ids(names)
    more = f" and {len(every) - LISTED} more" if len(every) > LISTED else ""
    return "; ".join(f"{short[config]} ({names[config]})" for config in every[:LISTED]) + more


def _none(run: Run, text: str, changes: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> str:
    planned = {str(entry["id"]): str(entry.get("arm") or "") for entry in run.plan().get("configs", [])}
    waiting = [config for config in planned if config not in changes]
    if any(text and (config.startswith(text) or planned[config] == text) for config in waiting):
        return f"{run.path}: configuration '{shorten(text)}' has not begun"
    known = [*dict.fromkeys(arm.name for arm in arms(run).values()), *names.values(), *changes]
    return f"{run.path} has no configuration '{shorten(text)}'{nearest(text, known)} (it has {_listed(changes, names)})"
