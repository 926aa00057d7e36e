"""The warning rules by name. A rule enters itself, from this package or from a person's own file."""

import re
from collections.abc import Iterable
from typing import TypeVar

from analysis.errors import UserError, nearest
from analysis.rules.rule import SEVERITIES, Rule

RULES: dict[str, Rule] = {}
"""Rule id -> rule, by `order`, then as they were entered."""
LIMITS: dict[str, float] = {}
"""Name of every limit -> default: the rule's id, or `<id>.<part>` for a second limit of the same rule."""

R = TypeVar("R", bound=Rule)


def register(cls: type[R]) -> type[R]:
    """Class decorator: enter a warning rule.

    Raises ValueError, before anything is entered, for a class that lacks a declaration or contradicts another rule.
    """
    fault = _fault(cls)
    if fault:
        raise ValueError(f"warning rule {cls.__name__} cannot be registered: {fault}")
    rule = cls()
    RULES[rule.id] = rule
    for each in sorted(RULES.values(), key=lambda rule: rule.order):
        RULES[each.id] = RULES.pop(each.id)
    LIMITS.clear()
    LIMITS.update({name: value for each in RULES.values() for name, value in each.limits.items()})
    return cls


def _fault(cls: type[Rule]) -> str:
    declared = {
        "id": cls.id,
        "mark": cls.mark,
        "condition_text": cls.condition_text,
        "severity": cls.severity,
        "source": cls.source,
        "advice": cls.advice,
        "limits": cls.limits,
    }
    missing = [name for name, value in declared.items() if not value]
    missing += sorted(cls.__abstractmethods__)
    if not (cls.__dict__.get("__doc__") or "").strip():
        missing.append("a docstring")
    if missing:
        return f"it lacks {', '.join(missing)}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", cls.id):
        return f"its id '{cls.id}' must be of small letters, digits and _"
    if cls.id in RULES:
        return f"there is a rule '{cls.id}' already"
    if len(cls.mark) != 1:
        return f"its mark '{cls.mark}' must be one letter"
    for rule in RULES.values():
        if rule.mark == cls.mark:
            return f"its mark '{cls.mark}' is that of rule {rule.id}"
    if cls.severity not in SEVERITIES:
        return f"its severity '{cls.severity}' must be one of {', '.join(SEVERITIES)}"
    first, *others = cls.limits
    if first != cls.id or not all(name.startswith(f"{cls.id}.") for name in others):
        return f"its limits must be named {cls.id}, then {cls.id}.<part>, not {', '.join(cls.limits)}"
    return ""


def check_limits(limits: Iterable[str]) -> None:
    """Raise UserError for the name of a limit of no rule, naming the nearest one."""
    for name in limits:
        if name not in LIMITS:
            known = ", ".join(LIMITS)
            raise UserError(
                f"limits: '{name}' is no limit of a warning rule{nearest(name, LIMITS)} (known: {known})"
            )
