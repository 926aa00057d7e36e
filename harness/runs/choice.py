"""A configuration of a run by its identity or the beginning of it."""

from analysis.errors import UserError, nearest
from analysis.labels import labels
from analysis.reported import configuration_changes
from analysis.store import Run


def chosen(run: Run, text: str) -> str:
    """The one configuration whose identity begins with `text`.

    Raises
    ------
    UserError
        for none (the nearest one is named) and for several (all are, with what they change).
    """
    changes = configuration_changes(run)
    matching = [config for config in changes if config.startswith(text)] if text else []
    if text in changes:
        return text
    if len(matching) == 1:
        return matching[0]
    named = labels(changes)
    if matching:
        each = "; ".join(f"{config} ({named[config]})" for config in matching[:4])
        more = f" and {len(matching) - 4} more" if len(matching) > 4 else ""
        raise UserError(f"'{text}' begins {len(matching)} configurations: {each}{more}; give more of it")
    if not changes:
        raise UserError(f"{run.path}: no configuration has begun, {run.without_units()}")
    known = ", ".join(list(changes)[:4]) + (", ..." if len(changes) > 4 else "")
    raise UserError(f"{run.path} has no configuration '{text}'{nearest(text, changes)} (it has {known})")
