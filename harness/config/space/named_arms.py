"""The named arms of a design as an entry of a space, so that they have a study as drawn configurations have."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.config.space.distributions import ListedBlock, best_fit, word


class ArmsBlock(ListedBlock):
    """One of the named arms of a design. No YAML has it: an arm may set what no search draws, such as a list."""

    choice: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    """Name of the arm -> {path: value}."""

    def values(self) -> list[Any]:
        return list(self.choice)

    def changes(self, name: str, value: Any) -> Mapping[str, Any]:
        return self.choice[value]

    def paths(self, name: str) -> set[str]:
        return {path for changes in self.choice.values() for path in changes}

    def drawn(self, name: str, settings: Mapping[str, Any]) -> Any:
        return best_fit(self.choice, settings)

    def text(self) -> str:
        return " | ".join(word(name) for name in self.choice)
