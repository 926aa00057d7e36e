"""Types that a test knows better than the annotations of what it looks into: each is asserted, none is claimed."""

from typing import Any, TypeVar

import pandas as pd

T = TypeVar("T")


def present(value: T | None) -> T:
    """The value, which is not None."""
    assert value is not None
    return value


def instance(kind: type[T], value: object) -> T:
    """The value, which is an instance of `kind`."""
    assert isinstance(value, kind), f"{type(value).__name__} is no {kind.__name__}"
    return value


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table by the names of its columns."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]
