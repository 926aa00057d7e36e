"""Every combination of a finite space once."""

from collections.abc import Iterator

from harness.config.blocks.design import Arm, Basis, Enumerated, Varied, design


@design("grid")
class Grid(Enumerated):
    """Every combination of the space once; of an empty space the base alone."""

    runs = "runs every combination once"

    def faults(self, space: Varied) -> Iterator[tuple[str, str]]:
        for name, entry in space.entries.items():
            if entry.values() is None:
                yield (
                    name,
                    f"{name} ({entry.text()}) is continuous and design: {self.name} needs finite values",
                )

    def arms(self, basis: Basis) -> list[Arm]:
        return [Arm(changes) for changes in basis.space.enumerate()]

    def words(self, sampler: str) -> str:
        return "every combination"
