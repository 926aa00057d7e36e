"""A space of steps, each of which is taken or left; what they set together the design knows."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from harness.config.space.distributions import ChoiceBlock
from harness.config.space.space import Space

TAKEN, LEFT = "taken", "left"


class Steps(Space):
    """`steps`: name -> dotted path -> value that it lays over the base; `after` gives the changes of the base after any
    steps, which may be more than they lay, or less."""

    def __init__(
        self,
        steps: Mapping[str, Mapping[str, Any]],
        after: Callable[[Collection[str]], Mapping[str, Any]],
    ) -> None:
        super().__init__(
            {
                name: ChoiceBlock.model_construct(choice={TAKEN: dict(laid), LEFT: {}}, when={})
                for name, laid in steps.items()
            }
        )
        self._after = after

    def changes(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self._after([name for name, value in drawn.items() if value == TAKEN]))
