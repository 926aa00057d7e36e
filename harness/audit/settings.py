"""Configurations that differ from another one in a few values, whether or not they would be accepted from a person."""

from collections.abc import Mapping
from typing import Any

from harness.config.blocks.registered import AnyBlock
from harness.config.blocks.trial import ConfigurationBlock


def changed(config: ConfigurationBlock, changes: Mapping[str, Any]) -> ConfigurationBlock:
    """`config` with other values at dotted paths; a mapping as value replaces a whole block by its valid form.

    Nothing is validated: a twin may be a combination that is refused because it could not act.
    """
    twin = config
    for path, value in changes.items():
        twin = _replaced(twin, path.split("."), value)
    return twin


def _replaced(block: AnyBlock, path: list[str], value: Any) -> AnyBlock:
    key, *rest = path
    if rest:
        return block.model_copy(update={key: _replaced(getattr(block, key), rest, value)})
    if isinstance(value, Mapping):
        whole = type(block).model_validate({key: dict(value)})
        value = getattr(whole, key)
    return block.model_copy(update={key: value})


def summed(config: ConfigurationBlock) -> ConfigurationBlock:
    """`config` with gradients that are added as they are: a projection can take away all that a weight does, as of two
    terms that pull one T apart, and both it and a held share cost a backward pass per term.
    """
    return (
        config
        if config.balance.kind in ("fixed", "ramp")
        else changed(config, {"balance": {"kind": "fixed"}})
    )


def value_at(config: ConfigurationBlock, path: str) -> Any:
    """The value at a dotted path; AttributeError for one that this variant lacks."""
    value: Any = config
    for key in path.split("."):
        value = getattr(value, key)
    return value
