"""Boards of running sweeps, as the driver would fill them."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.sweep.show.board import Board
from harness.sweep.show.board_row import BoardRow, BoardTrial

FOLD = "f0"


def board(
    total: int,
    *,
    larger: bool = True,
    folds: Sequence[str] = (FOLD,),
    clock: Callable[[], float] = time.monotonic,
) -> Board:
    return Board(
        total=total, larger_is_better=larger, folds={fold: f"fold {fold}" for fold in folds}, clock=clock
    )


def row(config: str, changes: Mapping[str, Any], epochs: int, folds: Sequence[str] = (FOLD,)) -> BoardRow:
    """A configuration with two seeds on each fold, that waits."""
    return BoardRow(config, changes, {fold: BoardTrial(epochs, 2) for fold in folds})
