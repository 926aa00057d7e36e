"""The base of every configuration block: typed, frozen, no unknown key, and an identity that outlives new fields."""

from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationInfo, model_validator

_STORED = {"stored": True}
BlockKind = TypeVar("BlockKind", bound="Block")


@dataclass(frozen=True)
class Before:
    """Marks a field that was added after results of its block had been stored: `key: Annotated[float, Before(0.0)] =
    0.5` behaves as the program did before it existed when its value is `value` (plain JSON data). With that value the
    field is no part of the block's identity, whatever its default is today, and stored content that lacks the field
    is read with it.
    """

    value: Any


class Block(BaseModel):
    """A configuration block: unknown keys are errors, values are validated, instances are immutable.

    Types are strict: a quoted number is no number and `true` is not 1.0; a whole number is a valid float. NaN
    and infinity are refused.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def identity(self) -> dict[str, Any]:
        """The content that identifies the block, as plain data: all of it but new fields at their value `Before`."""
        content = self.model_dump(mode="json")
        for name, field in type(self).model_fields.items():
            if any(isinstance(mark, Before) and content[name] == mark.value for mark in field.metadata):
                del content[name]
            else:
                content[name] = _identity(getattr(self, name), content[name])
        return content

    @classmethod
    def stored(cls, content: Any) -> Self:
        """A block from content that was stored, maybe before some of its fields existed.

        Raises
        ------
        pydantic.ValidationError
            for content that is none of this block.
        """
        return cls.model_validate(content, context=_STORED)

    @model_validator(mode="before")
    @classmethod
    def _older(cls, data: Any, info: ValidationInfo) -> Any:
        """Stored content that lacks a field is from before it existed."""
        if info.context != _STORED or not isinstance(data, dict):
            return data
        before = {
            name: mark.value
            for name, field in cls.model_fields.items()
            for mark in field.metadata
            if isinstance(mark, Before)
        }
        return {**before, **data}


def _identity(value: Any, content: Any) -> Any:
    """The identity of what a field holds, given its plain data: blocks inside it leave their new fields out too."""
    if isinstance(value, Block):
        return value.identity()
    if isinstance(value, list | tuple):
        return [_identity(*part) for part in zip(value, content, strict=True)]
    if isinstance(value, dict):
        return {key: _identity(part, content[key]) for key, part in value.items()} if value else content
    return content


def sharing(block: BlockKind, other: BlockKind) -> BlockKind:
    """The block, with the very blocks of `other` in the places where it has equal ones: instances are immutable, and
    thousands of configurations differ in a few numbers. `other` itself where all is equal."""
    if type(block) is type(other) and block.model_dump_json() == other.model_dump_json():
        return other  # as text, since 1, 1.0 and true are equal otherwise
    parts = dict(block)
    for name, theirs in other:
        mine = parts.get(name)
        if isinstance(mine, Block) and isinstance(theirs, Block):
            parts[name] = sharing(mine, theirs)
    stated = block.model_fields_set
    shared = type(block).model_construct(
        _fields_set=other.model_fields_set if stated == other.model_fields_set else stated, **parts
    )
    return cast(BlockKind, shared)
