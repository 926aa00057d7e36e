"""What a test knows about a type and the type checker does not."""

from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


def as_a(kind: type[T], value: object) -> T:
    """The value itself, which has to be of this class."""
    assert isinstance(value, kind), f"{type(value).__name__} is no {kind.__name__}"
    return value


def grad(leaf: "Tensor") -> "Tensor":
    """The gradient that backward left at a leaf."""
    assert leaf.grad is not None, "no gradient reached it"
    return leaf.grad


def rows_of(frame: object) -> list[dict[str, Any]]:
    """The rows of a data frame by the names of its columns."""
    return [
        {str(name): value for name, value in row.items()}
        for row in as_a(pd.DataFrame, frame).to_dict("records")
    ]
