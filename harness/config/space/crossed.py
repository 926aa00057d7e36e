"""A space of factors that a design crosses as it likes: a draw is one of its arms, said by the factors' levels."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.config.space.distributions import MISSING, ChoiceBlock, same
from harness.config.space.space import Space

SIGNS = {-1: "-", 1: "+"}


class Crossed(Space):
    """`arms`: (factor -> -1 or 1, dotted path -> value), every factor in each of them."""

    def __init__(self, arms: Sequence[tuple[Mapping[str, int], Mapping[str, Any]]]) -> None:
        factors = {factor: None for levels, _ in arms for factor in levels}
        super().__init__(
            {name: ChoiceBlock.model_construct(choice=[*SIGNS.values()], when={}) for name in factors}
        )
        self._arms = [
            ({factor: SIGNS[level] for factor, level in levels.items()}, changes) for levels, changes in arms
        ]

    def find(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """The levels of the arm that says most of `settings`."""
        fitting = [
            (levels, changes)
            for levels, changes in self._arms
            if all(same(settings.get(path, MISSING), value) for path, value in changes.items())
        ]
        best = max(fitting, key=lambda arm: len(arm[1]), default=None)
        return None if best is None else dict(best[0])

    def changes(self, drawn: Mapping[str, Any]) -> dict[str, Any]:
        return next(dict(changes) for levels, changes in self._arms if levels == dict(drawn))

    def content(self) -> dict[str, Any]:
        return {"arms": [[levels, dict(sorted(changes.items()))] for levels, changes in self._arms]}
