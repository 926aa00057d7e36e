"""The base of every configuration block: typed, frozen, and no unknown key."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A configuration block: unknown keys are errors, values are validated, instances are immutable.

    Types are strict: a quoted number is no number and `true` is not 1.0; a whole number is a valid float. NaN
    and infinity are refused.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
