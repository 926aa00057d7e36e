"""Whether what a design enumerates can be a sweep: configurations of the space's keys, each once."""

from collections.abc import Mapping
from typing import Any

from analysis.errors import UserError
from harness.config.blocks.design import Arm, Basis, Design, Staged
from harness.config.blocks.explain import ConfigError, show
from harness.config.blocks.paths import find
from harness.config.sweep.use import blamed


def check_enumerated(design: Design, basis: Basis) -> None:
    """Refuse a design that enumerates nothing (a staged one: to begin with), something that is no change of a
    configuration, or one configuration twice.

    Raises
    ------
    ConfigError
        at `design`, naming it; a UserError with file and line where a person's design ends with an error.
    """
    try:
        with blamed(f"design {design.name}"):
            if isinstance(design, Staged):
                arms = list(design.next_arms(basis, lambda changes: None))
            else:
                arms = list(design.arms(basis))
    except UserError as error:
        if isinstance(error.__cause__, ConfigError):
            raise ConfigError(error.__cause__.path, str(error)) from None
        raise
    if not arms:
        raise ConfigError("design", f"design: {design.name} yields no configuration of this space")
    seen: dict[str, int] = {}
    checked: set[str] = set()
    for number, arm in enumerate(arms, start=1):
        where = f"design: {design.name} yields as configuration {number}"
        if not isinstance(arm, Arm):
            raise ConfigError("design", f"{where} {show(arm)}, expected an Arm")
        changes = arm.changes
        if not isinstance(changes, Mapping):
            raise ConfigError("design", f"{where} {show(changes)}, expected a mapping of paths to values")
        for path, value in changes.items():
            _check(path, value, where, checked)
        same = repr(sorted(changes.items()))
        if same in seen:
            raise ConfigError("design", f"{where} the same as configuration {seen[same]}; each runs once")
        seen[same] = number
        try:
            basis.compose(dict(changes))
        except ConfigError as error:
            raise ConfigError("design", f"{where} one that cannot be: {error}") from None


def _check(path: Any, value: Any, where: str, checked: set[str]) -> None:
    """That `path` may have the value; what was `checked` before is not looked at again."""
    pair = f"{path} {value!r}"
    if pair in checked:
        return
    checked.add(pair)
    try:
        find(str(path)).check(value)
    except ConfigError as error:
        raise ConfigError("design", f"{where} one that cannot be: {error}") from None
