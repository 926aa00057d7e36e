"""The kinds of sabotage, and one way of one kind."""

from collections.abc import Callable
from typing import NamedTuple

from tests.sabotage.tampering import Tampering

KINDS = (
    "weight read but not used",
    "gradient cut",
    "constant output",
    "built but not called",
    "key ignored",
    "input ignored",
    "another input read",
    "sign flipped",
    "real run only",
    "prediction only",
    "late",
    "contract broken",
    "reach too wide",
)


class Way(NamedTuple):
    """One way of breaking one mechanism: its kind, what is done, and `install`, which does it while a tampering lasts."""

    kind: str
    text: str
    install: Callable[[Tampering], None]
