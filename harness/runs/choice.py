"""A configuration of a run by its identity, the beginning of it, or its arm; and what it is called."""

from analysis.arms import arm_labels, arms
from analysis.errors import UserError, nearest
from analysis.reported import configuration_changes
from analysis.store import Run


def chosen(run: Run, text: str) -> str:
    """The one configuration whose identity begins with `text`, or whose arm is called that.

    Raises
    ------
    UserError
        for none (the nearest one is named) and for several (all are, with what they change).
    """
    changes = configuration_changes(run)
    matching = [config for config in changes if config.startswith(text)] if text else []
    of_arms = [config for config, arm in arms(run).items() if arm.name == text and config in changes]
    if text in changes:
        return text
    if len(matching) == 1 or of_arms:
        return (of_arms or matching)[0]
    if matching:
        named = arm_labels(run, changes, changes)
        each = "; ".join(f"{config} ({named[config]})" for config in matching[:4])
        more = f" and {len(matching) - 4} more" if len(matching) > 4 else ""
        raise UserError(f"'{text}' begins {len(matching)} configurations: {each}{more}; give more of it")
    if not changes:
        raise UserError(f"{run.path}: no configuration has begun, {run.without_units()}")
    known = ", ".join(list(changes)[:4]) + (", ..." if len(changes) > 4 else "")
    raise UserError(f"{run.path} has no configuration '{text}'{nearest(text, changes)} (it has {known})")


def chosen_unit(run: Run, text: str) -> tuple[str, str | None]:
    """The configuration that `text` stands for (`chosen`), or that of the unit whose name it is (CONFIG-FOLD-SEED) with
    that name."""
    units = run.table("units")
    names = units["config"] + "-" + units["fold"] + "-" + units["seed"].astype(str)
    of = dict(zip(names, units["config"], strict=True))
    return (str(of[text]), text) if text in of else (chosen(run, text), None)


def titled(run: Run, config: str) -> str:
    """The name of the configuration's arm and its identity; that alone in a design without arms."""
    arm = arms(run).get(config)
    return f"{arm.name} ({config})" if arm else config
