"""kill -9 at one instant: the functions that change something stop working after so many calls."""

from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The process ends here; a BaseException, as no code under test may go on from it."""


def killed_after(calls: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A wrapper of functions: after `calls` calls of all that it wraps together each raises Killed."""
    left = iter(range(calls))

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise Killed
            return function(*given, **named)

        return call

    return wrap
