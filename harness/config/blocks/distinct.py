"""Lists in which nothing stands twice."""

from typing import Any

from pydantic import AfterValidator, ValidationInfo

from harness.config.blocks.explain import show


def _distinct(values: list[Any], info: ValidationInfo) -> list[Any]:
    twice = next((value for place, value in enumerate(values) if value in values[:place]), None)
    if twice is not None:
        raise ValueError(f"{info.field_name} names {show(twice)} twice")
    return values


Distinct = AfterValidator(_distinct)
"""Mark of a list field: `only: Annotated[list[str], Distinct]`; what stands twice is one sentence."""
