"""sg(x): where an equation stops the gradient, and values that borrow the gradient of another one."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor


class Held:
    """What `stopped` gave in one run of a computation, in its order, and gives again in the runs after it.

    A numerical derivative of a computation holds what its gradient holds: the first `run` records, every further one
    repeats the recorded values whatever the parameters are. Raises RuntimeError where a further run stops more
    gradients than the first one did.
    """

    def __init__(self) -> None:
        self._values: list[Tensor] = []
        self._place: int | None = None

    @contextmanager
    def run(self) -> Iterator[None]:
        """Inside, `stopped` records (the first time) or repeats."""
        token = _HOLDING.set(self)
        try:
            yield
        finally:
            _HOLDING.reset(token)
            self._place = 0

    def value(self, now: Tensor) -> Tensor:
        """`now` in the first run, and what was there in the first run afterwards."""
        if self._place is None:
            self._values.append(now.clone())  # it may be a parameter's own storage
            return now
        if self._place >= len(self._values):
            raise RuntimeError("a repeated run stops more gradients than the first one")
        self._place += 1
        return self._values[self._place - 1]


_HOLDING: ContextVar[Held | None] = ContextVar("holding", default=None)


def stopped(x: Tensor) -> Tensor:
    """sg(x): x without gradient; inside a repeated run of a `Held`, the x of its first run."""
    held = _HOLDING.get()
    return x.detach() if held is None else held.value(x.detach())


def surrogate(exact: Tensor, smooth: Tensor) -> Tensor:
    """The value of `exact`, which has no useful gradient, with the gradient of `smooth` (straight-through)."""
    return exact + (smooth - stopped(smooth))
