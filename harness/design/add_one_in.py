"""A small base with each mechanism of a larger configuration, one at a time."""

from collections.abc import Iterable

from pydantic import Field

from harness.config.blocks.design import Basis, Changes, design
from harness.config.space.distributions import word
from harness.design.ablation import Ablation, AblationBlock
from harness.design.addition import additions, apart
from harness.design.removal import Switched
from harness.mechanisms.mechanism import Mechanism


class AddOneInBlock(AblationBlock):
    """From which configuration mechanisms are added, which, and which placebos stand beside them."""

    of: str = Field(min_length=1)
    """Preset whose mechanisms are added to the base one at a time, with their weights and settings."""


@design("add_one_in")
class AddOneIn(Ablation):
    """The base, and it with each mechanism that the preset `of` has and the base has not: what does each do by itself?
    What the mechanism needs comes with it, and is named."""

    options = AddOneInBlock
    runs = "adds one mechanism to the base at a time"
    family = "addition"
    moves = "brings"

    def exchanges(self, basis: Basis) -> Iterable[Switched | tuple[Mechanism, str]]:
        return additions(basis.compose, basis.preset(basis.options.of))

    def nothing(self, basis: Basis) -> str:
        of = basis.options.of
        return (
            f"{of} has no mechanism that the base {basis.base} has not and can take: there is nothing to add"
        )

    def base_name(self, basis: Basis) -> str:
        return basis.base

    def called(self, basis: Basis, names: str) -> str:
        return f"{basis.base} + {names}"

    def held(self, exchange: Switched) -> Changes:
        return exchange.changes

    def lines(self, basis: Basis) -> list[str]:
        others = apart(basis.compose({}), basis.preset(basis.options.of))
        said = ", ".join(f"{path} {word(here)} ({word(there)})" for path, (here, there) in others.items())
        kept = [f"as in {basis.base}, not as in {basis.options.of}: {said}"] if said else []
        return [*kept, *super().lines(basis)]
