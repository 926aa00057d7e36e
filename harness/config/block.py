"""The base of every configuration block: typed, frozen, and no unknown key."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A configuration block: unknown keys are errors, values are validated, instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
