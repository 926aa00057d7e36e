"""Whether what a design enumerates can be a sweep: configurations of the space's keys, each once."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.errors import UserError
from harness.config.blocks.design import Arm, Basis, Design, Staged
from harness.config.blocks.explain import ConfigError, show
from harness.config.blocks.paths import find
from harness.config.blocks.trial import ConfigurationBlock
from harness.config.sweep.use import blamed


def check_enumerated(design: Design, basis: Basis) -> None:
    """Refuse a design that enumerates nothing (a staged one: to begin with), something that is no change of a
    configuration, one configuration twice (of an ablation also under other words), or what changes nothing.

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
    with blamed(f"design {design.name}"):
        inert = next(iter(design.inert(basis)), None)
    if inert is not None:
        raise ConfigError(inert[0], f"design {design.name}: {inert[1]}")
    seen: dict[str, int] = {}
    composed: list[ConfigurationBlock] = []
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
            composed.append(basis.compose(dict(changes)))
        except ConfigError as error:
            raise ConfigError("design", f"{where} one that cannot be: {error}") from None
    if design.ablates:
        _refuse_equal(design, arms, composed)


def _refuse_equal(design: Design, arms: Sequence[Arm], composed: Sequence[ConfigurationBlock]) -> None:
    """Of an ablation each arm is a configuration of its own: two that are one would be compared with themselves."""
    first: dict[str, int] = {}
    for number, config in enumerate(composed):
        same = first.setdefault(config.resolved().id, number)
        if same != number:
            names = (arms[each].name or f"configuration {each + 1}" for each in (same, number))
            raise ConfigError(
                "design", f"design {design.name}: {' and '.join(names)} are the same configuration"
            )


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
