"""Types of command line arguments whose mistakes are one sentence."""

from collections.abc import Callable

from analysis.errors import UserError, shorten

LARGEST = 2**63 - 1
"""The store keeps whole numbers in 64 bits."""


def whole(option: str, low: int, high: int = LARGEST) -> Callable[[str], int]:
    """An argparse type: a whole number from `low` to `high`; UserError that names `option` for anything else."""

    def read(text: str) -> int:
        digits = text.strip().removeprefix("-")
        if digits.isdecimal() and digits.isascii() and len(digits) <= len(str(LARGEST)):
            value = int(text)
            if low <= value <= high:
                return value
        raise UserError(f"{option} {shorten(text)}: expected a whole number from {low} to {high}")

    return read
